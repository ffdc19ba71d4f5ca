"""Server-sent events: live, and without a gap for those that come back."""

from __future__ import annotations

import trio
import trio.testing


async def test_the_status_comes_first_and_then_every_event(site, house):
    house.start("VI_2")
    listener = await site.listen()
    assert (await listener.frame())["retry"] == "1000"
    first = await listener.frame()
    assert first["event"] == "status"
    assert [each["state"] for each in first["data"]["status"]["instances"]] == ["INITIALIZE", "MASTER"]
    house.say("maintenance", reason="upgrade")
    event = await listener.frame("event")
    assert event["data"]["type"] == "maintenance"
    assert event["id"] == f"4711-{event['data']['seq']}"
    after = await listener.frame("status")
    assert after["data"]["seq"] == event["data"]["seq"]


async def test_a_transition_is_told_with_the_status_that_it_made(site, house):
    listener = await site.listen()
    await listener.frame("status")
    house.start()
    while (frame := await listener.frame())["event"] != "status" or not frame["data"]["seq"]:
        pass
    assert {each["state"] for each in frame["data"]["status"]["instances"]} == {"MASTER"}


async def test_who_comes_back_hears_what_it_missed_and_nothing_twice(site, house):
    house.start()
    last = house.say("maintenance")["seq"]
    house.say("announced", instance="VI_1")
    house.say("announced", instance="VI_2")
    listener = await site.listen(Last_Event_ID=f"4711-{last}")
    heard = [(await listener.frame("event"))["data"] for _ in range(2)]
    assert [(each["seq"], each["instance"]) for each in heard] == [(last + 1, "VI_1"), (last + 2, "VI_2")]
    house.say("announced", instance="VI_3")
    assert (await listener.frame("event"))["data"]["instance"] == "VI_3"


async def test_since_is_for_those_that_come_for_the_first_time(site, house):
    house.start()
    listener = await site.listen("?since=0")
    assert (await listener.frame())["retry"]
    first = await listener.frame()
    assert (first["event"], first["data"]["seq"]) == ("event", 1)


async def test_who_comes_from_another_daemon_or_is_gone_too_long_is_told_of_the_gap(site, house):
    house.start()
    for last_id in ("4712-3", "nonsense", "4711-99999999999999999999", "4711--1"):
        listener = await site.listen(Last_Event_ID=last_id)
        assert (await listener.frame("gap"))["data"] == {"first_kept": 1}
        assert (await listener.frame("event"))["data"]["seq"] == 1
    for _ in range(1200):
        house.say("announced")
    listener = await site.listen(Last_Event_ID="4711-3")
    gap = (await listener.frame("gap"))["data"]["first_kept"]
    assert gap > 200
    assert (await listener.frame("event"))["data"]["seq"] == gap


async def test_a_daemon_that_falls_silent_is_told_as_unknown_without_being_asked(site, house, monkeypatch):
    monkeypatch.setattr("hafw_web.stream.EVERY", 0.1)
    house.start()
    listener = await site.listen()
    assert (await listener.frame("status"))["data"]["known"] is True
    house.silent = True
    while (said := (await listener.frame("status"))["data"])["known"]:
        pass
    assert said["why"] == "the daemon did not answer within 2s"
    house.silent = False
    while not (await listener.frame("status"))["data"]["known"]:
        pass


async def test_a_thousand_events_and_many_listeners_cost_the_daemon_few_questions(site, house):
    house.start()
    listeners = [await site.listen() for _ in range(40)]
    for each in listeners:
        await each.frame("status")
    before = len(house.asked)
    for _ in range(200):
        house.say("announced")
    last = house.say("maintenance")["seq"]

    async def hear(listener):
        while (await listener.frame("event"))["data"]["seq"] != last:
            pass

    async with trio.open_nursery() as nursery:
        for each in listeners:
            nursery.start_soon(hear, each)
    assert len(house.asked) - before < 20


async def test_while_nobody_listens_the_daemon_is_left_alone(site, house, eventually):
    house.start()
    listener = await site.listen()
    await listener.frame("status")
    await listener.stream.aclose()

    async def nobody_listens():
        return not site.newsroom._listeners

    await eventually(nobody_listens)
    before = len(house.asked)
    for _ in range(20):
        house.say("announced")
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(house.asked) <= before + 2


async def test_listeners_that_do_not_read_are_dropped_and_the_others_hear_everything(open_site, house, eventually):
    house.start()
    async with open_site(house, patience=0.3) as site:
        quick = [await site.listen() for _ in range(5)]
        slow = [await site.listen() for _ in range(5)]
        for each in (*quick, *slow):
            await each.frame("status")
        heard = [[] for _ in quick]

        async def hear(listener, numbers):
            while True:
                numbers.append((await listener.frame("event"))["data"]["seq"])

        async def only_the_quick_are_left():
            for _ in range(20):
                house.say("announced", detail=1000 * "x")
            await trio.sleep(0.05)
            return site.newsroom._listeners == len(quick)

        async with trio.open_nursery() as nursery:
            for listener, numbers in zip(quick, heard, strict=True):
                nursery.start_soon(hear, listener, numbers)
            await eventually(only_the_quick_are_left)
            last = house.say("maintenance")["seq"]

            async def all_have_heard():
                return all(numbers and numbers[-1] == last for numbers in heard)

            await eventually(all_have_heard)
            nursery.cancel_scope.cancel()
        assert all(numbers == [*range(numbers[0], last + 1)] for numbers in heard), "in order, and none is missing"
