"""Messages through the real library to a real receiver: apprise's own ``json://``."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path

import pytest
from hafw_apprise import Teller
from hafw_apprise.options import Options
from hafw_apprise.service import instance_of

from hafw.api import Address, Duration, Router, Secret, StateChange
from hafw.config.convert import convert
from hafw.testing import Delay, HttpReceiver

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of apprise itself
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
ROUTER = Router(
    name="VI_1",
    vrid=51,
    version=3,
    priority=150,
    interface="eth0",
    addresses=(Address(address="192.0.2.10", prefixlen=32, interface="eth0"),),
)


def change_to(new, **more):
    fields = {"old": "BACKUP", "reason": "no-response", "priority": 100, "instance": "VI_1"}
    return StateChange(seq=1, time="2026-11-22T21:14:02.118Z", new=new, **{**fields, **more})


@pytest.fixture
def receiver():
    """``receiver(step, ...)``: one more, which answers so, and then that all is well."""
    with contextlib.ExitStack() as stack:

        def start(*steps):
            server = stack.enter_context(HttpReceiver())
            server.script(*steps)
            return server

        yield start


def url_of(server):
    return f"json://me:s3cr3tpass@{server.address}/t0ps3cr3t"


def heard(server):
    return [each.json() for each in server.received]


class Clock:
    def __init__(self):
        self.now, self.pauses = 0.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def configured(monkeypatch):
    monkeypatch.setenv("HAFW_NODE", "lb1")

    def configure(*urls, **options):
        plugin = Teller()
        plugin.configure(Options(urls=[Secret(each) for each in urls], **options), (ROUTER,))
        for each in plugin._services:
            each.clock, each.chance = Clock(), lambda: 0.0
        return plugin

    return configure


def test_a_message_has_a_title_the_details_and_a_kind(receiver, configured):
    server = receiver()
    outcome = configured(url_of(server)).became_master(ROUTER, change_to("MASTER"))
    assert outcome == {"output": "told urls[0] json", "exit": 0}
    (told,) = heard(server)
    assert told["title"] == "[hafw] lb1 VI_1: BACKUP -> MASTER"
    assert told["message"].startswith("VI_1 on lb1 is now MASTER, it was BACKUP.\n\nwhen: 2026-11-22T21:14:02.118Z\n")
    assert "\nwhy: no-response\n" in told["message"]
    assert told["type"] == "success"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "split_brain"}, "failure"),
        ({"type": "stall"}, "warning"),
        ({"type": "split_brain_over"}, "success"),
        ({"type": "announced"}, "info"),
    ],
)
def test_the_kind_follows_from_what_happened(event, kind, receiver, configured):
    server = receiver()
    configured(url_of(server), on=(event["type"],)).event({"seq": 1, "time": "x", **event})
    assert heard(server)[0]["type"] == kind


def test_only_what_on_and_instances_name_is_told(receiver, configured):
    server = receiver()
    plugin = configured(url_of(server), on=("fault",), instances=("VI_1",))
    assert plugin.became_master(ROUTER, change_to("MASTER")) is None
    assert plugin.faulted(ROUTER, change_to("FAULT", instance="VI_2")) is None
    assert plugin.faulted(ROUTER, change_to("FAULT"))["exit"] == 0
    assert len(server.received) == 1


def test_what_a_service_does_not_take_is_tried_again(receiver, configured):
    server = receiver(500, 503)
    plugin = configured(url_of(server))
    assert plugin.became_master(ROUTER, change_to("MASTER"))["exit"] == 0
    assert plugin._services[0].clock.pauses == [1.0, 2.0]


def test_after_patience_it_says_in_apprises_words_why_and_shows_no_secret(receiver, configured):
    server = receiver(*[500] * 20)
    outcome = configured(url_of(server), patience=Duration(30)).became_master(ROUTER, change_to("MASTER"))
    assert outcome["exit"] == 1
    assert outcome["output"].startswith("urls[0] json: given up after 5 attempts in 15s: ")
    assert "500" in outcome["output"]
    assert "s3cr3t" not in outcome["output"]


def test_one_service_that_fails_does_not_keep_the_others_from_being_told(receiver, configured):
    good, bad = receiver(), receiver(*[500] * 20)
    outcome = configured(url_of(bad), url_of(good), patience=Duration(30)).became_master(ROUTER, change_to("MASTER"))
    assert outcome["output"].startswith("told urls[1] json; urls[0] json: given up after 5 attempts")
    assert len(good.received) == 1


def test_a_service_that_hangs_costs_no_more_than_the_timeout(receiver, configured):
    server = receiver(*[Delay(20)] * 5)
    plugin = configured(f"{url_of(server)}?rto=15", timeout=Duration(0.3), patience=Duration(1))
    outcome = plugin.became_master(ROUTER, change_to("MASTER"))
    said = "given up after 1 attempt in 0s: no end within 0.3s: is there a firewall or a busy service?"
    assert outcome["output"] == f"urls[0] json: {said}"


def test_what_a_template_names_is_filled_in_and_a_long_text_is_cut(receiver, configured):
    server = receiver()
    plugin = configured(url_of(server), title="{what}", body="{node}|{instance}|{reason}|{time}")
    plugin.became_master(ROUTER, change_to("MASTER", reason="x{node}\n" + "y" * 9000))
    (told,) = heard(server)
    assert told["title"] == "BACKUP -> MASTER"
    assert told["message"].startswith("lb1|VI_1|x{node}\nyyy")
    assert len(told["message"]) == 4000


def test_the_deadline_leaves_time_for_all_attempts(configured):
    assert configured("json://localhost", patience=Duration(60)).deadline == 70


def refusal(configured, *urls, **options):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
        configured(*urls, **options)
    return str(caught.value).splitlines()


WIKI = "https://github.com/caronc/apprise/wiki has every service"
FIELDS = "the fields are {node}, {instance}, {what}, {reason}, {text}, {details}, {time}"


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3cr3t", {}, 'urls[0]: must be a URL of apprise, such as "tgram://TOKEN/CHAT"'),
        ("nosuch://s3cr3t", {},
         f"urls[0]: apprise does not understand it: something is missing or misspelt: {WIKI} (nosuch://...)"),
        ("json://x", {"title": "{host}"}, 'title: = "{host}": {host} is no plain field: ' + FIELDS),
        ("json://x", {"body": "{node.x}"}, 'body: = "{node.x}": {node.x} is no plain field: ' + FIELDS),
        ("json://x", {"body": " "}, "body: is empty: most services refuse a message without one"),
        ("json://x", {"instances": ("VI_9",)}, 'instances[0]: = "VI_9": must be one of VI_1'),
        ("json://x", {"patience": Duration(5)}, "timeout: is longer than patience, which is for all attempts"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(url, options, said, configured):
    lines = refusal(configured, url, **options)
    assert lines == [said]
    assert "s3cr3t" not in said


def test_the_examples_of_the_documentation_are_read_and_understood_by_apprise():
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    table = tomllib.loads(block)["plugin"]["apprise"]
    assert table.pop("urls") == ["file:/etc/hafw/telegram.url", "file:/etc/hafw/matrix.url"]
    options, problems = convert({**table, "urls": ["json://x"]}, Options, "plugin.apprise")
    assert problems == []
    assert options == Options(urls=[Secret("json://x")])
    for url in re.findall(r"`(\w+://[^`]+)`", README):
        assert instance_of(url) is not None, url
