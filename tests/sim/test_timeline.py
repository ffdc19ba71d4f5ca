"""The pictures: what is shown of a story in few columns, and that the SVG is one."""

import xml.etree.ElementTree as ET

import pytest

from hafw.sim.excerpt import Excerpt
from hafw.sim.play import play
from hafw.sim.script import read
from hafw.sim.svg import draw as draw_picture
from hafw.sim.timeline import draw

FAILOVER = """# A & B <pair>
router lb1 priority=150
router lb2 priority=100
start all
at 10s
poweroff lb1
at 20s
"""


def story(text, start=0.0, end=None):
    script = read(text, "story.txt")
    return script.title, Excerpt(play(script).story, start, end)


def row(picture, name):
    return next(line for line in picture.splitlines() if line.startswith(name))


def test_a_column_is_what_the_router_was_for_most_of_it():
    picture = draw(*story(FAILOVER), width=53, plain=True)
    assert row(picture, "lb1") == "lb1          ------##############"
    assert row(picture, "lb2") == "lb2          ------------------------################"
    assert row(picture, "192") == "192.0.2.100        lb1===========!!!!lb2============="


def test_what_is_shorter_than_a_column_shows_all_the_same():
    title, told = story("router lb1\nrouter lb2 priority=50\nstart all\nat 100s\nstop lb1\nstart lb1\nat 500s\n")
    assert "##-#####" in row(draw(title, told, width=60, plain=True), "lb1").replace(" ", "-")


def test_no_line_is_wider_than_the_terminal_and_none_ends_in_blanks():
    for width in (40, 80, 137):
        lines = draw(*story(FAILOVER), width=width).splitlines()
        assert all(line == line.rstrip() for line in lines)
        assert max(len(line) for line in lines[2:8]) == width


def test_plain_is_ascii_and_colours_can_be_left_out():
    assert draw(*story(FAILOVER), plain=True).isascii()
    assert "\033[" not in draw(*story(FAILOVER))
    assert "\033[32m" in draw(*story(FAILOVER), colour=True)


def test_what_the_picture_is_too_small_for_is_told():
    *_, last = draw(*story(FAILOVER)).splitlines()
    assert last == "192.0.2.100 was on nobody for 2.050s, from 10.000s to 12.050s"
    *_, last = draw(*story("router lb1\nstart lb1\nrun 5s\n")).splitlines()
    assert last == "nothing was missing: every address always on somebody, never two MASTERs"


GROUP = """defaults group=VG_1
router lb1 priority=150
router lb1 priority=150 instance=VI_2 vrid=52 interface=eth1 vip=192.0.2.200
router lb2 priority=100
router lb2 priority=100 instance=VI_2 vrid=52 interface=eth1 vip=192.0.2.200
start all
at 10s
link lb1 eth1 down
at 20s
"""


def test_of_several_instances_each_address_has_its_own_and_a_group_is_named():
    picture = draw(*story(GROUP), width=80, plain=True)
    assert row(picture, "192.0.2.200 (VI_2)").endswith("lb2===========================")
    assert "VI_1, VI_2: sync group VG_1, MASTER together or not at all\n" in picture
    drawn = texts(ET.fromstring(draw_picture(*story(GROUP))))
    assert {"192.0.2.200 (VI_2)", "VI_1, VI_2: sync group VG_1, MASTER together or not at all"} <= set(drawn)


def test_an_outage_that_is_shorter_than_a_column_shows_all_the_same():
    picture = draw(*story(GROUP), width=80, plain=True)
    assert "=!lb2=" in row(picture, "192.0.2.200")
    assert "!" not in row(picture, "192.0.2.100")
    assert "!! on nobody" in picture


def test_what_is_empty_in_a_row_is_told():
    assert "== has the address   !! on nobody   blank: not yet on anybody\n" in draw(*story(FAILOVER), plain=True)
    assert "blank: not yet" not in draw(*story(FAILOVER, 4.0, 14.0), plain=True)
    assert "empty: stopped, empty address: not yet on anybody" in texts(ET.fromstring(draw_picture(*story(FAILOVER))))


