"""Yes or no: what load balancers and probes are told, over HTTP."""

from __future__ import annotations

import pytest
from hafw_web.health import role


async def test_master_is_yes_while_every_instance_is_master(site, house):
    house.start()
    answer = await site.get("/master")
    assert (answer.status, answer.text) == (200, "VI_1 MASTER\nVI_2 MASTER\n")
    assert (await site.get("/backup")).status == 503


async def test_a_router_that_is_master_of_one_of_two_is_not_the_master(site, house):
    house.start()
    house.verdict(healthy=False)
    assert (await site.get("/master")).status == 503
    assert (await site.get("/master/VI_1")).status == 503
    assert (await site.get("/master/VI_2")).status == 200


async def test_a_change_is_seen_by_the_very_next_request(site, house):
    house.start()
    assert (await site.get("/master/VI_1")).status == 200
    for healthy in (False, True) * 10:
        house.verdict(healthy=healthy)
        states = {each["name"]: each["state"] for each in (await house.daemon.answers.status({}))["instances"]}
        assert (await site.get("/master/VI_1")).status == (200 if states["VI_1"] == "MASTER" else 503)


async def test_ready_is_every_instance_that_takes_part(site, house):
    answer = await site.get("/readyz")
    assert answer.status == 503
    assert answer.text.startswith("VI_1 INITIALIZE")
    house.start()
    assert (await site.get("/readyz")).status == 200
    house.verdict(healthy=False)
    answer = await site.get("/readyz")
    assert (answer.status, answer.text.split("\n")[0][:11]) == (503, "VI_1 FAULT:")
    assert "connection refused" in answer.text


async def test_live_is_a_daemon_that_answers(site):
    assert (await site.get("/livez")).status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/master", "/backup", "/master/VI_1", "/backup/VI_1"])
async def test_of_a_silent_daemon_nothing_is_said_but_unknown(site, house, path):
    house.start()
    await site.get("/master")
    house.silent = True
    site.newsroom.poke()
    answer = await site.get(path)
    assert (answer.status, answer.text) == (503, "unknown: the daemon did not answer within 2s\n")


async def test_a_silent_daemon_is_not_waited_for_by_everybody(site, house):
    house.silent = True
    for _ in range(5):
        assert (await site.get("/master")).status == 503
    assert len(house.asked) == 1


async def test_a_daemon_that_speaks_again_is_believed_again(site, house, eventually):
    house.start()
    house.silent = True
    assert (await site.get("/master")).status == 503
    house.silent = False

    async def is_master():
        return (await site.get("/master")).status == 200

    await eventually(is_master)


async def test_an_unknown_name_is_told_what_names_there_are(site, house):
    house.start()
    answer = await site.get("/master/VI_9")
    assert (answer.status, "there are: VI_1, VI_2" in answer.text) == (404, True)
    assert (await site.get("/readyz/VI_1")).status == 404


async def test_a_group_is_asked_for_by_its_name(status):
    status["groups"] = [{"name": "VG_1", "state": "BACKUP", "members": ["VI_1", "VI_2"]}]
    assert role(status, "BACKUP", "VG_1").code == 200
    assert role(status, "MASTER", "VG_1").code == 503
