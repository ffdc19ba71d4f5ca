from __future__ import annotations

import socket
from functools import partial

import pytest
from hafw_notify_email import NotifyEmail, Options, server_of
from hafw_notify_email.mail import message
from hafw_notify_email.smtp import deliver

from hafw.api import Address, Duration, Router, Secret, StateChange
from hafw.config.convert import convert
from hafw.notification import of_change
from hafw.testing import Cut

ROUTER = Router(
    name="VI_1",
    vrid=51,
    version=3,
    priority=150,
    interface="eth0",
    addresses=(Address(address="192.0.2.10", prefixlen=32, interface="eth0"),),
)
CHANGE = StateChange(
    seq=4711,
    time="2026-11-22T21:14:02.118Z",
    instance="VI_1",
    old="BACKUP",
    new="MASTER",
    reason="no-response",
    priority=100,
    peer="192.0.2.2",
)
WHOM = {"from_": "hafw@example.com", "to": ["ops@example.com", "Night <night@example.com>"]}


def configured(**options: object) -> NotifyEmail:
    plugin = NotifyEmail()
    plugin.configure(Options(**(WHOM | options)))
    return plugin


@pytest.fixture
def on_lb1(monkeypatch):
    monkeypatch.setenv("HAFW_NODE", "lb1")


@pytest.mark.usefixtures("on_lb1")
def test_a_mail_says_what_when_why_and_who_is_master_now(smtp_server):
    smtp = smtp_server.address
    outcome = configured(smtp=smtp).became_master(ROUTER, CHANGE)
    assert outcome == {"output": f"sent to ops@example.com, Night <night@example.com> by {smtp}", "exit": 0}
    (kept,) = smtp_server.received
    mail = kept.message
    assert kept.sender == "hafw@example.com"
    assert kept.recipients == ("ops@example.com", "night@example.com")
    assert mail["Subject"] == "[hafw] lb1 VI_1: BACKUP -> MASTER"
    assert mail["Date"] == "Sun, 22 Nov 2026 21:14:02 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert kept.body == (
        "VI_1 on lb1 is now MASTER, it was BACKUP.\n"
        "\n"
        "when        2026-11-22T21:14:02.118Z\n"
        "why         no-response\n"
        "MASTER now  this router, lb1\n"
        "priority    100\n"
        "heard last  192.0.2.2\n"
        "interface   eth0, VRID 51\n"
        "addresses   192.0.2.10\n"
        "\n"
        "-- \n"
        "hafw on lb1\n"
    )


def test_told_twice_it_is_the_same_message(smtp_server):
    plugin = configured(smtp=smtp_server.address)
    plugin.became_master(ROUTER, CHANGE)
    plugin.became_master(ROUTER, CHANGE)
    first, second = (kept.message["Message-ID"] for kept in smtp_server.received)
    assert first == second
    assert first.startswith("<change.4711.VI-1.20261122211402118000@")


@pytest.mark.parametrize(("hook", "new", "word", "master"), [
    ("became_backup", "BACKUP", "backup", "192.0.2.2"),
    ("faulted", "FAULT", "fault", "192.0.2.2"),
    ("stopped", "STOP", "stop", "192.0.2.2"),
])  # fmt: skip
def test_every_state_has_its_word_and_is_silent_without_it(smtp_server, hook, new, word, master):
    change = StateChange(
        seq=1, time="2026-11-22T21:14:02.118Z", instance="VI_1", old="MASTER", new=new, reason="x", priority=1,
        peer="192.0.2.2",
    )  # fmt: skip
    smtp = smtp_server.address
    getattr(configured(smtp=smtp, on=(word,)), hook)(ROUTER, change)
    others = tuple({"master", "backup", "fault", "stop"} - {word})
    assert getattr(configured(smtp=smtp, on=others), hook)(ROUTER, change) is None
    (kept,) = smtp_server.received
    assert f": MASTER -> {new}" in kept.message["Subject"]
    assert f"MASTER now  {master}\n" in kept.body


