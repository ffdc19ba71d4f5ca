"""Messages to real receivers: taken, refused, late, cut, and tried again by a clock that does not wait."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from hafw_webhook.patience import AGAIN, seconds_of

from hafw.api import Duration, Group, GroupChange, Secret
from hafw.patience import backoff

TIMEOUT = Duration(0.2)


def refusal(plugin, world, **change):
    outcome = plugin.became_master(world.router, world.change_to(**change))
    assert outcome["exit"] == 1
    return outcome["output"]


def host(server):
    return f"127.0.0.1:{server.server_port}"


def test_a_change_arrives_as_the_event_of_the_stream_with_its_node_and_a_sentence(receiver, configured, world):
    server = receiver()
    outcome = configured(server.url).became_master(world.router, world.change_to())
    assert outcome == {"output": f"told {host(server)}", "exit": 0}
    assert server.bodies == [
        {
            "type": "state_changed",
            "seq": 4711,
            "run": "run1",
            "time": "2026-11-22T21:14:02.118Z",
            "instance": "VI_1",
            "vrid": 51,
            "interface": "eth0",
            "from": "BACKUP",
            "to": "MASTER",
            "reason": "no-response",
            "priority": 100,
            "addresses": ["192.0.2.10"],
            "peer": "192.0.2.2",
            "id": "change.4711.VI-1.run1@lb1",
            "node": "lb1",
            "severity": "good",
            "text": "VI_1 on lb1 is now MASTER, it was BACKUP.",
        }
    ]
    path, headers, _ = server.heard[0]
    assert path == "/hook/s3cr3t?key=s3cr3t"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "change.4711.VI-1.run1@lb1"
    assert headers["User-Agent"].startswith("hafw/")
    assert "X-Hafw-Signature" not in headers


def test_only_what_on_and_instances_name_is_told(receiver, configured, world):
    server = receiver()
    plugin = configured(server.url, on=("fault", "split_brain", "stall"), instances=("VI_1",))
    assert plugin.became_master(world.router, world.change_to()) is None
    assert plugin.faulted(world.router, world.change_to("FAULT"))["exit"] == 0
    assert plugin.event({"type": "split_brain", "instance": "VI_2", "seq": 1, "time": ""}) is None
    assert plugin.event({"type": "state_changed", "instance": "VI_1", "seq": 2, "time": ""}) is None
    assert plugin.event({"type": "split_brain", "instance": "VI_1", "seq": 3, "time": "x"})["exit"] == 0
    assert plugin.event({"type": "stall", "seq": 4, "time": "x", "seconds": 2})["exit"] == 0
    assert [body["type"] for body in server.bodies] == ["state_changed", "split_brain", "stall"]


def test_bound_addresses_are_one_message_however_many_they_are(receiver, configured):
    server = receiver()
    plugin = configured(server.url, on=("vip_bound",))
    assert plugin.event({"type": "takeover_complete", "instance": "VI_1", "seq": 1, "time": "x"})["exit"] == 0
    assert plugin.event({"type": "vip_released", "instance": "VI_1", "seq": 2, "time": "x"}) is None
    assert [body["type"] for body in server.bodies] == ["takeover_complete"]


def test_a_group_is_told_with_its_members(receiver, configured):
    server = receiver()
    plugin = configured(server.url, on=("group_changed",), instances=("VI_1",))
    members = ("VI_1", "VI_2")
    fields = {"seq": 9, "time": "x", "old": "BACKUP", "new": "FAULT", "reason": "link-down", "instance": "VI_1"}
    ours = GroupChange(group="VG_1", members=members, **fields)
    assert plugin.group_changed(Group(name="VG_1", members=members), ours)["exit"] == 0
    foreign = GroupChange(group="VG_2", members=("VI_3",), **fields)
    assert plugin.group_changed(Group(name="VG_2", members=("VI_3",)), foreign) is None
    (told,) = server.bodies
    assert (told["group"], told["members"], told["to"], told["severity"]) == ("VG_1", list(members), "FAULT", "bad")


def test_told_again_after_a_crash_it_has_the_same_idempotency_key_and_another_change_has_not(
    receiver, configured, world
):
    server = receiver()
    configured(server.url).became_master(world.router, world.change_to())
    configured(server.url).became_master(world.router, world.change_to())
    configured(server.url).became_master(world.router, world.change_to(attempt=2))
    configured(server.url).became_master(world.router, world.change_to(seq=4712))
    configured(server.url).became_master(world.router, world.change_to(run="run2"))
    first, again, later, *others = (headers["Idempotency-Key"] for _, headers, _ in server.heard)
    assert first == again == later
    assert len({first, *others}) == 3


def test_changes_that_gave_way_are_told_with_the_one_that_took_their_place(receiver, configured, world):
    server = receiver()
    configured(server.url).became_master(world.router, world.change_to(missed=3, replayed=True))
    ((told,),) = [server.bodies]
    assert (told["missed"], told["replayed"]) == (3, True)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_be_taken_later_is_tried_again_after_longer_and_longer_pauses(status, receiver, configured, world):
    server = receiver(status, status, status, status)
    plugin = configured(server.url)
    assert plugin.became_master(world.router, world.change_to())["exit"] == 0
    assert world.clock_of(plugin).pauses == [1.0, 2.0, 4.0, 8.0]
    keys = {headers["Idempotency-Key"] for _, headers, _ in server.heard}
    assert (len(server.heard), len(keys)) == (5, 1)


def test_chance_shortens_a_pause_by_at_most_a_half_and_a_minute_is_the_longest():
    assert [backoff(number, 0.0) for number in (1, 2, 6, 7, 8, 1000)] == [1, 2, 32, 60, 60, 60]
    assert backoff(3, 1.0) == 2.0


def test_when_patience_is_over_it_is_given_up_with_the_reason_and_what_to_do(receiver, configured, world):
    server = receiver(*[(500, {}, "database is gone")] * 20)
    plugin = configured(server.url, patience=Duration(30))
    assert refusal(plugin, world) == (
        f"{host(server)}: given up after 5 attempts in 15s: HTTP 500 Internal Server Error (database is gone): "
        "it is in trouble: its own log says more"
    )
    assert sum(world.clock_of(plugin).pauses) < 30


def test_nothing_is_sent_before_the_time_that_the_receiver_names_not_even_of_another_instance(
    receiver, configured, world
):
    server = receiver((429, {"Retry-After": "25"}, ""), (503, {"Retry-After": "0.5"}, ""))
    plugin = configured(server.url)
    assert plugin.became_master(world.router, world.change_to())["exit"] == 0
    assert world.clock_of(plugin).pauses == [25.0, 2.0]
    server.answers += [(429, {"Retry-After": "200"}, "")] * 2
    assert "given up after 2 attempts" in refusal(plugin, world)
    assert plugin.became_master(world.router, world.change_to(instance="VI_2"))["exit"] == 0
    assert world.clock_of(plugin).pauses[2:] == [200.0, 200.0]


def test_who_asks_for_more_time_than_there_is_patience_is_not_asked_in_vain(receiver, configured, world):
    server = receiver((503, {"Retry-After": "7200"}, ""))
    plugin = configured(server.url)
    assert "given up after 1 attempt in 0s: HTTP 503" in refusal(plugin, world)
    assert "given up after 0 attempts in 0s: it asked not to be told anything for now" in refusal(plugin, world)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("0.3", 0.3), ("Sun, 22 Nov 2026 21:15:02 GMT", 60), ("Sun, 22 Nov 2026 21:13:02 GMT", 0)]
    + [(text, 0) for text in ("", "-5", "nan", "inf", "soon", "Sun, 99 Nov 2026 21:15:02 GMT", "9" * 400)],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_counts_as_nothing(text, seconds):
    assert seconds_of(text, 1795382042.0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (301, "a redirect is not followed, for it would hand on what is secret: put the new URL into url"),
        (400, "it does not understand the message: look at shape and template"),
        (401, "it refuses us: look whether url, headers and token are what it gave out"),
        (404, "it has no such hook: make a new one there, and put its URL into url"),
        (410, "it has no such hook: make a new one there, and put its URL into url"),
        (413, "the message is too long for it: shorten template"),
    ],
)
def test_what_is_refused_for_good_is_not_tried_again(status, advice, receiver, configured, world):
    server = receiver((status, {"Location": "http://elsewhere.example/"}, ""))
    plugin = configured(server.url)
    said = refusal(plugin, world)
    assert said.startswith(f"{host(server)}: HTTP {status} ")
    assert said.endswith(advice)
    assert (len(server.heard), world.clock_of(plugin).pauses) == (1, [])


def test_every_other_status_of_the_four_hundreds_is_final_and_no_five_hundred_is():
    assert [status for status in range(300, 600) if status in AGAIN] == [408, 425, 429, *range(500, 600)]


def test_no_part_of_a_secret_comes_back_in_what_a_receiver_says(receiver, configured, world):
    echo = "no hook at /hook/s3cr3t?key=s3cr3t for Bearer t0psecret and signing-key-of-ours"
    server = receiver((404, {}, echo))
    plugin = configured(
        server.url, headers={"Authorization": Secret("Bearer t0psecret")}, secret=Secret("signing-key-of-ours")
    )
    said = refusal(plugin, world)
    assert "no hook at ... for ... and ..." in said
    assert server.heard[0][1]["Authorization"] == "Bearer t0psecret"


def test_a_long_answer_is_read_for_its_beginning_only(receiver, configured, world):
    server = receiver((400, {}, "x" * 5_000_000))
    assert f"({'x' * 200})" in refusal(configured(server.url), world)


def test_two_receivers_are_told_and_the_one_that_refuses_is_named(receiver, configured, world):
    good, bad = receiver(), receiver(404)
    outcome = configured([good.url, bad.url]).became_master(world.router, world.change_to())
    assert outcome["exit"] == 1
    assert outcome["output"].startswith(f"told url[0] {host(good)}; url[1] {host(bad)}: HTTP 404 Not Found")
    assert len(good.heard) == 1


def test_nobody_listens(configured, world, free_port):
    plugin = configured(f"http://127.0.0.1:{free_port}/")
    assert refusal(plugin, world).endswith("connection refused")
    assert len(world.clock_of(plugin).pauses) == 9


def test_a_name_that_does_not_exist(configured, world):
    said = refusal(configured("http://hook.invalid/", patience=Duration(10)), world)
    assert "its name cannot be resolved" in said
    assert "look at url and at this machine's resolver" in said


def silent(conversation):
    conversation.server.over.wait(20)


def drip(conversation):
    """A header that never ends, octet by octet: each one comes well within any timeout of a single read."""
    conversation.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not conversation.server.over.wait(0.01):
        conversation.wfile.write(b".")


def cut(conversation):
    conversation.wfile.write(b"HTTP/1.1 2")
    conversation.connection.shutdown(socket.SHUT_RDWR)


def babble(conversation):
    conversation.wfile.write(b"SSH-2.0-OpenSSH\r\n")
    conversation.connection.shutdown(socket.SHUT_RDWR)


def endless(conversation):
    conversation.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(300)) + b"\r\n")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (silent, "the answer took longer than 0.2s: is there a firewall or a busy receiver?"),
        (drip, "the answer took longer than 0.2s: is there a firewall or a busy receiver?"),
        (cut, "no valid HTTP answer"),
        (babble, "no valid HTTP answer (SSH-2.0-OpenSSH)"),
        (endless, "no valid HTTP answer (got more than 100 headers)"),
    ],
)
def test_whatever_a_receiver_does_the_attempt_ends_and_is_made_again(trouble, said, receiver, configured, world):
    server = receiver(trouble)
    plugin = configured(server.url, timeout=TIMEOUT, connect_timeout=TIMEOUT)
    assert plugin.became_master(world.router, world.change_to())["exit"] == 0
    assert len(server.heard) >= 2
    server.answers += [trouble]
    hasty = configured(server.url, timeout=TIMEOUT, connect_timeout=TIMEOUT, patience=Duration(1))
    assert said in refusal(hasty, world)


def test_no_thread_is_left_of_an_attempt_that_took_too_long(receiver, configured, world):
    server = receiver(drip)
    before = set(threading.enumerate())
    plugin = configured(server.url, timeout=TIMEOUT, connect_timeout=TIMEOUT)
    assert plugin.became_master(world.router, world.change_to())["exit"] == 0
    ours = [thread for thread in set(threading.enumerate()) - before if thread.name == "post"]
    for thread in ours:
        thread.join(10)
    assert [thread for thread in ours if thread.is_alive()] == []


def test_a_receiver_that_takes_connections_and_never_speaks_tls_ends_in_time(configured, world):
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        url = f"https://127.0.0.1:{silent_server.getsockname()[1]}/"
        said = refusal(configured(url, timeout=TIMEOUT, connect_timeout=TIMEOUT, patience=Duration(3)), world)
    assert "TLS took longer than 0.2s" in said


def test_a_certificate_is_verified_and_one_of_an_own_authority_is_trusted_with_ca_file(
    receiver, configured, world, tls, certificate
):
    server = receiver(tls=tls)
    plugin = configured(server.url)
    assert refusal(plugin, world) == (
        f"{host(server)}: certificate refused: self-signed certificate: if it is of your own authority, set ca_file"
    )
    assert (server.heard, world.clock_of(plugin).pauses) == ([], [])
    trusting = configured(server.url, ca_file=str(certificate / "cert.pem"))
    assert trusting.became_master(world.router, world.change_to())["exit"] == 0
    assert len(server.heard) == 1


def test_plain_http_where_tls_is_spoken_is_named(receiver, configured, world):
    server = receiver()
    said = refusal(configured(server.url.replace("http:", "https:"), patience=Duration(10)), world)
    assert "no TLS (" in said
    assert "is it http://, or another port?" in said


@pytest.fixture
def misleading(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


@pytest.mark.usefixtures("misleading")
def test_a_proxy_is_used_as_configured_and_never_from_the_environment(receiver, configured, world, tls, certificate):
    proxy, plain, secured = receiver(), receiver(), receiver(tls=tls)
    assert configured(plain.url).became_master(world.router, world.change_to())["exit"] == 0
    way = {"proxy": Secret(f"http://us%40er:pass@{host(proxy)}"), "ca_file": str(certificate / "cert.pem")}
    assert configured(secured.url, **way).became_master(world.router, world.change_to())["exit"] == 0
    ((where, headers),) = proxy.tunnels
    assert (where, headers["Proxy-Authorization"]) == (host(secured), "Basic dXNAZXI6cGFzcw==")
    assert (len(secured.heard), "Proxy-Authorization" in secured.heard[0][1]) == (1, False)
    assert configured("http://receiver.invalid/x", **way).became_master(world.router, world.change_to())["exit"] == 0
    path, headers, _ = proxy.heard[0]
    assert (path, headers["Host"]) == ("http://receiver.invalid/x", "receiver.invalid")
    assert headers["Proxy-Authorization"] == "Basic dXNAZXI6cGFzcw=="


def test_a_user_of_the_url_becomes_a_header(receiver, configured, world):
    server = receiver()
    assert configured(server.url.replace("//", "//me:secret@")).became_master(world.router, world.change_to())
    path, headers, _ = server.heard[0]
    assert (headers["Authorization"], "secret@" in path) == ("Basic bWU6c2VjcmV0", False)


def test_the_deadline_leaves_time_for_all_attempts(configured):
    assert configured("http://127.0.0.1/", patience=Duration(60)).deadline == 70


def test_a_body_is_ascii_and_survives_any_text(receiver, configured, world):
    server = receiver()
    configured(server.url).became_master(world.router, world.change_to(reason='"}]\u2028\ud800ü'))
    body = server.heard[0][2]
    assert body.isascii()
    assert json.loads(body)["reason"] == '"}]\u2028\ud800ü'
