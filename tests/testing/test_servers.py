"""The mail server and the web server of tests, asked by the clients of the standard library."""

from __future__ import annotations

import http.client
import smtplib
import socket
import urllib.request

import pytest

from hafw.testing import Cut, Delay, Response
from hafw.testing.http import HttpReceiver

MAIL = "Subject: =?utf-8?q?f=C3=BCr?= you\r\n\r\nfirst\r\n.second\r\n"


def mail(server, **options):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
        return client.sendmail("a@example.com", ["b@example.com", "c@example.com"], MAIL, **options)


def test_a_mail_is_kept_as_it_was_sent(smtp_server):
    mail(smtp_server)
    (kept,) = smtp_server.wait_for(1)
    assert (kept.sender, kept.recipients) == ("a@example.com", ("b@example.com", "c@example.com"))
    assert kept.content == MAIL.encode()
    assert (kept.message["Subject"], kept.body) == ("für you", "first\n.second\n")
    assert (kept.encrypted, kept.login) == (False, "")


def test_the_script_of_a_mail_server_is_followed_step_by_step(smtp_server):
    smtp_server.script("451 try later", Cut(), Delay(0.0))
    with pytest.raises(smtplib.SMTPDataError) as caught:
        mail(smtp_server)
    assert (caught.value.smtp_code, caught.value.smtp_error) == (451, b"try later")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        mail(smtp_server)
    mail(smtp_server)
    assert (smtp_server.connections, smtp_server.attempts, len(smtp_server.received)) == (3, 3, 1)


def test_a_recipient_may_be_unknown(smtp_server):
    smtp_server.unknown.add("b@example.com")
    assert mail(smtp_server) == {"b@example.com": (550, b"no such mailbox")}
    assert smtp_server.wait_for(1)[0].recipients == ("c@example.com",)


def test_connections_may_be_refused_and_taken_again(smtp_server):
    smtp_server.refuse()
    with pytest.raises(ConnectionRefusedError):
        mail(smtp_server)
    smtp_server.accept()
    mail(smtp_server)
    assert len(smtp_server.wait_for(1)) == 1


def test_a_mail_server_insists_on_the_order_of_the_protocol(smtp_server):
    with smtplib.SMTP("127.0.0.1", smtp_server.port, timeout=10) as client:
        said = [
            client.docmd(line)[0] for line in ("MAIL FROM:<a@b>", "HELO x", "DATA", "RCPT TO:<b@c>", "MAIL a@b", "X")
        ]
        assert said == [503, 250, 503, 503, 501, 500]
        assert client.docmd("MAIL FROM:<>")[0] == 250
        assert [client.docmd(line)[0] for line in ("RSET", "STARTTLS", "NOOP")] == [250, 502, 250]
    assert smtp_server.received == []


def test_whoever_does_not_get_what_it_waits_for_is_told(smtp_server):
    with pytest.raises(AssertionError, match=r"received 0 of 1 within 0\.01s"):
        smtp_server.wait_for(1, timeout=0.01)


def test_a_request_is_kept_as_it_was_sent(http_receiver):
    request = urllib.request.Request(
        f"{http_receiver.url}/hook?x=1", data=b'{"a": 2}', headers={"X-Signature": "s"}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200
    (kept,) = http_receiver.wait_for(1)
    assert (kept.method, kept.path, kept.json(), kept.headers["x-signature"]) == ("PUT", "/hook?x=1", {"a": 2}, "s")


def test_the_script_of_a_web_server_is_followed_step_by_step(http_receiver):
    http_receiver.script(503, Cut(), Response(status=302, body=b"there", headers={"Location": "/x"}), Delay(0.0))
    client = http.client.HTTPConnection("127.0.0.1", http_receiver.port, timeout=10)

    def ask():
        client.request("POST", "/", b"x")
        answer = client.getresponse()
        return answer.status, answer.headers.get("Location"), answer.read()

    assert ask() == (503, None, b"")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        ask()
    client.close()
    assert ask() == (302, "/x", b"there")
    assert ask() == (200, None, b"")
    client.close()
    assert [each.body for each in http_receiver.received] == [b"x"] * 4


def test_a_server_that_is_closed_ends_those_who_wait_for_it():
    receiver = HttpReceiver()
    receiver.script(Delay(600.0))
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        receiver.wait_for(1)
        receiver.close()
        while client.recv(4096):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", receiver.port), timeout=10)
