from __future__ import annotations

import contextlib
import email
import socket
import ssl
import subprocess
from functools import partial

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from hafw_notify_email import NotifyEmail, Options, server_of
from hafw_notify_email.mail import message
from hafw_notify_email.smtp import deliver

from hafw.api import Address, Duration, Router, Secret, StateChange
from hafw.config.convert import convert
from hafw.notification import of_change

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


class Inbox:
    """Keeps what arrives; answers the first few with a refusal."""

    def __init__(self, *refusals: str) -> None:
        self.mails = []
        self.attempts = 0
        self.refusals = list(refusals)
        self.encrypted = []
        self.logins = []

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if address.startswith("nobody"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, _server, session, envelope):  # noqa: N802
        self.attempts += 1
        if self.refusals:
            return self.refusals.pop(0)
        self.encrypted.append(session.ssl is not None)
        self.mails.append((envelope, email.message_from_bytes(envelope.content)))
        return "250 taken"

    def login(self, _server, _session, _envelope, _mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"secret", handled=False)


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def server(free_port):
    """A real mail server on loopback; ``serve(inbox, ...)`` gives the value of ``smtp``."""
    with contextlib.ExitStack() as stack:

        def serve(inbox, **options):
            controller = Controller(inbox, hostname="127.0.0.1", port=free_port, **options)
            controller.start()
            stack.callback(controller.stop, no_assert=True)
            return f"127.0.0.1:{free_port}"

        yield serve


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return folder


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def configured(**options: object) -> NotifyEmail:
    plugin = NotifyEmail()
    plugin.configure(Options(**(WHOM | options)))
    return plugin


@pytest.fixture
def on_lb1(monkeypatch):
    monkeypatch.setenv("HAFW_NODE", "lb1")


@pytest.mark.usefixtures("on_lb1")
def test_a_mail_says_what_when_why_and_who_is_master_now(server):
    inbox = Inbox()
    smtp = server(inbox)
    outcome = configured(smtp=smtp).became_master(ROUTER, CHANGE)
    assert outcome == {"output": f"sent to ops@example.com, Night <night@example.com> by {smtp}", "exit": 0}
    ((envelope, mail),) = inbox.mails
    assert envelope.mail_from == "hafw@example.com"
    assert envelope.rcpt_tos == ["ops@example.com", "night@example.com"]
    assert mail["Subject"] == "[hafw] lb1 VI_1: BACKUP -> MASTER"
    assert mail["Date"] == "Sun, 22 Nov 2026 21:14:02 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_payload().replace("\r\n", "\n") == (
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


def test_told_twice_it_is_the_same_message(server):
    inbox = Inbox()
    plugin = configured(smtp=server(inbox))
    plugin.became_master(ROUTER, CHANGE)
    plugin.became_master(ROUTER, CHANGE)
    first, second = (mail["Message-ID"] for _, mail in inbox.mails)
    assert first == second
    assert first.startswith("<change.4711.VI-1.20261122211402118000@")


@pytest.mark.parametrize(("hook", "new", "word", "master"), [
    ("became_backup", "BACKUP", "backup", "192.0.2.2"),
    ("faulted", "FAULT", "fault", "192.0.2.2"),
    ("stopped", "STOP", "stop", "192.0.2.2"),
])  # fmt: skip
def test_every_state_has_its_word_and_is_silent_without_it(server, hook, new, word, master):
    inbox = Inbox()
    change = StateChange(
        seq=1, time="2026-11-22T21:14:02.118Z", instance="VI_1", old="MASTER", new=new, reason="x", priority=1,
        peer="192.0.2.2",
    )  # fmt: skip
    smtp = server(inbox)
    getattr(configured(smtp=smtp, on=(word,)), hook)(ROUTER, change)
    others = tuple({"master", "backup", "fault", "stop"} - {word})
    assert getattr(configured(smtp=smtp, on=others), hook)(ROUTER, change) is None
    ((_, mail),) = inbox.mails
    assert f": MASTER -> {new}" in mail["Subject"]
    assert f"MASTER now  {master}\n" in mail.get_payload().replace("\r\n", "\n")


