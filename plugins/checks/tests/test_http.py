"""What ``http`` has beyond the request that ``nginx`` shares with it; that is tested there."""

from __future__ import annotations

import queue
import time

import pytest
from hafw_checks.http import Http, Options

from hafw.api import Duration, Secret, Verdict


def page(body=b"all is well", status=b"200 OK", head=b""):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


@pytest.fixture
def answering(serving):
    """Give each request the next of the answers, the last one for ever; gives the port and what was asked."""

    def start(*answers, **where):
        asked, left = queue.Queue(), list(answers)

        def talk(peer):
            asked.put(peer.recv(9999).decode())
            peer.sendall(left.pop(0) if len(left) > 1 else left[0])

        return serving(talk, **where), asked

    return start


@pytest.fixture
def ask(asks):
    return lambda url="http://127.0.0.1/", **options: asks(Http(), Options(url=url, **options))


def lines(asked):
    return asked.get(timeout=20).split("\r\n")


def test_a_status_that_is_expected_is_healthy(ask, answering):
    port, asked = answering(page())
    assert ask(f"http://127.0.0.1:{port}/up?full=1") == Verdict(True, "HTTP 200")
    assert lines(asked)[0] == "GET /up?full=1 HTTP/1.1"


def test_method_headers_and_host_are_sent_as_they_stand(ask, answering):
    port, asked = answering(page())
    ask(
        f"http://127.0.0.1:{port}/",
        method="POST",
        host="www.example.com",
        headers={"X-Probe": Secret("a b"), "User-Agent": Secret("me")},
    )
    request = lines(asked)
    assert request[0] == "POST / HTTP/1.1"
    assert {"Host: www.example.com", "X-Probe: a b", "User-Agent: me", "Connection: close"} <= set(request)
    assert [each for each in request if each.lower().startswith("host:")] == ["Host: www.example.com"]


@pytest.mark.parametrize(("options", "detail"), [
    ({"contains": "well"}, ""),
    ({"contains": "ill"}, 'HTTP 200, the body has no "ill"'),
    ({"matches": "^all .. well$"}, ""),
    ({"matches": "^well"}, 'HTTP 200, nothing in the body matches "^well"'),
])  # fmt: skip
def test_the_body_must_have_what_is_wanted(ask, answering, options, detail):
    port, _ = answering(page())
    assert ask(f"http://127.0.0.1:{port}/", **options) == Verdict(not detail, detail or "HTTP 200")


def test_of_a_large_body_only_the_beginning_is_read(ask, answering):
    port, _ = answering(page(b"x" * 2**20 + b"end"))
    said = 'HTTP 200, the body has no "end" in the first 65536 octets'
    assert ask(f"http://127.0.0.1:{port}/", contains="end") == Verdict(False, said)


def test_an_answer_to_head_has_no_body(ask, answering):
    port, asked = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    assert ask(f"http://127.0.0.1:{port}/", method="HEAD") == Verdict(True, "HTTP 200")
    assert lines(asked)[0] == "HEAD / HTTP/1.1"


def test_a_body_in_chunks_is_read(ask, answering):
    port, _ = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n")
    assert ask(f"http://127.0.0.1:{port}/", contains="well").healthy


def test_a_unix_socket_is_asked_in_the_name_of_the_url(ask, answering, tmp_path):
    path, asked = answering(page(), path=tmp_path / "app.sock")
    assert ask("http://app.example/up", socket=str(path)) == Verdict(True, "HTTP 200")
    assert "Host: app.example" in lines(asked)
    gone = tmp_path / "gone.sock"
    assert ask("http://app.example/", socket=str(gone)) == Verdict(False, f"no such file or directory on {gone}")


@pytest.mark.parametrize(("options", "header"), [
    ({"username": "me", "password": Secret("s:e cret")}, "Authorization: Basic bWU6czplIGNyZXQ="),
    ({"token": Secret("abc.def")}, "Authorization: Bearer abc.def"),
])  # fmt: skip
def test_credentials_are_sent_and_never_shown(ask, answering, options, header):
    port, asked = answering(page(status=b"401 Unauthorized"))
    verdict = ask(f"http://127.0.0.1:{port}/", **options)
    assert header in lines(asked)
    assert verdict == Verdict(False, "HTTP 401, expected 200-399")


def moved(where, status=b"302 Found"):
    return page(b"", status, b"Location: %s\r\n" % where.encode())


def test_a_redirect_is_the_answer_unless_it_shall_be_followed(ask, answering):
    port, asked = answering(moved("/login"))
    assert ask(f"http://127.0.0.1:{port}/") == Verdict(True, "HTTP 302")
    port, asked = answering(moved("login?next=/"), page())
    verdict = ask(f"http://127.0.0.1:{port}/app/", redirects=1, contains="well")
    assert verdict == Verdict(True, f"HTTP 200 at http://127.0.0.1:{port}/app/login?next=/")
    assert [lines(asked)[0] for _ in range(2)] == ["GET /app/ HTTP/1.1", "GET /app/login?next=/ HTTP/1.1"]