@pytest.mark.usefixtures("on_lb1")
def test_an_event_is_told_with_its_fields_and_the_master_known_last(smtp_server):
    plugin = configured(smtp=smtp_server.address, on=("split_brain",))
    plugin.became_master(ROUTER, CHANGE)
    plugin.event(
        {"seq": 9, "time": "2026-11-22T21:15:00Z", "type": "split_brain", "instance": "VI_1", "peer": "192.0.2.3"}
    )
    assert plugin.event({"seq": 10, "time": "2026-11-22T21:15:00Z", "type": "announced", "instance": "VI_1"}) is None
    (kept,) = smtp_server.received
    assert kept.message["Subject"] == "[hafw] lb1 VI_1: split_brain"
    assert kept.body.startswith(
        "VI_1 on lb1: split brain.\n\n"
        "when        2026-11-22T21:15:00Z\nMASTER now  this router, lb1\npeer        192.0.2.3\n"
    )


def test_an_event_that_could_not_be_mailed_is_a_failure_with_its_reason(smtp_server):
    smtp_server.script("554 no")
    smtp = smtp_server.address
    outcome = configured(smtp=smtp, on=("split_brain",)).event({"seq": 9, "time": "", "type": "split_brain"})
    assert outcome == {"output": f"not sent, {smtp}: 554 no", "exit": 1}


def test_a_line_end_in_a_reason_does_not_become_a_header(smtp_server):
    plugin = configured(smtp=smtp_server.address, on=("flapping",), subject="{what} {reason}")
    plugin.event({"type": "flapping", "time": "x", "reason": "a\r\nBcc: everybody@example.com"})
    (kept,) = smtp_server.received
    mail = kept.message
    assert mail["Subject"] == "flapping a Bcc: everybody@example.com"
    assert mail["Bcc"] is None
    assert len(kept.recipients) == 2


def test_starttls_auto_is_used_when_offered_whatever_the_certificate(smtp_server, tls):
    smtp_server.starttls = tls
    configured(smtp=smtp_server.address).became_master(ROUTER, CHANGE)
    assert [kept.encrypted for kept in smtp_server.received] == [True]


def test_starttls_never_is_plain_although_it_is_offered(smtp_server, tls):
    smtp_server.starttls = tls
    configured(smtp=smtp_server.address, starttls="never").became_master(ROUTER, CHANGE)
    assert [kept.encrypted for kept in smtp_server.received] == [False]


def test_starttls_always_verifies_the_certificate(smtp_server, tls, certificate):
    smtp_server.starttls = tls
    smtp = smtp_server.address
    outcome = configured(smtp=smtp, starttls="always").became_master(ROUTER, CHANGE)
    assert outcome == {"output": f"not sent, {smtp}: certificate refused: self-signed certificate", "exit": 1}
    trusted = configured(smtp=smtp, starttls="always", ca_file=str(certificate / "cert.pem"))
    assert trusted.became_master(ROUTER, CHANGE)["exit"] == 0
    assert [kept.encrypted for kept in smtp_server.received] == [True]


def test_starttls_always_sends_nothing_to_a_server_without_it(smtp_server):
    smtp = smtp_server.address
    outcome = configured(smtp=smtp, starttls="always").became_master(ROUTER, CHANGE)
    assert outcome == {"output": f"not sent, {smtp}: STARTTLS extension not supported by server.", "exit": 1}
    assert smtp_server.attempts == 0


def test_smtps_is_encrypted_from_the_first_octet(smtp_server, tls, certificate):
    smtp_server.tls = tls
    plugin = configured(smtp=smtp_server.address, tls=True, ca_file=str(certificate / "cert.pem"))
    assert plugin.became_master(ROUTER, CHANGE)["exit"] == 0
    assert smtp_server.attempts == 1


@pytest.fixture
def with_login(smtp_server, tls, certificate):
    smtp_server.starttls, smtp_server.users = tls, {"hafw": "secret"}
    return partial(configured, smtp=smtp_server.address, username="hafw", ca_file=str(certificate / "cert.pem"))