@pytest.mark.usefixtures("on_lb1")
def test_an_event_is_told_with_its_fields_and_the_master_known_last(server):
    inbox = Inbox()
    plugin = configured(smtp=server(inbox), on=("split_brain",))
    plugin.became_master(ROUTER, CHANGE)
    plugin.event(
        {"seq": 9, "time": "2026-11-22T21:15:00Z", "type": "split_brain", "instance": "VI_1", "peer": "192.0.2.3"}
    )
    assert plugin.event({"seq": 10, "time": "2026-11-22T21:15:00Z", "type": "announced", "instance": "VI_1"}) is None
    ((_, mail),) = inbox.mails
    assert mail["Subject"] == "[hafw] lb1 VI_1: split_brain"
    assert (
        mail.get_payload()
        .replace("\r\n", "\n")
        .startswith(
            "VI_1 on lb1: split brain.\n\n"
            "when        2026-11-22T21:15:00Z\nMASTER now  this router, lb1\npeer        192.0.2.3\n"
        )
    )


def test_an_event_that_could_not_be_mailed_is_a_failure_with_its_reason(server):
    smtp = server(Inbox("554 no"))
    outcome = configured(smtp=smtp, on=("split_brain",)).event({"seq": 9, "time": "", "type": "split_brain"})
    assert outcome == {"output": f"not sent, {smtp}: 554 no", "exit": 1}


def test_a_line_end_in_a_reason_does_not_become_a_header(server):
    inbox = Inbox()
    plugin = configured(smtp=server(inbox), on=("flapping",), subject="{what} {reason}")
    plugin.event({"type": "flapping", "time": "x", "reason": "a\r\nBcc: everybody@example.com"})
    ((envelope, mail),) = inbox.mails
    assert mail["Subject"] == "flapping a Bcc: everybody@example.com"
    assert mail["Bcc"] is None
    assert len(envelope.rcpt_tos) == 2


def test_starttls_auto_is_used_when_offered_whatever_the_certificate(server, tls):
    inbox = Inbox()
    configured(smtp=server(inbox, tls_context=tls)).became_master(ROUTER, CHANGE)
    assert inbox.encrypted == [True]


def test_starttls_never_is_plain_although_it_is_offered(server, tls):
    inbox = Inbox()
    configured(smtp=server(inbox, tls_context=tls), starttls="never").became_master(ROUTER, CHANGE)
    assert inbox.encrypted == [False]


def test_starttls_always_verifies_the_certificate(server, tls, certificate):
    inbox = Inbox()
    smtp = server(inbox, tls_context=tls)
    outcome = configured(smtp=smtp, starttls="always").became_master(ROUTER, CHANGE)
    assert outcome == {"output": f"not sent, {smtp}: certificate refused: self-signed certificate", "exit": 1}
    trusted = configured(smtp=smtp, starttls="always", ca_file=str(certificate / "cert.pem"))
    assert trusted.became_master(ROUTER, CHANGE)["exit"] == 0
    assert inbox.encrypted == [True]


def test_starttls_always_sends_nothing_to_a_server_without_it(server):
    inbox = Inbox()
    smtp = server(inbox)
    outcome = configured(smtp=smtp, starttls="always").became_master(ROUTER, CHANGE)
    assert outcome == {"output": f"not sent, {smtp}: STARTTLS extension not supported by server.", "exit": 1}
    assert inbox.attempts == 0


def test_smtps_is_encrypted_from_the_first_octet(server, tls, certificate):
    inbox = Inbox()
    smtp = server(inbox, ssl_context=tls)
    plugin = configured(smtp=smtp, tls=True, ca_file=str(certificate / "cert.pem"))
    assert plugin.became_master(ROUTER, CHANGE)["exit"] == 0
    assert inbox.attempts == 1


@pytest.fixture
def with_login(server, tls, certificate):
    inbox = Inbox()
    smtp = server(inbox, tls_context=tls, authenticator=inbox.login, auth_required=True)
    return inbox, smtp, partial(configured, smtp=smtp, username="hafw", ca_file=str(certificate / "cert.pem"))


