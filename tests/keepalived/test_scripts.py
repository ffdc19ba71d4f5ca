"""Check scripts: how keepalived splits a command, and what the common ones are there for."""

from __future__ import annotations

import pytest
from shelf import Shelf

from hafw.keepalived.scripts import NO_PURPOSE, Purpose, command, purpose_of, split, wants_shell


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/bin/check a b", ["/bin/check", "a", "b"]),
        ("/bin/echo 'a b' c | grep x", ["/bin/echo", "a b", "c", "|", "grep", "x"]),
        ('/bin/true "a b" c\\\\q', ["/bin/true", "a b", "c\\q"]),
        (r"/bin/true \x41\101\tx", ["/bin/true", "AA\tx"]),
        ("/bin/true it's", ["/bin/true", "it's"]),
    ],
)
def test_a_command_is_split_as_keepalived_does(text: str, words: list[str]):
    """Asked of keepalived 2.2.7, whose -d prints the arguments."""
    assert split(text) == words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ss -ltn | grep :80", True),
        ("curl -f http://a/?x=1&y=2", False),
        ("</dev/tcp/127.0.0.1/80", True),
        ("/bin/sh -c 'a | b'", False),
        ("grep 'a|b' /x", False),
        ("/bin/true && /bin/true", True),
        ("check 2>/dev/null", True),
    ],
)
def test_what_only_makes_sense_in_a_shell(text: str, wanted: bool):
    assert wants_shell(split(text), text) is wanted


def test_a_command_is_a_list_where_a_string_would_be_split_otherwise():
    assert command(["/bin/a", "b"]) == "/bin/a b"
    assert command(["/bin/a", "b c"]) == ["/bin/a", "b c"]
    assert command(["/bin/a", "it's"]) == ["/bin/a", "it's"]


@pytest.mark.parametrize(
    ("text", "purpose"),
    [
        ("killall -0 nginx", Purpose(process="nginx")),
        ("/usr/bin/pidof -x /usr/sbin/haproxy", Purpose(process="haproxy")),
        ("pgrep -f nginx", Purpose(process="nginx")),
        ("systemctl is-active --quiet nginx.service", Purpose(unit="nginx")),
        ("curl -fs -o /dev/null https://localhost:8443/healthz", Purpose(url="https://localhost:8443/healthz")),
        ("wget -q -O - 127.0.0.1:8080/x", Purpose(url="127.0.0.1:8080/x")),
        ("curl -f https://www.example.com/", NO_PURPOSE),
        ("/bin/sh -c 'pidof x || systemctl stop keepalived'", Purpose(process="x", stops_keepalived=True)),
        ("/bin/check-keepalived-peer", NO_PURPOSE),
        ("/etc/own.sh", Purpose(process="nginx", stops_keepalived=True, starts="nginx")),
    ],
)
def test_what_a_script_is_for(text: str, purpose: Purpose):
    own = "#!/bin/sh\n# service keepalived stop\nif ! pidof nginx; then\n service nginx start\n pkill keepalived\nfi\n"
    assert purpose_of(text, Shelf({"/etc/own.sh": own}), split(text)) == purpose


@pytest.mark.parametrize(
    "piece", ["service a ", "curl ", "\n", "ps -ef ", "kill ", "systemctl -q ", "pidof /", "'", '"', "\\"]
)
def test_no_script_takes_long_to_read(piece: str):
    """Quadratic, this would take minutes."""
    text = piece * (60_000 // len(piece))
    purpose_of(text, Shelf(), split(text))
