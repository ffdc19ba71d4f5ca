from __future__ import annotations

import os

import pytest
from hafw_nginx import Nginx, Options


def refusal(**options: object) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
        Nginx().configure(Options(**options))
    return str(caught.value).splitlines()


URL_RULE = ': must be like "http://127.0.0.1/" or "https://[::1]:8443/status"'
EXPECT_RULE = ': must be HTTP status codes from 100 to 599, such as "200-399" or "200,301"'


@pytest.mark.parametrize(("options", "said"), [
    ({"url": "127.0.0.1"}, f'url: = "127.0.0.1"{URL_RULE}'),
    ({"url": "ftp://127.0.0.1/"}, f'url: = "ftp://127.0.0.1/"{URL_RULE}'),
    ({"url": "http:///x"}, f'url: = "http:///x"{URL_RULE}'),
    ({"url": "http://a:99999/"}, f'url: = "http://a:99999/"{URL_RULE}: port out of range 0-65535'),
    ({"url": "http://me:secret@a/"}, f'url: = "http://(hidden)@a/"{URL_RULE}, a user in the URL is not sent'),
    ({"url": "http://a/b c"},
     f'url: = "http://a/b c"{URL_RULE}, blanks, control and non-ASCII characters must be percent-encoded'),
    ({"expect": "ok"}, f'expect: = "ok"{EXPECT_RULE}'),
    ({"expect": "399-200"}, f'expect: = "399-200"{EXPECT_RULE}'),
    ({"expect": "200-"}, f'expect: = "200-"{EXPECT_RULE}'),
    ({"expect": "20-99"}, f'expect: = "20-99"{EXPECT_RULE}'),
    ({"expect": ""}, f'expect: = ""{EXPECT_RULE}'),
    ({"host": "a b"}, 'host: = "a b": must be a host name, with a port if need be'),
    ({"pid_file": "nginx.pid"}, 'pid_file: = "nginx.pid": must be an absolute path'),
    ({"process": ""}, 'process: = "": must be the name in /proc/PID/comm, such as nginx'),
    ({"restart": "nginx; reboot", "pid_file": "/p"},
     'restart: = "nginx; reboot": must be a unit name such as nginx.service'),
    ({"restart": "nginx.service"},
     'restart: needs pid_file, by which a crash is told from a planned stop: pid_file = "/run/nginx.pid"'),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(options, said):
    assert refusal(**options) == [said]


def test_every_mistake_is_told_at_once():
    lines = refusal(url="x", expect="y", pid_file="z")
    assert [line.split(":")[0] for line in lines] == ["url", "expect", "pid_file"]


def test_reloading_needs_something_to_reload(monkeypatch):
    monkeypatch.setattr("hafw_nginx.nginx_program", lambda: None)
    assert refusal(reload_on_master=True) == [
        "reload_on_master: needs restart (the unit to reload) or pid_file (the process to signal)",
        "reload_on_master: nginx is not on PATH nor in /usr/sbin: nginx -t cannot run",
    ]


def test_nobody_cannot_act_on_nginx(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert refusal(restart="nginx.service", pid_file="/run/nginx.pid") == [
        'restart: nobody may not act on nginx: user = "root", or a user whom a polkit rule allows it'
    ]


def test_the_example_of_the_readme_is_accepted():
    Nginx().configure(Options(url="http://127.0.0.1/", pid_file="/run/nginx.pid", restart="nginx.service"))
