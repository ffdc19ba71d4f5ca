"""The configuration of ``examples/classic``, as it must read in the lab. A test holds the two together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS: Final = "192.168.161.250"
PRIORITY: Final = {"lb1": 150, "lb2": 100, "lb3": 50}
HOST_ADDRESS: Final = {"lb1": "192.168.161.1", "lb2": "192.168.161.2", "lb3": "192.168.161.3"}
INTERVAL: Final = {False: 1.0, True: 0.1}
"""Seconds, by ``fast``."""

_INSTANCE: Final = """\
[instance.VI_1]
interface = "eth0"
vrid = 51
priority = {{ lb1 = 150, lb2 = 100, lb3 = 50 }}
virtual_addresses = ["192.168.161.250"]
{timing}

[instance.VI_1.check.nginx]
critical = true
interval = "1s"
timeout = "800ms"
fall = 2
rise = 2

[plugin.nginx]
url = "http://127.0.0.1/healthz"
expect = "200-299"
pid_file = "{directory}/nginx.pid"
process = "{process}"
grace = "3s"

[plugin.notify_script]
notify = "{directory}/notify.sh"
timeout = "10s"
{user}"""
_CLASSIC: Final = """\
version = 2
advertisement_interval = "1s"
auth = { type = "pass", password = "1111" }"""
_FAST: Final = """\
version = 3
advertisement_interval = "100ms\""""
_NOTIFY: Final = """\
#!/bin/sh
echo "$@" >> {directory}/notify.log
"""


def configuration(directory: Path, *, process: str, one_user: bool, fast: bool) -> str:
    """One router's ``config.toml``.

    ``process`` is the name of what serves the pages; ``one_user`` leaves ``user`` out, for a user namespace in which
    nobody is not mapped; ``fast`` is version 3 with an advert every 100 ms, which knows no password.
    """
    return _INSTANCE.format(
        timing=_FAST if fast else _CLASSIC,
        directory=directory,
        process=process,
        user="" if one_user else 'user = "nobody"\n',
    )


def differences(*, process: str, one_user: bool, fast: bool) -> list[str]:
    """What is not as in ``examples/classic``, and why; for the user to read."""
    said = [
        "pid file and notify script lie in the lab's own directory",
        "no notify_email: there is no mail server in the lab",
    ]
    if process != "nginx":
        said.append(f"nginx is not installed: a small {process} of our own serves the pages")
    if one_user:
        said.append("no `user`: the user namespace has one user only, so everything runs as you")
    if fast:
        said.append("VRRPv3 with an advert every 100 ms in place of VRRPv2 with 1 s")
    return said


def write_notify_script(directory: Path) -> None:
    """Write what ``notify`` names: it appends its arguments to ``notify.log``, as whoever runs it."""
    script, log = directory / "notify.sh", directory / "notify.log"
    script.write_text(_NOTIFY.format(directory=directory), encoding="utf-8")
    script.chmod(0o755)
    log.touch()
    log.chmod(0o666)
