"""[plugin.web], and the exact lines that an operator reads."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest
from hafw_web import Web, names
from hafw_web.options import Options, Place, mistakes_of, place_of, socket_of

from hafw.config.convert import convert

SUCH = "must be an address and a port, such as 127.0.0.1:9112 or [::1]:9112"
BRACKETS = "an IPv6 address stands in brackets, an IPv4 address in none: [::1]:9112"


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"listen": "9112"}, [f'listen: = "9112": {SUCH}']),
        ({"listen": "localhost:9112"}, [f'listen: = "localhost:9112": {SUCH}']),
        ({"listen": ["127.0.0.1:9112", "::1"]}, [f'listen[1]: = "::1": {SUCH}']),
        ({"listen": "::1:9112"}, [f'listen: = "::1:9112": {BRACKETS}']),
        ({"listen": "[127.0.0.1]:9112"}, [f'listen: = "[127.0.0.1]:9112": {BRACKETS}']),
        ({"listen": "127.0.0.1:0"}, ['listen: = "127.0.0.1:0": the port must be 1 to 65535']),
        ({"listen": "127.0.0.1:99999"}, ['listen: = "127.0.0.1:99999": the port must be 1 to 65535']),
        ({"listen": []}, ["listen: is empty: must name an address, such as 127.0.0.1:9112"]),
        ({"listen": ["[::1]:9112", "[0::1]:9112"]}, ['listen[1]: = "[0::1]:9112": is listed twice']),
        (
            {"hosts": ["ok.example", "http://x/"]},
            ['hosts[1]: = "http://x/": must be a host name without a port, such as lb1.example.com'],
        ),
        ({"listen": ["0.0.0.0:9112", "[::]:9112"], "hosts": "lb1.example.com"}, []),
    ],
)
def test_mistakes(options, lines):
    assert [f"{key}: {message}" for key, message in mistakes_of(Options(**options), as_root=False)] == lines


def test_a_low_port_takes_root(monkeypatch):
    monkeypatch.setattr("hafw_web.options.lowest_port", lambda: 1024)
    (mistake,) = mistakes_of(Options(listen="127.0.0.1:80"), as_root=False)
    assert mistake[1] == '= "127.0.0.1:80": ports below 1024 take user = "root": choose another, such as 9112'
    assert not [*mistakes_of(Options(listen="127.0.0.1:80"), as_root=True)]


@pytest.mark.parametrize("table", [{"connections": 9}, {"connections": 901}, {"timeout": "0s"}, {"listn": "x"}])
def test_the_limits_of_limits(table):
    assert convert(table, Options, "plugin.web")[1]


def test_loopback_is_the_default_and_nothing_else():
    assert place_of(str(Options().listen)).address.is_loopback


def test_an_address_that_is_not_there_yet_is_a_warning_and_listened_on():
    with pytest.warns(UserWarning, match="this machine has no such address now") as caught:
        Web().configure(Options(listen=["127.0.0.1:9112", "203.0.113.7:9112"]))
    assert str(caught[0].message).startswith('listen[1]: = "203.0.113.7:9112": ')
    socket_of(Place(ip_address("203.0.113.7"), free_port())).close()


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = Place(ip_address("127.0.0.1"), taken.getsockname()[1])
        with pytest.raises(OSError, match=f"listen = {place}: address already in use"):
            socket_of(place)


def test_ipv6_and_ipv4_may_have_the_same_port():
    port = free_port()
    with socket_of(Place(ip_address("0.0.0.0"), port)), socket_of(Place(ip_address("::"), port)):
        pass


def test_names_are_ours_in_lower_case(monkeypatch):
    assert {"localhost", "lb1.example.com"} <= names(["LB1.example.com"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
