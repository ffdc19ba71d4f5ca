from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from hafw_checks import reach
from hafw_checks.tcp import Options, Tcp

from hafw.api import Duration, Verdict

SOON = Duration(0.15)


@pytest.fixture
def ask(asks):
    return lambda **options: asks(Tcp(), Options(**options))


def silent(peer):
    peer.recv(1)


def hang_up(_peer):
    """Without a word."""


def greeting(text):
    return lambda peer: (peer.sendall(text), peer.recv(1))


def test_a_port_that_accepts_is_healthy(ask, serving):
    port = serving(silent)
    assert ask(port=port) == Verdict(True, f"127.0.0.1:{port} accepts connections")


def test_ipv6_and_a_name_work_too(ask, serving):
    port = serving(silent, host="::1")
    assert ask(host="::1", port=port) == Verdict(True, f"[::1]:{port} accepts connections")
    port = serving(silent)
    assert ask(host="localhost", family="ipv4", port=port) == Verdict(True, f"localhost:{port} accepts connections")


def test_a_name_with_several_addresses_is_reached_by_the_one_that_accepts(ask, serving, monkeypatch):
    port = serving(silent)
    found = [(socket.AF_INET6, ("::1", port, 0, 0)), (socket.AF_INET, ("127.0.0.1", port))]
    monkeypatch.setattr(reach, "resolve", lambda *_: found)
    assert ask(host="www.example.com", port=port).healthy


def test_nobody_listening_is_refused(ask, free_port):
    assert ask(port=free_port) == Verdict(False, f"connection refused on 127.0.0.1:{free_port}")


def test_a_name_that_nobody_has_is_said(ask):
    verdict = ask(host="hafw.invalid", port=1, timeout=Duration(20))
    assert not verdict.healthy
    assert verdict.detail.startswith("cannot resolve hafw.invalid: ")


def test_a_resolver_that_hangs_does_not_outlive_the_timeout_and_is_asked_once(ask, monkeypatch):
    asked, over = [], threading.Event()

    def hang(host, *_args, flags=0, **_kwargs):
        if flags:
            raise socket.gaierror
        asked.append(host)
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    said = "no address of slow.example within 0.15s: does DNS answer? An address needs none"
    assert [ask(host="slow.example", port=1, timeout=SOON) for _ in range(3)] == [Verdict(False, said)] * 3
    assert asked == ["slow.example"]
    over.set()


