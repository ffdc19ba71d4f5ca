from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hafw_nginx import Nginx, Options

from hafw.api import Duration, Verdict

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def ask(url: str, **options: object) -> Verdict:
    nginx = Nginx()
    nginx.configure(Options(url=url, **options))
    return nginx.check()


def test_an_expected_status_is_healthy(answering):
    port, asked = answering([OK])
    assert ask(f"http://127.0.0.1:{port}/up?full=1", host="www.example.com") == Verdict(True, "HTTP 200")
    request = asked.get(timeout=5).split(b"\r\n")
    assert request[0] == b"GET /up?full=1 HTTP/1.1"
    assert [line for line in request if line.startswith(b"Host:")] == [b"Host: www.example.com"]


@pytest.mark.parametrize(("status", "expect", "healthy"), [
    (200, "200-399", True), (399, "200-399", True), (400, "200-399", False), (301, "200,301", True),
    (302, "200,301", False), (503, "200, 500-599", True), (199, "200-399", False),
])  # fmt: skip
def test_what_counts_as_healthy_is_what_expect_says(answering, status, expect, healthy):
    port, _ = answering([b"HTTP/1.1 %d Word\r\nContent-Length: 0\r\n\r\n" % status])
    verdict = ask(f"http://127.0.0.1:{port}/", expect=expect)
    assert verdict == Verdict(healthy, f"HTTP {status}" if healthy else f"HTTP {status}, expected {expect}")


def test_a_redirect_is_not_followed(answering):
    elsewhere, asked_elsewhere = answering([OK])
    port, _ = answering([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\n\r\n" % elsewhere])
    assert ask(f"http://127.0.0.1:{port}/") == Verdict(True, "HTTP 302")
    assert asked_elsewhere.empty()


def test_a_proxy_from_the_environment_is_not_used(answering, monkeypatch):
    proxy, asked_proxy = answering([OK])
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
    port, _ = answering([OK])
    assert ask(f"http://127.0.0.1:{port}/").healthy
    assert asked_proxy.empty()


def test_nobody_listening_is_said_with_the_place(free_port):
    verdict = ask(f"http://127.0.0.1:{free_port}/")
    assert verdict == Verdict(False, f"connection refused on 127.0.0.1:{free_port}")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "WHO accepts connections, and gives no whole answer within 0.1s"),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"],
            "no valid HTTP answer from WHO: IncompleteRead(5 bytes read, 95 more expected)",
        ),
    ],
    ids=["silent", "half a body"],
)
def test_an_answer_that_is_not_whole_is_a_failure(answering, answer, said):
    port, _ = answering(answer)
    verdict = ask(f"http://127.0.0.1:{port}/", timeout=Duration(0.1))
    assert verdict == Verdict(False, said.replace("WHO", f"127.0.0.1:{port}"))


def dripping():
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    while True:
        time.sleep(0.02)
        yield b"x"


def test_a_server_that_drips_does_not_outlive_the_timeout(answering):
    port, _ = answering(dripping())
    began = time.monotonic()
    verdict = ask(f"http://127.0.0.1:{port}/", timeout=Duration(0.2))
    assert verdict == Verdict(False, f"127.0.0.1:{port} accepts connections, and gives no whole answer within 0.2s")
    assert time.monotonic() - began < 0.5


def test_something_that_is_not_http_is_a_failure(answering):
    port, _ = answering([b"SSH-2.0-OpenSSH_9.2\r\n"])
    verdict = ask(f"http://127.0.0.1:{port}/")
    assert verdict == Verdict(False, f"no valid HTTP answer from 127.0.0.1:{port}: SSH-2.0-OpenSSH_9.2")


def test_a_large_body_is_not_read_to_its_end(answering):
    megabyte = b"x" * 2**20
    port, _ = answering([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (10**9), *[megabyte] * 8])
    assert ask(f"http://127.0.0.1:{port}/") == Verdict(True, "HTTP 200")


def test_a_check_imports_nothing_because_nobody_may_not_be_able_to_read_it(answering, free_port):
    port, _ = answering([OK])
    code = (
        "import sys; from hafw_nginx import Nginx, Options; nginx = Nginx(); known = set(sys.modules)\n"
        f"for port in ({port}, {free_port}):\n"
        "    nginx.configure(Options(url=f'http://localhost:{port}/')); nginx.check()\n"
        "print(sorted(set(sys.modules) - known))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=20) == "[]\n"


@pytest.fixture
def certificate(certificate_of):
    return certificate_of("DNS:www.example.com")


@pytest.fixture
def https(answering, tls):
    port, _ = answering([OK], tls)
    return f"https://127.0.0.1:{port}/"


def test_https_verifies_the_certificate(https):
    verdict = ask(https)
    assert not verdict.healthy
    assert verdict.detail.startswith("certificate of 127.0.0.1:")
    assert "self-signed certificate" in verdict.detail


def test_https_verifies_the_name_in_host(https, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    assert ask(https, host="www.example.com") == Verdict(True, "HTTP 200")
    assert "Hostname mismatch" in ask(https, host="other.example.com").detail


def test_https_insecure_accepts_any_certificate(https):
    assert ask(https, insecure=True) == Verdict(True, "HTTP 200")


def test_https_to_a_plain_server_is_a_failure(answering):
    port, _ = answering([OK])
    verdict = ask(f"https://127.0.0.1:{port}/")
    assert not verdict.healthy
    assert f"127.0.0.1:{port}" in verdict.detail