def test_redirects_without_end_are_a_failure_if_a_page_is_expected(ask, answering):
    port, _ = answering(moved("/"))
    verdict = ask(f"http://127.0.0.1:{port}/", redirects=3, expect="200")
    said = f"HTTP 302 at http://127.0.0.1:{port}/, expected 200, and 3 redirects were followed"
    assert verdict == Verdict(False, said)


def test_another_server_is_not_told_the_secrets_of_this_one(ask, answering):
    elsewhere, asked_elsewhere = answering(page())
    port, asked = answering(moved(f"http://127.0.0.1:{elsewhere}/"))
    options = {"token": Secret("abc"), "headers": {"X-Api-Key": Secret("def")}, "host": "www.example.com"}
    assert ask(f"http://127.0.0.1:{port}/", redirects=1, **options).healthy
    assert {"Authorization: Bearer abc", "X-Api-Key: def"} <= set(lines(asked))
    request = lines(asked_elsewhere)
    assert not [each for each in request if each.startswith(("Authorization", "X-Api-Key"))]
    assert f"Host: 127.0.0.1:{elsewhere}" in request


@pytest.mark.parametrize("where", ["ftp://a/", "http://a b/"])
def test_a_redirect_to_nowhere_is_a_failure(ask, answering, where):
    port, _ = answering(moved(where))
    said = f"redirected to what is no URL: {where!r}"
    assert ask(f"http://127.0.0.1:{port}/", redirects=2) == Verdict(False, said)


def test_a_redirect_to_a_server_that_is_down_names_it(ask, answering, free_port):
    port, _ = answering(moved(f"http://127.0.0.1:{free_port}/"))
    said = f"connection refused on 127.0.0.1:{free_port}, after a redirect"
    assert ask(f"http://127.0.0.1:{port}/", redirects=2) == Verdict(False, said)


def test_https_is_verified_and_never_left_for_http(ask, answering, tls, certificate):
    port, _ = answering(moved("http://127.0.0.1:1/"), tls=tls)
    ca = {"ca_file": str(certificate / "cert.pem")}
    url = f"https://127.0.0.1:{port}/"
    assert ask(url, server_name="www.example.com", **ca) == Verdict(True, "HTTP 302")
    assert ask(url, host="www.example.com", **ca) == Verdict(True, "HTTP 302")
    assert "IP address mismatch" in ask(url, **ca).detail
    assert "self-signed certificate" in ask(url).detail
    said = "redirected from https to http://127.0.0.1:1/, which is not followed"
    assert ask(url, insecure=True, redirects=1) == Verdict(False, said)


def test_redirects_share_one_timeout(ask, serving):
    def slow(peer):
        peer.recv(9999)
        deadline = time.monotonic() + 0.1
        while time.monotonic() < deadline:
            time.sleep(0.01)
        peer.sendall(moved("/"))

    began = time.monotonic()
    verdict = ask(f"http://127.0.0.1:{serving(slow)}/", redirects=10, timeout=Duration(0.3))
    assert not verdict.healthy
    assert "within 0.3s" in verdict.detail
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("options", "said"), [
    ({"url": "127.0.0.1"},
     ['url: = "127.0.0.1": must be like "http://127.0.0.1/" or "https://[::1]:8443/status"']),
    ({"expect": "ok"}, ['expect: = "ok": must be HTTP status codes from 100 to 599, such as "200-399" or "200,301"']),
    ({"host": "a b"}, ['host: = "a b": must be a host name, with a port if need be']),
    ({"socket": "app.sock"}, ['socket: = "app.sock": must be an absolute path']),
    ({"socket": "/run/a", "source": "127.0.0.1"},
     ['source: = "127.0.0.1": has no meaning with socket: leave one of them out']),
    ({"headers": {"a b": Secret("x")}}, ['headers: "a b": must be the name of a header: letters, digits and -']),
    ({"headers": {"Host": Secret("x")}}, ["headers.Host: cannot be set here: use host"]),
    ({"headers": {"authorization": Secret("x")}},
     ["headers.authorization: cannot be set here: use username and password, or token"]),
    ({"headers": {"X": Secret("a\r\nb")}}, ["headers.X: must be printable ASCII in one line"]),
    ({"username": "me"},
     ["password: is missing: basic authentication needs both, username and password; a token stands in token"]),
    ({"password": Secret("x")},
     ["username: is missing: basic authentication needs both, username and password; a token stands in token"]),
    ({"username": "a:b", "password": Secret("x"), "token": Secret("y")}, [
        "token: is one way to say who asks, and password another: leave one of them out",
        'username: = "a:b": must have no colon',
    ]),
    ({"token": Secret("a\nb")}, ["token: must be printable ASCII without blanks"]),
    ({"method": "HEAD", "contains": "x"}, ['contains: an answer to HEAD has no body: method = "GET"']),
    ({"matches": "("},
     ['matches: = "(": must be a regular expression: missing ), unterminated subpattern at position 0']),
    ({"insecure": True}, ["insecure: = true: has a meaning with https only: leave it out"]),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(ask, options, said):
    assert ask(**options) == said


def test_every_mistake_is_told_at_once(ask):
    said = ask(url="x", expect="y", matches="(", socket="z")
    assert [line.split(":")[0] for line in said] == ["url", "expect", "socket", "matches"]