def test_a_port_that_lets_connections_wait_is_a_failure(ask):
    """Its backlog is full: the kernel drops what comes, as a dead host does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert ask(port=port, timeout=SOON) == Verdict(False, f"no connection to 127.0.0.1:{port} within 0.15s")


def test_what_is_sent_and_answered_is_shown(ask, serving):
    def redis(peer):
        peer.sendall(b"+PONG\r\n" if peer.recv(100) == b"PING\r\n" else b"-ERR\r\n")

    port = serving(redis)
    assert ask(port=port, send="PING\r\n", expect="^\\+PONG") == Verdict(True, f'127.0.0.1:{port} says "+PONG"')
    assert ask(port=port, send="hex:50494e470d0a", expect="PONG").healthy
    verdict = ask(port=port, send="HELO\r\n", expect="PONG")
    said = f'127.0.0.1:{port} says "-ERR" and closes the connection, expected "PONG"'
    assert verdict == Verdict(False, said)


def test_a_greeting_in_pieces_is_put_together(ask, serving):
    def smtp(peer):
        for each in (b"22", b"0 mail", b".example.com ESMTP\r\n"):
            peer.sendall(each)
        peer.recv(1)

    port = serving(smtp)
    assert ask(port=port, expect="^220 .*ESMTP") == Verdict(True, f'127.0.0.1:{port} says "220 mail.example.com ESMTP"')


@pytest.mark.parametrize(("talk", "said"), [
    (silent, 'WHO accepts connections, says nothing within 0.15s, expected "^220"'),
    (greeting(b"554 go away\r\n"), 'WHO accepts connections, says "554 go away" within 0.15s, expected "^220"'),
    (hang_up, 'WHO says nothing and closes the connection, expected "^220"'),
], ids=["silent", "another greeting", "closes"])  # fmt: skip
def test_what_is_not_as_expected_is_quoted(ask, serving, talk, said):
    port = serving(talk)
    assert ask(port=port, expect="^220", timeout=SOON) == Verdict(False, said.replace("WHO", f"127.0.0.1:{port}"))


def test_a_reset_is_told_as_one(ask, serving):
    def reset(peer):
        peer.recv(100)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    port = serving(reset)
    assert ask(port=port, send="hello", expect="hello") == Verdict(
        False, f"connection reset by peer by 127.0.0.1:{port}"
    )


def test_a_peer_that_drips_does_not_outlive_the_timeout(ask, serving):
    def drip(peer):
        while True:
            time.sleep(0.01)
            peer.sendall(b"x")

    began = time.monotonic()
    verdict = ask(port=serving(drip), expect="y", timeout=SOON)
    assert not verdict.healthy
    assert "within 0.15s" in verdict.detail
    assert time.monotonic() - began < 5


def test_a_flood_is_read_to_a_bound(ask, serving):
    verdict = ask(port=serving(lambda peer: peer.sendall(b"x" * 2**22)), expect="y", timeout=Duration(20))
    assert not verdict.healthy
    assert verdict.detail.endswith('x...", expected "y"')


def test_tls_is_verified(ask, serving, tls, certificate):
    port = serving(greeting(b"* OK IMAP\r\n"), tls=tls)
    ca = {"ca_file": str(certificate / "cert.pem")}
    good = ask(port=port, tls=True, server_name="www.example.com", expect="OK", **ca)
    assert good == Verdict(True, f'127.0.0.1:{port} says "OK"')
    assert ask(port=port, tls=True, insecure=True) == Verdict(True, f"127.0.0.1:{port} accepts connections by TLS")
    assert "self-signed certificate" in ask(port=port, tls=True).detail
    assert "Hostname mismatch" in ask(port=port, tls=True, server_name="other.example.com", **ca).detail


@pytest.mark.parametrize(("talk", "said"), [
    (greeting(b"SSH-2.0-OpenSSH_9.2\r\n"), "no TLS with WHO: "),
    (hang_up, "no TLS with WHO: "),
    (lambda peer: (peer.recv(1), peer.recv(9999), peer.recv(1)), "WHO accepts connections, and no TLS within 0.15s"),
], ids=["clear text", "closes", "silent"])  # fmt: skip
def test_a_server_without_tls_is_told(ask, serving, talk, said):
    port = serving(talk)
    verdict = ask(port=port, tls=True, insecure=True, timeout=SOON)
    assert not verdict.healthy
    assert verdict.detail.startswith(said.replace("WHO", f"127.0.0.1:{port}"))


def test_the_source_address_is_used(ask, serving):
    port = serving(lambda peer: peer.sendall(peer.getpeername()[0].encode()))
    assert ask(port=port, source="127.9.9.9", expect=".+").detail.endswith('says "127.9.9.9"')
    assert ask(port=port, source="192.0.2.1") == Verdict(False, f"cannot assign requested address on 127.0.0.1:{port}")


@pytest.mark.parametrize(("options", "said"), [
    ({"host": "a b"}, ['host: = "a b": must be an address or a host name; the port is a key of its own']),
    ({"host": "http://a/"}, ['host: = "http://a/": must be an address or a host name; the port is a key of its own']),
    ({"source": "eth0"}, ['source: = "eth0": must be an address of this machine']),
    ({"host": "::1", "source": "127.0.0.1"}, ['source: = "127.0.0.1": must be of the same family as host, ::1']),
    ({"host": "::1", "family": "ipv4"}, ['host: = "::1": must be of the family ipv4']),
    ({"send": "hex:5"}, ['send: = "hex:5": after hex: must be hexadecimal digits, two for each octet']),
    ({"expect": "("},
     ['expect: = "(": must be a regular expression: missing ), unterminated subpattern at position 0']),
    ({"ca_file": "/x", "insecure": True, "server_name": "a"}, [
        'server_name: = "a": has a meaning with tls = true only: leave it out',
        'ca_file: = "/x": has a meaning with tls = true only: leave it out',
        "insecure: = true: has a meaning with tls = true only: leave it out",
        'ca_file: = "/x": says nothing with insecure = true: leave one of them out',
        'ca_file: = "/x": cannot be read: no such file or directory',
    ]),
    ({"tls": True, "ca_file": "ca.pem"}, ['ca_file: = "ca.pem": must be an absolute path']),
    ({"tls": True, "ca_file": "/etc/passwd"},
     ['ca_file: = "/etc/passwd": must hold certificates in PEM form (-----BEGIN CERTIFICATE-----)']),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(ask, options, said):
    assert ask(port=25, **options) == said


def test_a_check_imports_nothing_because_nobody_may_not_be_able_to_read_it(serving, free_port):
    port = serving(greeting(b"hello"))
    code = (
        "import sys; from hafw_checks.tcp import Tcp, Options; tcp = Tcp()\n"
        "tcp.configure(Options(port=1)); known = set(sys.modules)\n"
        f"for port in ({port}, {free_port}):\n"
        "    tcp.configure(Options(host='localhost', port=port, expect='hell')); print(tcp.check().healthy)\n"
        "print(sorted(set(sys.modules) - known))"
    )
    done = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert done == "True\nFalse\n[]\n"
