"""`hafw listen` beside a real keepalived and a running hafw: what is wrong is named, with the line to look at."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from hafw.lab import routers
from hafw.lab.network import INTERFACE, Lab
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.wire, pytest.mark.peer("keepalived")]

PATIENCE = 30.0
THEIRS = RouterSettings(
    name="VI_1",
    interface=INTERFACE,
    vrid=51,
    priority=200,
    advertisement_interval=0.1,
    virtual_addresses=(ip_address("10.77.0.250"),),
)
OURS = replace(THEIRS, priority=100)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        made.add_host("lb1", "10.77.0.1/24", "fe80::1/64")
        made.add_host("lb2", "10.77.0.2/24", "fe80::2/64")
        yield made


def listen(lab: Lab, *words: str) -> subprocess.Popen[str]:
    environment = routers.hafw_environment(lab, "lb2")
    pipe = subprocess.PIPE
    return lab.python("lb2", "hafw", "listen", *words, env=environment, stdout=pipe, stderr=pipe, text=True)


def wait_for_state(lab: Lab, wanted: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while routers.hafw_state(lab, "lb2") != wanted:
        assert time.monotonic() < deadline, f"hafw is not {wanted}"
        time.sleep(0.02)


def test_a_wrong_password_and_another_interval_are_named_with_the_lines_of_the_running_daemons_file(lab):
    theirs = replace(THEIRS, version=2, advertisement_interval=1.0, password=b"secret")
    ours = replace(theirs, priority=100, advertisement_interval=2.0, password=b"other")
    routers.start_keepalived(lab, "lb1", routers.keepalived_configuration(theirs))
    routers.start_hafw(lab, "lb2", routers.hafw_configuration(ours))
    wait_for_state(lab, "BACKUP")
    out, err = listen(lab, "-n", "2", "--json").communicate(timeout=PATIENCE)
    heard = [each for each in map(json.loads, out.splitlines()) if each["source"] == "10.77.0.1"]
    assert heard, err
    file = lab.path("lb2", "config.toml")
    lines = file.read_text("utf-8").splitlines()
    assert [(each["verdict"], each["instance"], each["reason"]) for each in heard] == [
        ("refused", "VI_1", "auth-failures")
    ] * len(heard)
    password, interval = heard[0]["findings"]
    assert (password["file"], password["theirs"]) == (str(file), "another one")
    assert lines[password["line"] - 1].startswith("auth = ")
    assert (interval["reason"], interval["ours"], interval["theirs"]) == ("interval-errors", "2s", "1s")
    assert lines[interval["line"] - 1].startswith("advertisement_interval = ")
    assert (heard[0]["interface"], heard[0]["vlans"], heard[0]["source_mac"]) == (INTERFACE, [], "02:00:00:00:00:01")


def test_good_adverts_that_a_firewall_keeps_from_the_daemon_are_told_apart_from_silence(lab):
    rules = "table inet t { chain input { type filter hook input priority 0; ip protocol 112 drop; }; }"
    lab.run("lb2", ["nft", rules])
    routers.start_keepalived(lab, "lb1", routers.keepalived_configuration(THEIRS))
    routers.start_hafw(lab, "lb2", routers.hafw_configuration(OURS))
    wait_for_state(lab, "MASTER")
    out, err = listen(lab, "-n", "20").communicate(timeout=PATIENCE)
    assert "10.77.0.1 (02:00:00:00:00:01)  VRID 51  v3  priority 200  every 100ms" in out
    assert "note: two MASTERs: 10.77.0.1 (200) and 10.77.0.2 (100): a firewall here keeps it from the daemon?" in out
    assert "-> sent from here by VI_1" in out
    assert "good adverts arrived here, and the daemon heard none of them: a firewall on this machine drops them" in err


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so would all that the tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_an_account_when_it_is_told_to(lab, word):
    routers.start_keepalived(lab, "lb1", routers.keepalived_configuration(THEIRS))
    listening = listen(lab, "-i", INTERFACE)
    assert listening.stdout is not None
    assert "priority 200  every 100ms  10.77.0.250" in listening.stdout.readline()
    listening.send_signal(word)
    out, err = listening.communicate(timeout=PATIENCE)
    assert (listening.returncode, "no CONFIG and no running daemon" in err) == (0, True)
    assert " of 1 router in " in out.splitlines()[-1]