def test_a_login_is_sent_over_starttls(with_login):
    inbox, _, configured_with = with_login
    assert configured_with(password=Secret("secret")).became_master(ROUTER, CHANGE)["exit"] == 0
    assert inbox.logins == [(b"hafw", b"secret")]
    assert inbox.encrypted == [True]


def test_a_wrong_password_is_said_without_showing_it_and_is_not_tried_with_new_connections(with_login):
    inbox, smtp, configured_with = with_login
    outcome = configured_with(password=Secret("wrong-one")).became_master(ROUTER, CHANGE)
    assert outcome == {
        "output": f"not sent, {smtp}: 535 5.7.8 Authentication credentials invalid",
        "exit": 1,
    }
    assert inbox.attempts == 0


def test_a_login_is_not_sent_to_a_server_whose_certificate_is_not_verified(with_login):
    inbox, smtp, configured_with = with_login
    outcome = configured_with(password=Secret("secret"), ca_file="").became_master(ROUTER, CHANGE)
    assert outcome["output"] == f"not sent, {smtp}: certificate refused: self-signed certificate"
    assert inbox.logins == []


def try_sending(smtp: str, timeout: float = 30) -> tuple[dict, list[float]]:
    """Deliver one mail with a clock that does not wait; gives the outcome and the pauses."""
    options = Options(smtp=smtp, **WHOM)
    mail = message(of_change("lb1", ROUTER, CHANGE, "MASTER", "this router"), "lb1", "s", options.from_, options.to)
    pauses = []
    return deliver(server_of(options), mail, timeout, sleep=pauses.append), pauses


def test_a_server_that_fails_twice_is_tried_a_third_time(server):
    inbox = Inbox("451 try later", "421 closing")
    outcome, pauses = try_sending(server(inbox))
    assert outcome["exit"] == 0
    assert pauses == [1.0, 5.0]
    assert (inbox.attempts, len(inbox.mails)) == (3, 1)


def test_after_the_third_failure_the_outcome_says_why(server):
    inbox = Inbox(*["451 try later"] * 5)
    smtp = server(inbox)
    outcome, _ = try_sending(smtp)
    assert outcome == {"output": f"not sent, {smtp} (3 attempts): 451 try later", "exit": 1}
    assert inbox.attempts == 3


def test_what_is_refused_for_good_is_not_tried_again(server):
    inbox = Inbox("554 no", "250 never asked")
    smtp = server(inbox)
    assert try_sending(smtp) == ({"output": f"not sent, {smtp}: 554 no", "exit": 1}, [])


def test_a_dead_server_is_tried_three_times(free_port):
    outcome, pauses = try_sending(f"127.0.0.1:{free_port}")
    assert outcome == {"output": f"not sent, 127.0.0.1:{free_port} (3 attempts): connection refused", "exit": 1}
    assert pauses == [1.0, 5.0]


def test_an_attempt_that_could_not_end_in_time_is_not_begun(free_port):
    outcome, pauses = try_sending(f"127.0.0.1:{free_port}", timeout=3)
    assert outcome["output"] == f"not sent, 127.0.0.1:{free_port} (2 attempts): connection refused"
    assert pauses == [1.0]


def test_a_server_that_accepts_and_keeps_silent_costs_no_more_than_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        smtp = f"127.0.0.1:{silent.getsockname()[1]}"
        outcome, pauses = try_sending(smtp, timeout=0.3)
    assert outcome == {"output": f"not sent, {smtp}: Connection unexpectedly closed: timed out", "exit": 1}
    assert pauses == []


def test_recipients_that_are_refused_are_named_and_the_others_get_it(server):
    inbox = Inbox()
    smtp = server(inbox)
    outcome = configured(smtp=smtp, to=["nobody@example.com", "ops@example.com"]).became_master(ROUTER, CHANGE)
    assert outcome == {
        "output": f"sent by {smtp}, but refused for nobody@example.com (550 no such mailbox)",
        "exit": 1,
    }
    assert [envelope.rcpt_tos for envelope, _ in inbox.mails] == [["ops@example.com"]]


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
