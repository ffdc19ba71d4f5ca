"""Protocols follow the role, in the real BIRD; and what is said of one that is not as it should be."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hafw_bird.control import Bird, BirdError
from hafw_bird.options import Options

from hafw.api import Duration, Group, GroupChange
from hafw.config.convert import convert

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
STANDBY = {"master": ("hafw",), "backup": ("hafw_standby",)}


@pytest.mark.peer("bird2")
def test_each_state_has_its_protocols_and_a_stop_has_none(bird, world):
    plugin = world.configured(bird.socket, **STANDBY)
    one = world.router()
    outcome = plugin.became_master(one, world.change_to("MASTER"))
    assert (outcome, bird.up()) == ({"output": "hafw is up, hafw_standby is down", "exit": 0}, {"hafw"})
    plugin.became_backup(one, world.change_to("BACKUP", 2))
    assert bird.up() == {"hafw_standby"}
    plugin.faulted(one, world.change_to("FAULT", 3))
    assert bird.up() == set()
    plugin.became_master(one, world.change_to("MASTER", 4))
    plugin.became_master(one, world.change_to("MASTER", 4, attempt=2))
    assert bird.up() == {"hafw"}
    plugin.stopped(one, world.change_to("STOP", 5))
    assert bird.up() == set()


@pytest.mark.peer("bird2")
def test_a_new_process_makes_it_so_as_it_is_told_how_things_are(bird, world):
    bird.say("enable", "hafw")
    plugin = world.configured(bird.socket)
    assert (plugin.replay, plugin.delivery) == (True, "latest")
    plugin.became_backup(world.router(), world.change_to("BACKUP", replayed=True))
    assert bird.up() == set()


@pytest.mark.peer("bird2")
def test_the_role_of_a_group_is_the_groups(bird, world):
    routers = (world.router("VI_1", "VG"), world.router("VI_2", "VG"))
    plugin = world.configured(bird.socket, routers, group="VG")
    assert plugin.became_master(routers[0], world.change_to("MASTER")) is None
    change = GroupChange(
        seq=2, time="x", group="VG", members=("VI_1", "VI_2"), old="BACKUP", new="MASTER", reason="election"
    )
    assert plugin.group_changed(Group(name="VG", members=change.members), change)["exit"] == 0
    assert bird.up() == {"hafw"}


@pytest.mark.peer("bird2")
def test_an_address_of_a_master_that_has_no_route_is_named(bird, world):
    plugin = world.configured(bird.socket, verify=True, timeout=Duration(0.3))
    outcome = plugin.became_master(world.router(), world.change_to("MASTER"))
    assert outcome == {
        "output": "hafw is up; not announced: 192.0.2.10: does its interface line fit, and its import filter? "
        "birdc show route protocol NAME",
        "exit": 1,
    }
    with pytest.warns(UserWarning, match="hafw_standby is Static: when hafw dies, it stays up without the address"):
        static = world.configured(bird.socket, verify=True, master=("hafw_standby",))
    assert static.became_master(world.router(), world.change_to("MASTER"))["exit"] == 0


@pytest.mark.peer("bird2")
def test_a_bird_that_was_restarted_is_made_so_again(bird, world, capsys, until):
    plugin = world.configured(bird.socket, refresh=Duration(0.05))
    plugin.became_master(world.router(), world.change_to("MASTER"))
    bird.stop()
    outcome = plugin.became_master(world.router(), world.change_to("MASTER", 2))
    assert outcome["exit"] == 1
    assert outcome["output"].endswith("does BIRD run (systemctl status bird)?; tried again every 0.05s")
    bird.start()
    until(lambda: bird.up() == {"hafw"})
    until(lambda: "BIRD does what it is told again" in capsys.readouterr().out)
    plugin.stopped(world.router(), world.change_to("STOP", 3))


def refusal(world, socket="/nonexistent", routers=None, **options):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
        world.configured(socket, routers, **options)
    return str(caught.value).splitlines()


@pytest.mark.peer("bird2")
def test_a_protocol_that_bird_does_not_have_is_refused_with_those_that_it_has(bird, world):
    assert refusal(world, bird.socket, master=("haffw",)) == [
        'master[0]: = "haffw": BIRD has no such protocol: it has device1, hafw, hafw_standby, hafw_static'
    ]


@pytest.mark.peer("bird2")
def test_a_file_that_bird_would_refuse_is_found_before_the_next_start(bird, world):
    with bird.file.open("a") as file:
        file.write("protocol bgp {\n")
    (line,) = refusal(world, bird.socket)
    assert line.startswith("socket: BIRD would refuse its own configuration at the next start: ")
    assert "bird.conf" in line


@pytest.mark.peer("bird2")
def test_an_address_that_would_announce_its_whole_network_is_warned_of(bird, world):
    said = "master: 192.0.2.10/24 of VI_1: direct announces the whole network: write it without a length"
    with pytest.warns(UserWarning, match=said):
        world.configured(bird.socket, (world.router(prefixlen=24),))


def test_a_bird_that_does_not_run_yet_is_a_warning(world, tmp_path):
    with pytest.warns(UserWarning, match=r"^socket: nobody listens at .*: does BIRD run \(systemctl status bird\)\?$"):
        world.configured(str(tmp_path / "bird.ctl"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"master": ()}, 'master: is empty: nothing is announced: master = ["hafw"]'),
        ({"master": ("a b",)}, 'master[0]: = "a b": must be the name of a protocol: letters, digits and _'),
        ({"backup": ('"*"',)}, 'backup[0]: = ""*"": must be the name of a protocol: letters, digits and _'),
        ({"fault": ("x\ndisable all",)},
         'fault[0]: = "x\\ndisable all": must be the name of a protocol: letters, digits and _'),
        ({"instance": "VI_9", "master": ("-",)}, 'instance: = "VI_9": must be one of VI_1'),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(options, said, world):
    lines = refusal(world, **options)
    assert "\n".join(lines).startswith(said.replace("\\n", "\n"))


def test_the_socket_has_an_absolute_path(world):
    assert refusal(world, "bird.ctl") == ['socket: = "bird.ctl": must be an absolute path']


GREETING = b"0001 BIRD 2.0.12 ready.\n"


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ((), "BIRD did not answer within 0.3s"),
        ((b"0001 BIRD",), "BIRD did not answer within 0.3s"),
        ((GREETING, b"1002-x Direct --- up 1\n"), "BIRD did not answer within 0.3s"),
        ((GREETING, b"8007 Access denied\n"), "BIRD refuses show protocols: Access denied"),
        ((GREETING, b"9001 syntax error\n"), "BIRD refuses show protocols: syntax error"),
        ((GREETING, b"1002-" + b"x" * 500_000), "the answer is longer than 262144 octets"),
        ((GREETING, b" \n" * 200_000), "the answer is longer than 262144 octets"),
    ],
)
def test_whatever_answers_in_birds_place_the_conversation_ends_in_words(replies, said, impostor):
    timeout = 0.3 if "did not answer" in said else 10
    with pytest.raises(BirdError, match=re.escape(said)), Bird(impostor(*replies), timeout) as conversation:
        conversation.protocols()


def test_a_reply_is_read_whichever_way_it_is_cut(impostor):
    reply = b"2002-Name Proto Table State Since Info\n1002-a Direct --- up 1\n b BGP --- start 1 Idle\n0000 \n"
    with Bird(impostor(GREETING, reply), 5) as conversation:
        assert conversation.protocols() == {"a": ("Direct", "up"), "b": ("BGP", "start")}


def test_who_may_not_use_the_socket_is_told_who_may(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.connect", refused)
    with pytest.raises(BirdError, match=r'may not be used by .*: user = "bird"$'), Bird(str(tmp_path), 1):
        pass


def test_the_deadline_leaves_time_for_bird_and_for_the_routes(world, tmp_path):
    with pytest.warns(UserWarning, match="nobody listens"):
        assert world.configured(str(tmp_path / "none"), timeout=Duration(3)).deadline == 22


def test_the_example_of_the_documentation_is_read():
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    table = tomllib.loads(block)["plugin"]["bird"]
    assert table.pop("user") == "bird"
    options, problems = convert(table, Options, "plugin.bird")
    assert problems == []
    assert options == Options(instance="VI_1")
