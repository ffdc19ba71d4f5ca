"""A planned move by the operator's command, between two real daemons."""

import json
import re
import socket

import pytest

pytestmark = pytest.mark.wire

VIP, VIP_TWO = "10.77.0.250", "10.77.0.251"
SECOND = {"name": "VI_2", "vrid": 52, "virtual_addresses": [VIP_TWO]}
FAST = r"\d+ ms"


def said(router, *words):
    """Standard output, standard error and exit code of the command."""
    done = router.hafw(*words)
    return done.stdout, done.stderr, done.returncode


def test_a_handover_moves_every_instance_and_another_one_brings_them_back(both, tools):
    lb1, lb2 = both
    with lb2.news() as there:
        out, err, code = said(lb1, "handover", "--wait")
        assert (err, code) == ("", 0)
        assert re.fullmatch(rf"VI_1: 10\.77\.0\.2 took over after {FAST}\n", out)
        there.state("MASTER", reason="master-resigned")
    assert (lb1.has(VIP), lb2.has(VIP)) == (False, True)
    heard = lb1.instance()["counters"]["advertisement-rcvd"]
    tools.until(lambda: lb1.instance()["counters"]["advertisement-rcvd"] > heard + 4, "adverts of lb2")
    assert lb1.instance()["state"] == "BACKUP"  # though its priority is higher
    lb1.kill_daemon()
    lb1.wait_until_ready()
    tools.until(lambda: lb1.instance()["state"] != "INITIALIZE", "it takes part")
    heard = lb1.instance()["counters"].get("advertisement-rcvd", 0)
    tools.until(lambda: lb1.instance()["counters"].get("advertisement-rcvd", 0) > heard + 8, "adverts of lb2")
    assert lb1.instance()["state"] == "BACKUP"  # nor does the next daemon take it back
    assert said(lb1, "handover") == ("VI_1: BACKUP: nothing to hand over\n", "", 0)
    with lb1.news() as here:
        with socket.socket(socket.AF_UNIX) as impatient:
            impatient.connect(str(lb2.socket))
            impatient.sendall(json.dumps({"do": "handover"}).encode() + b"\n")
        here.state("MASTER", reason="master-resigned")
    assert said(lb2, "history")[0].splitlines()[-1].split()[2:5] == ["MASTER", "BACKUP", "handover"]


def test_when_nobody_takes_over_the_address_stays_and_by_force_it_goes(master):
    with master.news() as news:
        out, err, code = said(master, "handover")
        assert (out, code) == ("", 1)
        assert re.fullmatch(
            rf"VI_1: nobody took over within {FAST}: still MASTER here; "
            r"is another router up and healthy\? `--force` releases anyway\n",
            err,
        )
        news.wait("handover_complete", outcome="nobody took over")
        assert not [event for event in news.events if event["type"] in {"state_changed", "vip_released"}]
        assert master.has(VIP)
        out, err, code = said(master, "handover", "VI_1", "--force")
        assert (err, code) == ("", 0)
        assert "released all the same; this router takes it back if it goes on hearing nobody" in out
        news.wait("vip_released", outcome="nobody took over")
        news.state("MASTER", reason="no-response")
    assert said(master, "handover", "VI_9") == ("", "hafw: no instance 'VI_9': there is VI_1\n", 1)
    refused = said(master, "maintenance", "on")
    assert refused[0] == ""
    assert refused[1].startswith("hafw: maintenance is not on: nobody took over VI_1, still MASTER here: ")
    assert refused[2] == 1


def test_maintenance_holds_over_reload_and_restart_until_it_is_off(both, tools):
    lb1, lb2 = both
    out, err, code = said(lb1, "maintenance", "on", "--for", "30m", "--reason", "kernel upgrade")
    assert (err, code) == ("", 0)
    moved, line = out.splitlines()
    assert re.fullmatch(rf"VI_1: 10\.77\.0\.2 took over after {FAST}", moved)
    shown = r"maintenance since \d\d:\d\d for 30m \((30m|29m 5\ds) left\): kernel upgrade: stays BACKUP"
    assert re.fullmatch(shown, line)
    assert re.fullmatch(shown, said(lb1, "status")[0].splitlines()[2])
    lb1.write(tools.instance(), tools.instance(**SECOND))  # nobody else has the second one
    assert said(lb1, "reload") == ("VI_2: added\n", "", 0)
    assert lb1.stop() == 0
    lb1.start()
    assert lb2.stop() == 0  # nobody is left
    lb1.wait_for("BACKUP", "VI_2")
    assert [each["maintenance"] for each in lb1.ask()["instances"]] == [True, True]
    assert re.fullmatch(shown, said(lb1, "maintenance")[0].strip())
    with lb1.stream() as here:
        assert said(lb1, "maintenance", "off") == ("maintenance is off\n", "", 0)
        here.wait("maintenance", on=True)
        assert here.wait("maintenance", on=False)["reason"] == "told so"
        assert not [event for event in here.events if event.get("to") == "MASTER"]
        here.state("MASTER", instance="VI_2")
    assert said(lb1, "maintenance") == ("maintenance is off\n", "", 0)


def test_two_masters_that_do_not_hear_each_other_show_it_in_the_status(pair, tools):
    for vrid, router in enumerate(pair, 51):
        router.start(tools.instance(vrid=vrid))
        router.wait_until_it_serves()
    for router in pair:
        with router.stream() as stream:
            told = stream.wait("split_brain", evidence="claim")
        row, remark = said(router, "status")[0].splitlines()[3:6:2]
        assert "MASTER (SPLIT BRAIN)" in row
        claims = rf"VI_1: SPLIT BRAIN: {told['mac']} also claims {VIP} \(heard \d+s ago\)"
        guess = r"another VRID there, or its adverts do not arrive \(hafw doctor, hafw listen\)"
        assert re.fullmatch(f"{claims}: {guess}", remark)
        (rival,) = router.instance()["split_brain"]
        assert (rival["evidence"], rival["mac"], rival["over"]) == ("claim", told["mac"], False)