def test_a_login_is_sent_over_starttls(with_login, smtp_server):
    assert with_login(password=Secret("secret")).became_master(ROUTER, CHANGE)["exit"] == 0
    assert smtp_server.logins == [("hafw", "secret")]
    assert [(kept.encrypted, kept.login) for kept in smtp_server.received] == [(True, "hafw")]


def test_a_wrong_password_is_said_without_showing_it_and_is_not_tried_with_new_connections(with_login, smtp_server):
    outcome = with_login(password=Secret("wrong-one")).became_master(ROUTER, CHANGE)
    assert outcome == {
        "output": f"not sent, {smtp_server.address}: 535 5.7.8 Authentication credentials invalid",
        "exit": 1,
    }
    assert smtp_server.attempts == 0


def test_a_login_is_not_sent_to_a_server_whose_certificate_is_not_verified(with_login, smtp_server):
    outcome = with_login(password=Secret("secret"), ca_file="").became_master(ROUTER, CHANGE)
    assert outcome["output"] == f"not sent, {smtp_server.address}: certificate refused: self-signed certificate"
    assert smtp_server.logins == []


def try_sending(smtp: str, timeout: float = 30) -> tuple[dict, list[float]]:
    """Deliver one mail with a clock that does not wait; gives the outcome and the pauses."""
    options = Options(smtp=smtp, **WHOM)
    mail = message(of_change("lb1", ROUTER, CHANGE, "MASTER", "this router"), "lb1", "s", options.from_, options.to)
    pauses = []
    return deliver(server_of(options), mail, timeout, sleep=pauses.append), pauses


def test_a_server_that_fails_twice_is_tried_a_third_time(smtp_server):
    smtp_server.script("451 try later", Cut())
    outcome, pauses = try_sending(smtp_server.address)
    assert outcome["exit"] == 0
    assert pauses == [1.0, 5.0]
    assert (smtp_server.attempts, len(smtp_server.received)) == (3, 1)


def test_after_the_third_failure_the_outcome_says_why(smtp_server):
    smtp_server.script(*["451 try later"] * 5)
    smtp = smtp_server.address
    outcome, _ = try_sending(smtp)
    assert outcome == {"output": f"not sent, {smtp} (3 attempts): 451 try later", "exit": 1}
    assert smtp_server.attempts == 3


def test_what_is_refused_for_good_is_not_tried_again(smtp_server):
    smtp_server.script("554 no", "250 never asked")
    smtp = smtp_server.address
    assert try_sending(smtp) == ({"output": f"not sent, {smtp}: 554 no", "exit": 1}, [])


def test_a_dead_server_is_tried_three_times(smtp_server):
    smtp_server.refuse()
    outcome, pauses = try_sending(smtp_server.address)
    assert outcome == {"output": f"not sent, {smtp_server.address} (3 attempts): connection refused", "exit": 1}
    assert pauses == [1.0, 5.0]


def test_an_attempt_that_could_not_end_in_time_is_not_begun(smtp_server):
    smtp_server.refuse()
    outcome, pauses = try_sending(smtp_server.address, timeout=3)
    assert outcome["output"] == f"not sent, {smtp_server.address} (2 attempts): connection refused"
    assert pauses == [1.0]


def test_a_server_that_accepts_and_keeps_silent_costs_no_more_than_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        smtp = f"127.0.0.1:{silent.getsockname()[1]}"
        outcome, pauses = try_sending(smtp, timeout=0.3)
    assert outcome == {"output": f"not sent, {smtp}: Connection unexpectedly closed: timed out", "exit": 1}
    assert pauses == []


def test_recipients_that_are_refused_are_named_and_the_others_get_it(smtp_server):
    smtp = smtp_server.address
    smtp_server.unknown.add("nobody@example.com")
    outcome = configured(smtp=smtp, to=["nobody@example.com", "ops@example.com"]).became_master(ROUTER, CHANGE)
    assert outcome == {
        "output": f"sent by {smtp}, but refused for nobody@example.com (550 no such mailbox)",
        "exit": 1,
    }
    assert [kept.recipients for kept in smtp_server.received] == [("ops@example.com",)]


