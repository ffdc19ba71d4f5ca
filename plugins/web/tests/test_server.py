"""HTTP as browsers, scrapers and attackers speak it."""

from __future__ import annotations

import json

import pytest
import trio
from hafw_web.routes import PAGES

PATIENCE = 20


async def test_the_page_comes_with_a_policy_that_lets_nothing_in_from_elsewhere(site):
    for path in PAGES:
        answer = await site.get(path)
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = await site.get(path, if_none_match=answer.headers["ETag"])
        assert (again.status, again.text) == (304, "")


def test_no_file_of_the_page_names_another_place():
    for path, page in PAGES.items():
        text = page.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in "".join(line for line in text.splitlines() if "://" in line), path
        assert " style=" not in text, "the policy forbids it"
        assert "innerHTML" not in text, "names of others get into markup by it"


async def test_the_status_is_known_fresh_and_whole(site, house):
    house.start()
    answer = await site.get("/api/status")
    said = json.loads(answer.text)
    assert (answer.status, said["known"], said["why"]) == (200, True, "")
    assert said["age_seconds"] < 5
    assert [each["state"] for each in said["status"]["instances"]] == ["MASTER", "MASTER"]


async def test_a_status_that_does_not_count_any_more_says_so(site, house):
    house.start()
    await site.get("/api/status")
    house.silent = True
    site.newsroom.poke()
    answer = await site.get("/api/status")
    said = json.loads(answer.text)
    assert (answer.status, said["known"], said["why"]) == (503, False, "the daemon did not answer within 2s")
    assert said["status"]["node"] == "lb1"
    assert (await site.get("/api/history")).status == 503
    assert (await site.get("/metrics")).text.count("\nhafw_") == 1, "hafw_up 0, and no number that is old"


async def test_the_output_of_scripts_stays_on_the_machine(site, house, monkeypatch):
    plugin = {"name": "x", "state": "running", "failures": 0, "last_error": "", "results": [{"output": "secret"}]}
    plugin |= {"queued": 0, "events": {}}
    real = house.ask

    def ask(do, **request):
        answer = real(do, **request)
        return {**answer, "plugins": [plugin]} if do == "status" else answer

    monkeypatch.setattr(site.known, "_ask", ask)
    assert "secret" not in (await site.get("/api/status")).text


async def test_history_has_the_transitions(site, house):
    house.start()
    said = json.loads((await site.get("/api/history")).text)
    assert ("VI_1", "MASTER") in [(each["instance"], each["to"]) for each in said["transitions"]]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_nothing_can_be_changed(site, method):
    answer = await site.get("/api/status", method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/api/status", "/events", "/nothing"])
async def test_head_has_no_body(site, house, path):
    house.start()
    answer = await site.get(path, method="HEAD")
    assert (answer.status, answer.text) == (404 if path == "/nothing" else 200, "")


@pytest.mark.parametrize("host", ["localhost", "lb1:9112", "127.0.0.1", "[::1]:9112", "192.0.2.7:80", "LOCALHOST."])
async def test_our_names_and_addresses_may_be_asked(site, host):
    assert (await site.get("/livez", host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9112", "localhost.evil.example", "", "127.0.0.1.evil"])
async def test_a_name_that_is_not_ours_is_refused_with_the_way_out(site, host):
    for path in ("/livez", "/", "/events", "/api/status"):
        answer = await site.get(path, host=host)
        assert answer.status == 421
        assert "hosts" in answer.text
        assert "[plugin.web]" in answer.text


async def test_http_1_0_without_a_host_is_served_once(site, house):
    house.start()
    said = await site.talk(b"GET /master HTTP/1.0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b"\r\n\r\nVI_1 MASTER\nVI_2 MASTER\n")


async def test_one_connection_carries_many_requests_also_when_they_come_at_once(site, house):
    house.start()
    one = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    said = await site.talk(3 * one + b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + 40000 * b"x", 431),
        (b"GET /" + 40000 * b"x" + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET //[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        (b"GET /%ff%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /%2e%2e/page.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
async def test_what_is_wrong_is_answered_by_its_code(site, sent, code):
    said = await site.talk(sent)
    assert said.split(b"\r\n")[0].split()[1] == str(code).encode()


async def test_a_body_is_not_read_and_ends_the_connection(site, house):
    house.start()
    for body in (b"Content-Length: 1000000\r\n\r\nxxx", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"):
        said = await site.talk(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + body)
        assert said.count(b"HTTP/1.1") == 1


async def test_a_client_that_is_slow_to_ask_is_dropped(open_site, house):
    async with open_site(house, patience=0.2) as site:
        assert await site.talk(b"") == b"", "who says nothing hears nothing"
        said = await site.talk(b"GET /livez HTTP/1.1\r\nHost: loc")
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"the request did not come within 0.2 s" in said


async def ask_and_ask(stream):
    """Until the kernel takes no more from the server, since nobody takes it from the kernel."""
    while True:
        await stream.send_all(100 * b"GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def test_a_client_that_does_not_read_is_dropped_and_holds_up_nobody(open_site, house):
    house.start()
    async with open_site(house, patience=0.3) as site:
        lazy = await site.connect()
        with trio.fail_after(PATIENCE), pytest.raises(trio.BrokenResourceError):
            await ask_and_ask(lazy)
        assert (await site.get("/livez")).status == 200


async def test_more_connections_than_there_may_be_are_told_so(open_site, house, eventually):
    house.start()
    async with open_site(house, connections=10) as site:
        streams = [await site.connect() for _ in range(10)]
        answer = await site.get("/livez")
        assert (answer.status, answer.text) == (503, "10 connections are open: that is all there may be\n")
        await streams.pop().aclose()

        async def is_served():
            return (await site.get("/livez")).status == 200

        await eventually(is_served)


async def test_event_streams_leave_room_for_health_checks(open_site, house):
    house.start()
    async with open_site(house, connections=10) as site:
        listeners = [await site.listen() for _ in range(7)]
        for each in listeners:
            await each.frame("status")
        refused = await site.get("/events")
        assert (refused.status, "7 event streams are open" in refused.text) == (503, True)
        assert (await site.get("/livez")).status == 200


async def test_a_mistake_of_ours_is_one_answer_and_not_the_end(site, house, monkeypatch, capsys):
    house.start()
    await site.get("/livez")
    monkeypatch.setattr("hafw_web.routes.health.ready", lambda _status: 1 / 0)
    assert (await site.get("/readyz")).status == 500
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert (await site.get("/livez")).status == 200
