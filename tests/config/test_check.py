"""``hafw check`` and ``hafw schema`` through the real command, with the real plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from hafw.cli.check import exit_code
from hafw.config import Problem
from hafw.config.system import CAPABILITIES

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'


def hafw(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run in the folder of the configuration, so that it is called ``config.toml``."""
    command = [sys.executable, "-m", "hafw", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def check(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "config.toml").write_text(text)
    (folder / "config.toml").chmod(0o644)
    return hafw(folder, "check", "--node", "lb1", *options, "config.toml")


def test_good_configuration_is_one_line(tmp_path: Path):
    done = check(tmp_path, GOOD, "--no-system")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok: 1 instance, node lb1\n", "")


def test_a_user_of_another_machine_is_no_mistake_without_the_system(tmp_path: Path):
    text = f'{GOOD}[plugin.notify_script]\nnotify = "/bin/true"\nuser = "keepalived_script"\n'
    done = check(tmp_path, text, "--no-system")
    assert (done.returncode, done.stderr) == (0, not_called("notify_script"))


def not_called(names: str) -> str:
    return f"not called: configure of {names}, which may refuse more: hafw check without --no-system calls it\n"


def test_an_option_by_router_is_no_second_mistake_of_a_node_that_the_file_does_not_name(tmp_path: Path):
    urls = "[plugin.nginx]\nurl = { lb2 = 'http://a/', lb3 = 'http://b/' }\n"
    done = check(tmp_path, f"{GOOD}priority = {{ lb2 = 150, lb3 = 100 }}\n{urls}", "--no-system")
    assert [line for line in done.stderr.splitlines() if "node.name" not in line] == ["1 error"]
    assert done.stderr.count("is no node of this file, which names lb2 and lb3") == 1


PICKY = """\
from hafw.api import hookimpl, refuse

@hookimpl
def configure(options):
    refuse([("any", "nothing will do")])
"""


@pytest.mark.parametrize("mistaken", [False, True])
def test_without_the_system_it_is_told_whose_configure_was_not_called(tmp_path: Path, mistaken: bool):
    for name in ("b", "a"):
        (tmp_path / f"{name}.py").write_text(PICKY)
    (tmp_path / "plain.py").write_text("from hafw.api import hookimpl\n\n@hookimpl\ndef stopped():\n    pass\n")
    text = GOOD.replace("51", "300") if mistaken else GOOD
    text += "".join(f'[plugin.{name}]\nfile = "{name}.py"\n' for name in ("b", "plain", "a"))
    done = check(tmp_path, text, "--no-system", "--strict")
    assert done.stderr.endswith(not_called("a and b"))
    assert (done.returncode, "1 error\n" in done.stderr) == ((3, True) if mistaken else (0, False))


def test_one_that_is_on_by_default_is_told_of_only_where_the_file_sets_it(tmp_path: Path):
    done = check(tmp_path, f"{GOOD}[plugin.arp]\nreply = true\n", "--no-system")
    assert done.stderr == not_called("arp"), "and test_good_configuration_is_one_line"


def test_without_root_every_refusal_is_told_beside_the_rights_that_are_missing(tmp_path: Path):
    """``check`` of a plugin's author: no root, and no --no-system."""
    (tmp_path / "a.py").write_text(PICKY)
    bare = [] if os.geteuid() else ["setpriv", "--bounding-set=-net_raw,-net_admin", "--inh-caps=-all"]
    (tmp_path / "config.toml").write_text(f'{GOOD}[plugin.a]\nfile = "a.py"\n')
    (tmp_path / "config.toml").chmod(0o644)
    command = [*bare, sys.executable, "-m", "hafw", "check", "--node", "lb1", "config.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "config.toml:5: plugin.a: any: nothing will do\n" in done.stderr
    assert "capabilities: CAP_NET_ADMIN and CAP_NET_RAW are needed for the daemon" in done.stderr
    assert "not called" not in done.stderr
    (tmp_path / "a.py").write_text(PICKY.replace('[("any", "nothing will do")]', "[]"))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 7, done.stderr


def test_mistakes_of_file_and_plugins_are_reported_in_one_run(tmp_path: Path):
    text = GOOD.replace("51", "300") + 'virtual_adresses = []\n[plugin.nginx]\nurl = 3\nexpekt = "200"\n'
    done = check(tmp_path, text, "--no-system")
    assert done.stderr.splitlines() == [
        "config.toml:3: instance.VI_1.vrid = 300: must be 1 to 255",
        "config.toml:5: instance.VI_1.virtual_adresses: unknown key (did you mean virtual_addresses?)",
        "config.toml:7: plugin.nginx.url = 3: must be a string",
        "config.toml:8: plugin.nginx.expekt: unknown key (did you mean expect?)",
        "4 errors",
    ]
    assert (done.returncode, done.stdout) == (3, "")


def test_a_mistake_in_an_instance_makes_no_plugin_useless(tmp_path: Path):
    text = f"{GOOD.replace('51', '300')}[instance.VI_1.check.nginx]\ncritical = true\n"
    assert check(tmp_path, text, "--no-system").stderr.splitlines() == [
        "config.toml:3: instance.VI_1.vrid = 300: must be 1 to 255",
        "1 error",
        not_called("nginx").rstrip(),
    ]


def test_warnings_count_only_with_strict(tmp_path: Path):
    text = f'{GOOD}preempt = false\npreempt_delay = "5s"\n'
    for options, code in (((), 0), (("--strict",), 4)):
        done = check(tmp_path, text, "--no-system", *options)
        assert done.returncode == code
        assert done.stderr.endswith("has no effect with preempt = false: leave it out\n1 warning\n")
        assert done.stdout == "ok: 1 instance, node lb1\n"


def test_print_shows_the_effective_configuration_without_the_password(tmp_path: Path):
    text = f'{GOOD}version = 2\nauth = {{ type = "pass", password = "geheim" }}\n'
    done = check(tmp_path, text, "--no-system", "--print")
    assert done.returncode == 0
    assert "advertisement_interval = " in done.stdout
    assert "geheim" not in done.stdout + done.stderr


SAFE = """\
from dataclasses import dataclass, field
from hafw.api import Duration, Secret, hookimpl

@dataclass(frozen=True)
class Login:
    pin: Secret
    user: str = "nobody"

@dataclass(frozen=True)
class Options:
    pins: tuple[Secret, ...] = ()
    login: Login | None = None
    patience: Duration = Duration(300.0)
    instance: str = ""
    on: list[str] = field(default_factory=lambda: ["master"])

@hookimpl
def options():
    return Options

@hookimpl
def stopped():
    pass
"""


def test_print_asks_the_plugins_for_their_defaults_and_for_what_is_secret(tmp_path: Path):
    (tmp_path / "mine.py").write_text(SAFE)
    (tmp_path / "mine.py").chmod(0o644)
    slack = 'url = "https://hooks.slack.com/services/LEAKurl"\nheaders = { X-Api = "LEAKheader" }\n'
    text = f"""{GOOD}
        [plugin.mine]\nfile = "mine.py"\npins = ["LEAKpin", "file:/etc/hafw/pin"]\nlogin = {{ pin = "LEAKlogin" }}
        [plugin.webhook]\n{slack}proxy = "http://LEAKuser:LEAKword@192.0.2.1:3128"
        [plugin.apprise]\nurls = ["tgram://LEAKtoken/1"]"""
    done = check(tmp_path, text, "--no-system", "--print")
    assert "LEAK" not in done.stdout + done.stderr
    shown = tomllib.loads(done.stdout)["plugin"]
    assert {key: value for key, value in shown["mine"].items() if key not in ("file", "limits")} == {
        "pins": ["(hidden)", "file:/etc/hafw/pin"],
        "login": {"pin": "(hidden)", "user": "nobody"},
        "patience": "5m",
        "instance": "",
        "on": ["master"],
    }
    assert (shown["webhook"]["url"], shown["webhook"]["headers"]) == ("(hidden)", {"X-Api": "(hidden)"})
    assert (shown["webhook"]["proxy"], shown["webhook"]["shape"]) == ("(hidden)", "hafw")
    assert shown["apprise"]["urls"] == ["(hidden)"]
    assert (shown["arp"]["request"], shown["vip"]["limits"]["files"]) == (True, 1024)


@pytest.mark.skipif(os.geteuid() != 0, reason="as root the script would run as root")
def test_script_that_others_can_change_is_exit_code_5(tmp_path: Path):
    script = tmp_path / "notify.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o777)
    text = GOOD.replace("eth0", "lo") + f'[plugin.notify_script]\nnotify = "{script}"\n'
    done = check(tmp_path, text)
    assert (
        f"config.toml:6: plugin.notify_script.notify: {script} would run as root, but {script} is writable by everybody"
        f" (mode 0777): chmod o-w {script}\n"
    ) in done.stderr
    assert done.returncode == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop a capability")
def test_a_capability_that_is_missing_is_exit_code_7_and_a_script_that_others_can_change_goes_before_it(tmp_path: Path):
    def lacking(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "config.toml").write_text(text)
        (tmp_path / "config.toml").chmod(0o644)
        bounded = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-all", sys.executable, "-m", "hafw", "check"]
        command = [*bounded, "--node", "lb1", "config.toml"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    done = lacking(GOOD.replace("eth0", "lo"))
    assert "config.toml: capabilities: CAP_NET_RAW is needed for the daemon and not in effect here" in done.stderr
    assert done.returncode == 7
    script = tmp_path / "notify.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o777)
    done = lacking(GOOD.replace("eth0", "lo") + f'[plugin.notify_script]\nnotify = "{script}"\n')
    assert done.returncode == 5
    assert "CAP_NET_RAW" in done.stderr


def test_a_warning_about_the_machine_counts_with_strict(tmp_path: Path):
    done = check(tmp_path, GOOD.replace("eth0", "hafw-none"), "--strict")
    assert done.returncode == (4 if os.geteuid() == 0 else 7)


def test_interface_that_is_not_there_is_found_on_the_real_machine(tmp_path: Path):
    done = check(tmp_path, GOOD.replace("eth0", "hafw-none"))
    assert 'config.toml:2: warning: instance.VI_1.interface = "hafw-none": does not exist here' in done.stderr


def test_file_that_is_no_toml(tmp_path: Path):
    done = check(tmp_path, "[instance.VI_1\n")
    assert (done.returncode, done.stderr) == (3, f"{done.stderr.splitlines()[0]}\n1 error\n")
    assert done.stderr.startswith("config.toml:1: not TOML: ")


def test_schema_describes_installed_plugins(tmp_path: Path):
    done = hafw(tmp_path, "schema")
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "url" in schema["properties"]["plugin"]["properties"]["nginx"]["properties"]


INSECURE = Problem("plugin.x.notify", "/x is writable by everybody (mode 0777): chmod o-w /x")
INCAPABLE = Problem(CAPABILITIES, "CAP_NET_RAW is needed")
WRONG = Problem("instance.VI_1.vrid", "= 300: must be 1 to 255")
WARNING = Problem("instance.VI_1.interface", "does not exist", severity="warning")


@pytest.mark.parametrize(
    ("problems", "strict", "code"),
    [
        ([], True, 0),
        ([WARNING], False, 0),
        ([WARNING], True, 4),
        ([WARNING, WRONG, INSECURE, INCAPABLE], False, 3),
        ([INSECURE, INCAPABLE], True, 5),
        ([INCAPABLE, WARNING], True, 7),
    ],
)
def test_exit_code_says_what_to_fix_first(problems: list[Problem], strict: bool, code: int):
    assert exit_code(problems, strict=strict) == code
