"""What messages look like, and the limits of Slack and Discord."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from pathlib import Path

import pytest
from hafw_webhook.options import Options
from hafw_webhook.shapes import render
from hafw_webhook.signature import signature

from hafw.api import Address, Router, Secret
from hafw.notification import of_change, of_event

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
LONG = "<!channel> @everyone *_~`|>[x](http://y) & " * 300
MANY = tuple(Address(address=f"2001:db8::{n:x}", prefixlen=128, interface="eth0") for n in range(4000))


def changed(world, **change):
    return of_change("lb1", world.router, world.change_to(**change), change.get("new", "MASTER"), "this router, lb1")


def crowded(world):
    """All that can be long is long."""
    router = Router(name="V" * 200, vrid=1, version=3, priority=1, interface="eth0", addresses=MANY)
    change = world.change_to("FAULT", reason=LONG, instance="V" * 200, peer=LONG)
    return of_change("n" * 300, router, change, "FAULT", LONG)


def event_of_many_fields():
    return of_event("lb1", {"type": "peer_mismatch", "seq": 1, "time": "x", **{f"k{n}": LONG for n in range(60)}}, LONG)


def rendered(notification, **options):
    found = render(Options(url=Secret("https://x/"), **options), notification, "lb1")
    return json.loads(found.body) if found.kind == "application/json" else found.body.decode()


def test_slack_gets_a_sentence_and_the_details_in_a_colour(world):
    told = rendered(changed(world), shape="slack")
    assert told["text"] == "VI_1 on lb1 is now MASTER, it was BACKUP."
    (attachment,) = told["attachments"]
    assert attachment["color"] == "#2eb67d"
    (section,) = attachment["blocks"]
    assert {"type": "mrkdwn", "text": "*why*\nno-response"} in section["fields"]


@pytest.mark.parametrize("make", [crowded, lambda _: event_of_many_fields()])
def test_slack_is_never_sent_more_than_it_takes(make, world):
    """https://api.slack.com/reference/block-kit/blocks#section: 10 fields, 2,000 characters each; 3,000 of a text."""
    told = rendered(make(world), shape="slack")
    assert set(told) == {"text", "attachments"}
    assert 1 <= len(told["text"]) <= 3000
    for block in told["attachments"][0]["blocks"]:
        assert 1 <= len(block["fields"]) <= 10
        assert all(1 <= len(field["text"]) <= 2000 for field in block["fields"])
    assert "<" not in json.dumps(told["attachments"][0]["blocks"])


def test_discord_gets_an_embed_and_calls_nobody(world):
    told = rendered(changed(world), shape="discord")
    assert told["allowed_mentions"] == {"parse": []}
    (embed,) = told["embeds"]
    assert embed["title"] == "VI_1: BACKUP -> MASTER"
    assert embed["timestamp"] == "2026-11-22T21:14:02.118000+00:00"
    assert {"name": "why", "value": "no-response", "inline": True} in embed["fields"]


@pytest.mark.parametrize("make", [crowded, lambda _: event_of_many_fields()])
def test_discord_is_never_sent_more_than_it_takes(make, world):
    """https://discord.com/developers/docs/resources/message#embed-object-embed-limits."""
    (embed,) = rendered(make(world), shape="discord")["embeds"]
    assert 1 <= len(embed["title"]) <= 256
    assert 1 <= len(embed["description"]) <= 4096
    assert len(embed["fields"]) <= 25
    assert all(1 <= len(f["name"]) <= 256 and 1 <= len(f["value"]) <= 1024 for f in embed["fields"])
    assert len(embed["footer"]["text"]) <= 2048
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [f[key] for f in embed["fields"] for key in ("name", "value")]
    assert sum(map(len, texts)) <= 6000
    assert embed["fields"], "so much is cut, and something is told"


def test_a_masked_link_in_a_reason_is_none(world):
    (embed,) = rendered(changed(world, reason="[click](https://evil.example)"), shape="discord")["embeds"]
    assert next(f["value"] for f in embed["fields"] if f["name"] == "why") == r"\[click\]\(https://evil.example\)"


def test_a_template_becomes_json_with_values_that_keep_their_type_where_they_stand_alone(world):
    template = {
        "summary": "{node} {instance}: {what}",
        "priority": "{priority}",
        "key": "{token}",
        "nested": {"list": ["{addresses}", "at {addresses}", 7, True], "none": "{{node}}"},
    }
    told = rendered(changed(world, reason='"},{"x'), template=template, token=Secret("t0ken"))
    assert told == {
        "summary": "lb1 VI_1: BACKUP -> MASTER",
        "priority": 100,
        "key": "t0ken",
        "nested": {"list": [["192.0.2.10"], "at 192.0.2.10", 7, True], "none": "{node}"},
    }


def test_values_cannot_break_out_of_the_json_of_a_template(world):
    told = rendered(changed(world, reason='"},"admin":"{token}\n'), template={"why": "{reason}"}, token=Secret("t0ken"))
    assert told == {"why": '"},"admin":"{token}\n'}


def test_what_an_event_does_not_have_is_empty_in_a_template():
    told = rendered(
        of_event("lb1", {"type": "stall", "seq": 1, "time": "x"}, ""), template={"a": "{peer}", "b": "[{to}]"}
    )
    assert told == {"a": "", "b": "[]"}


def test_a_template_that_is_a_string_is_sent_as_text(world):
    text = rendered(changed(world), template="{text}\n{details}")
    assert text.startswith("VI_1 on lb1 is now MASTER, it was BACKUP.\nwhen: 2026-11-22T21:14:02.118Z\nwhy: no-resp")


def verification():
    """The function of the README."""
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(compile(snippet, "README.md", "exec"), names)
    return names["is_genuine"]


def test_the_function_of_the_documentation_accepts_what_a_plugin_signed_and_nothing_else(receiver, configured, world):
    server = receiver()
    key = "0123456789abcdef"
    plugin = configured(server.url, secret=Secret(key))
    world.clock_of(plugin).time = time.time
    plugin.became_master(world.router, world.change_to())
    _, headers, body = server.heard[0]
    is_genuine, header = verification(), headers["X-Hafw-Signature"]
    assert is_genuine(header, body, key.encode())
    assert not is_genuine(header, body + b" ", key.encode())
    assert not is_genuine(header, body, b"another key of sixteen")
    assert not is_genuine(header.replace("t=1", "t=2"), body, key.encode())
    for damaged in ("", "t=", "v1=", "t=x,v1=y", header.partition(",")[0], "t=٣,v1=0", "t=-1,v1=0", "é"):
        assert not is_genuine(damaged, body, key.encode())


def test_a_recorded_message_is_refused_when_it_is_old():
    key, body, now = b"0123456789abcdef", b"{}", int(time.time())
    assert verification()(signature(key, now - 60, body), body, key)
    assert not verification()(signature(key, now - 900, body), body, key)
    assert not verification()(signature(key, now + 900, body), body, key)


def test_every_attempt_is_signed_anew(receiver, configured, world):
    server = receiver(503, 503)
    configured(server.url, secret=Secret("0123456789abcdef")).became_master(world.router, world.change_to())
    moments = [headers["X-Hafw-Signature"].partition(",")[0] for _, headers, _ in server.heard]
    assert moments == ["t=1795468442", "t=1795468443", "t=1795468445"]


def test_a_signature_is_hmac_sha256_over_the_time_a_dot_and_the_body():
    digest = hmac.new(b"k" * 16, b"1795468442.{}", hashlib.sha256).hexdigest()
    assert signature(b"k" * 16, 1795468442, b"{}") == f"t=1795468442,v1={digest}"