def test_several_masters_while_an_advert_is_on_its_way_are_told_to_be_normal():
    normal = "(several for 1.0ms, while an advert is on its way, are normal)"
    back = "router lb1 priority=150\nrouter lb2\nstart all\nat 9s\npoweroff lb1\nat 20s\nstart lb1\nat 30s\n"
    assert story(back)[1].facts()[-1] == normal
    split = "router lb1 priority=150\nrouter lb2\nstart all\nat 9s\nisolate lb1\nat 20s\n"
    assert normal not in story(split)[1].facts()


def test_things_done_at_one_place_of_the_axis_share_a_letter():
    lines = draw(*story("router lb1\nrouter lb2\nstart lb1\nstart lb2\nat 50s\nkill lb1\nat 60s\n")).splitlines()
    at = lines.index("a     0.000s  start lb1")
    assert lines[at + 1 : at + 3] == ["      0.000s  start lb2", "b    50.000s  kill lb1"]


def test_a_scenario_in_which_no_time_passes_can_be_drawn():
    title, told = story("router lb1\nstart lb1\n")
    assert "a     0.000s  start lb1" in draw(title, told)
    ET.fromstring(draw_picture(title, told))


@pytest.fixture
def svg():
    return ET.fromstring(draw_picture(*story(FAILOVER)))


MEANINGS = {"DEGRADED", "who has the address", "nobody has it", "empty: stopped, empty address: not yet on anybody"}


def texts(svg):
    return [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_the_svg_says_who_was_what_in_words(svg):
    assert svg.get("aria-label") == "A & B <pair>"
    assert {"lb1", "lb2", "192.0.2.100", "MASTER", "BACKUP", "poweroff lb1", "nobody has it"} <= set(texts(svg))
    tips = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}title")]
    assert "MASTER, 3.016s to 10.000s" in tips
    assert "nobody, 10.000s to 12.050s" in tips


def test_everything_in_the_svg_is_within_it(svg):
    width, height = int(svg.get("width")), int(svg.get("height"))
    for each in svg.iter():
        x, y = float(each.get("x", 0)), float(each.get("y", 0))
        assert 0 <= x <= width
        assert 0 <= y <= height
        assert x + float(each.get("width", 0)) <= width


def test_the_legend_goes_on_below_when_there_is_no_room_beside():
    """With every state and every kind of stretch in it."""
    text = (
        "router lb1 checks=nginx priority=150\nrouter lb2 checks=nginx\nstart all\nat 10s\ncheck nginx fails on lb1\n"
        "at 15s\ncheck nginx fails on lb2\nat 25s\npoweroff lb2\nat 30s\n"
    )
    svg = ET.fromstring(draw_picture(*story(text)))
    every = [each for each in svg.iter("{http://www.w3.org/2000/svg}text") if each.text in MEANINGS]
    assert {each.text for each in every if float(each.get("x")) <= 960 - 8 * len(each.text)} == MEANINGS


def test_an_excerpt_shows_what_was_so_in_its_time_and_tells_of_nothing_else():
    picture = draw(*story(FAILOVER, 11.0, 13.0), width=53, plain=True)
    assert row(picture, "             1").split() == ["11.0s", "11.5s", "12.0s", "12.5s"]
    assert row(picture, "lb1") == "lb1"
    assert row(picture, "lb2") == "lb2          ---------------------###################"
    assert "poweroff" not in picture
    assert picture.endswith("\n192.0.2.100 was on nobody for 2.050s, from 10.000s to 12.050s")
    assert "on nobody" not in draw(*story(FAILOVER, 13.0, 14.0))


def test_an_excerpt_beyond_the_end_is_the_end():
    title, excerpt = story(FAILOVER, 100.0, 200.0)
    assert (excerpt.start, excerpt.end) == (20.0, 20.001)
    assert row(draw(title, excerpt), "lb2") == "lb2"


def test_a_long_list_of_facts_is_cut():
    _, excerpt = story("lan loss=60%\nrouter lb1\nrouter lb2\nstart all\nrun 300s\n")
    facts = excerpt.facts()
    assert len(facts) == 13
    assert facts[-1].endswith(" more such times")
