"""The language of scenarios: what it refuses, in which words, and how the output gets into the file."""

import pytest

from hafw.sim.play import BadScript, play
from hafw.sim.script import read

PAIR = "router lb1 priority=150 checks=nginx\nrouter lb2\n"
HERE = f"story.txt:{PAIR.count(chr(10)) + 1}: "


def played(text):
    return play(read(text, "story.txt"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("starte lb1", "starte: no such command (did you mean start?)"),
        ("start lb9", "lb9: no such router: there is lb1, lb2"),
        ("start lb1 lb2", "start lb1 lb2: must be `start ROUTERS`"),
        ("cut lb1 lb2", "cut lb1 lb2: must be `cut ROUTER -> ROUTER` or `cut ROUTER <-> ROUTER`"),
        ("run 5", "5: must be a duration such as 100ms, 1.5s or 10m"),
        ("run 1000h", "1000h: must be at most 30 days, 720h"),
        ("loss 120%", "120%: must be a share from 0% to 100%"),
        ("maintenance lb1 yes", "yes: must be on or off"),
        ("check web fails on lb1", "web: no such check: there is nginx"),
        ("expect lb1 is ACTIVE", "ACTIVE: must be MASTER or BACKUP or FAULT or STOPPED"),
        ("expect 192.0.2.1000 on lb1", "192.0.2.1000: must be an IP address such as 192.0.2.100"),
        ("expect adverts <= many", "many: must be a whole number"),
        ("expect outage > 3s", "outage > 3s: must be `outage <= DURATION`"),
        ("until outage <= 3s", "outage <= 3s: must be `ROUTERS is STATE` or "),
        ("router nobody", "nobody: must be a name: a letter, then letters, digits, `_`, `.` or `-`; not all, nobody"),
        ("router lb1", "lb1: has VI_1 already: a second instance needs instance=NAME and a vrid of its own"),
        ("router lb3 prio=3", "prio=3: unknown key (did you mean priority?)"),
        ("router lb3 colour=3", "colour=3: unknown key: there is priority, preempt, "),
        ("router lb3 priority", "priority: must be priority=VALUE, without blanks"),
        ("router lb3 vrid=5 vrid=5", "vrid=5: vrid is given twice"),
        ("router lb3 priority=256", "priority=256: must be 1 to 255"),
        ("router lb3 preempt=maybe", "preempt=maybe: must be yes or no"),
        ("router lb3 checks=web:0", "checks=web:0: a weight must be -253 to 253, and not 0"),
        ("router lb3 version=2 interval=100ms", "interval=0.1s: version 2 knows whole seconds only, 1s to 255s"),
        ("router lb3 interval=15ms", "interval=0.015s: must be 10ms to 40.95s in steps of 10ms"),
        ("router lb3 vip=2001:db8::1", "vip: IPv6 needs version=3, and a link-local address such as fe80::100 as "),
        ("router lb3 vip=192.0.2.1,fe80::1", "vip: must be addresses of one family, IPv4 or IPv6"),
        ("config a.toml", "config: configurations are read by `hafw sim` only: describe the routers with `router` "),
        ("at 5s\nat 3s", "at 3s: is past: it is 5.000s already"),
        ("start all\nrouter lb3", "router: comes too late: it must stand above the first command that happens in time"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_is_allowed(line, message):
    with pytest.raises(BadScript) as error:
        played(PAIR + line)
    place = HERE if "\n" not in line else "story.txt:4: "
    assert str(error.value).startswith(place + message)


def test_a_scenario_without_routers_says_how_to_begin():
    with pytest.raises(BadScript, match=r"^story.txt: there is no router in it: begin with `router NAME`$"):
        played("# nothing\n")


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("expect lb1 is BACKUP", "expect lb1 is BACKUP: lb1 is MASTER"),
        ("expect all are MASTER", "expect all are MASTER: lb2 is BACKUP"),
        ("expect lb1 is MASTER of VI_2", "expect lb1 is MASTER of VI_2: lb1 is no router of it"),
        ("expect 192.0.2.100 on nobody", "expect 192.0.2.100 on nobody: 192.0.2.100 is on lb1"),
        ("expect adverts <= 6", "expect adverts <= 6: 7 adverts: lb1 7, lb2 0"),
        ("until lb2 is FAULT within 2s", "until lb2 is FAULT within 2s: not within 2s: lb2 is BACKUP"),
        (
            "poweroff lb1\nrun 5s\nexpect outage <= 2s",
            "expect outage <= 2s: 192.0.2.100 was on nobody for 3.026s, from 10.000s to 13.026s",
        ),
        (
            "cut lb1 <-> lb2\nrun 5s\nexpect overlap <= 0 since 11s",
            "expect overlap <= 0 since 11s: VI_1 had several MASTERs for 1.976s, from 13.024s to 15.000s",
        ),
    ],
)
def test_an_expectation_that_fails_says_what_is_instead(line, failure):
    story = "router lb1 priority=150 skew=rfc\nrouter lb2 skew=rfc\nstart all\nat 10s\n" + line
    result = played(story)
    assert result.failure == f"story.txt:{story.count(chr(10)) + 1}: {failure}"


def test_the_rest_of_a_scenario_is_not_played_after_a_failure():
    result = played(PAIR + "expect lb1 is MASTER\nstart lb1\n")
    assert len(result.outputs) == 3
    assert result.story.marks == []


RECORDED = """# A story
router lb1   # alone
start lb1
> {0}
at 10s
"""
STARTED = "    0.000s  lb1  INITIALIZE -> BACKUP: startup"


def test_output_is_put_below_its_command_in_place_of_the_old_and_the_rest_stays():
    script = read(RECORDED.format("something old\n> and older"), "story.txt")
    result = play(script)
    rewritten = script.rewritten(result.outputs)
    assert rewritten.startswith(RECORDED.format(STARTED))
    assert read(rewritten, "story.txt").rewritten(result.outputs) == rewritten


def test_a_difference_is_told_with_its_line_and_both_versions():
    script = read(RECORDED.format("something old"), "story.txt")
    (file_line, said, came) = script.difference(play(script).outputs).splitlines()
    assert file_line == "story.txt:4: after `start lb1`"
    assert said.split(maxsplit=3)[3] == "something old"
    assert came.endswith(STARTED)
    assert read(script.rewritten(play(script).outputs), "story.txt").difference(play(script).outputs) == ""


def test_what_is_recorded_after_the_last_line_that_came_is_a_difference_too():
    script = read(RECORDED.format(STARTED + "\n> more"), "story.txt")
    assert script.difference(play(script).outputs).splitlines()[0] == "story.txt:5: after `start lb1`"


def test_every_advert_shows_when_asked_for():
    result = played("router lb1\nverbose on\nstart lb1\nat 4s\n")
    assert "    3.609s  lb1  advertises priority 100" in result.outputs[-1]
    assert "    3.611s  lb1  announces its addresses" in result.outputs[-1]