def test_the_deadline_leaves_time_for_all_attempts():
    assert configured(timeout=Duration(60)).deadline == 65


def refusal(**options: object) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
        configured(**options)
    return str(caught.value).splitlines()


ADDRESS_RULE = 'must be a mail address, such as "ops@example.com" or "Ops <ops@example.com>"'
SMTP_RULE = 'must be host:port, such as "localhost:25" or "[::1]:25"'
FIELDS = "the fields are {node}, {instance}, {what}, {reason}"


@pytest.mark.parametrize(("options", "said"), [
    ({"smtp": "localhost:mail"}, f'smtp: = "localhost:mail": {SMTP_RULE}'),
    ({"smtp": "::1"}, f'smtp: = "::1": {SMTP_RULE}'),
    ({"smtp": "localhost:70000"}, f'smtp: = "localhost:70000": {SMTP_RULE}'),
    ({"smtp": ""}, f'smtp: = "": {SMTP_RULE}'),
    ({"from_": "hafw"}, f'from: = "hafw": {ADDRESS_RULE}'),
    ({"to": ["ops@example.com", "ops@"]}, f'to[1]: = "ops@": {ADDRESS_RULE}'),
    ({"to": ["a@example.com, b@example.com"]}, f'to[0]: = "a@example.com, b@example.com": {ADDRESS_RULE}'),
    ({"subject": "{host}"}, 'subject: = "{host}": {host} is no plain field: ' + FIELDS),
    ({"subject": "{node.x}"}, 'subject: = "{node.x}": {node.x} is no plain field: ' + FIELDS),
    ({"subject": "{node"}, 'subject: = "{node": expected \'}\' before end of string: ' + FIELDS),
    ({"ca_file": "/nonexistent.pem"}, 'ca_file: = "/nonexistent.pem": cannot be read: no such file or directory'),
    ({"ca_file": __file__}, f'ca_file: = "{__file__}": cannot be read: it holds no certificates'),
    ({"username": "hafw"},
     'password: is missing: username needs one, such as password = "file:/etc/hafw/smtp.pass"'),
    ({"password": Secret("x")}, "username: is missing: password needs one"),
    ({"username": "hafw", "password": Secret("x"), "starttls": "never"},
     'starttls: = "never": the password would be sent in clear: leave it out, or set tls = true'),
    ({"tls": True, "starttls": "always"},
     'starttls: = "always": tls = true is encrypted from the first octet, leave one of the two out'),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(options, said):
    assert refusal(**options) == [said]


def test_every_mistake_is_told_at_once():
    lines = refusal(smtp="", from_="", subject="{x}", username="u")
    assert [line.split(":")[0] for line in lines] == ["smtp", "from", "subject", "password"]


@pytest.mark.parametrize(("smtp", "tls", "place"), [
    ("mail", False, ("mail", 25)), ("mail", True, ("mail", 465)), ("[::1]:2525", False, ("::1", 2525)),
])  # fmt: skip
def test_the_port_may_be_left_out(smtp, tls, place):
    found = server_of(Options(smtp=smtp, tls=tls, **WHOM))
    assert (found.host, found.port) == place


def test_the_table_of_the_documentation_is_read():
    table = {
        "smtp": "localhost:25",
        "from": "hafw@example.com",
        "to": ["ops@example.com"],
        "on": ["master", "fault", "split_brain"],
    }
    options, problems = convert(table, Options, "plugin.notify_email")
    assert problems == []
    assert options == Options(from_="hafw@example.com", to=["ops@example.com"])


def test_a_misspelt_word_is_an_error_with_a_suggestion():
    _, (problem,) = convert({"from": "a@b", "to": ["a@b"], "on": ["mastr"]}, Options, "plugin.notify_email")
    assert problem.path == "plugin.notify_email.on[0]"
    assert problem.message.endswith("(did you mean master?)")
