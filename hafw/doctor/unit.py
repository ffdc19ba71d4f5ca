"""What the systemd unit that runs hafw keeps the daemon, or its scripts, from doing."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from hafw.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hafw.config.model import Config
    from hafw.doctor.facts import Facts, Script, Unit

_NEEDED: Final = ("CAP_NET_ADMIN", "CAP_NET_RAW")
_FOR_USERS: Final = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL")
_FAMILIES: Final = {
    "AF_UNIX": "the control socket",
    "AF_NETLINK": "addresses cannot be bound",
    "AF_PACKET": "addresses cannot be announced",
    "AF_INET": "adverts cannot be sent over IPv4",
    "AF_INET6": "adverts cannot be sent over IPv6",
}
_INFINITE: Final = {"infinity", "-1", "unlimited"}


def probe(config: Config, facts: Facts) -> Iterator[Finding]:
    """Of every unit that runs this configuration."""
    for unit in facts.units:
        yield from _capabilities(unit, config)
        yield from _network(unit, config)
        yield from _limits(unit, config)
        yield from _end(unit)
        yield from _scripts(unit, facts)


def _finding(word: str, unit: Unit, what: str, why: str, *lines: str) -> Finding:
    """The way out is a drop-in: the unit itself is replaced by the next upgrade."""
    folder = quote(f"/etc/systemd/system/{unit.name}.d")
    text = "\\n".join(["[Service]", *lines, ""])
    return Finding(
        id=word,
        where=unit.name,
        what=f"{unit.path}: {what}",
        why=why,
        fix=(
            f"mkdir -p {folder}",
            f"printf {quote(text)} > {folder}/{word}.conf",
            "systemctl daemon-reload",
        ),
        keep=f"the second command keeps it; it holds from the next start on: systemctl restart {unit.name}",
    )


def _is_root(unit: Unit) -> bool:
    return unit.last("User", "root") in {"root", "0"} and not unit.on("DynamicUser")


def _capabilities(unit: Unit, config: Config) -> Iterator[Finding]:
    needed = [*_NEEDED]
    if any(each.user not in {"", unit.last("User", "root")} for each in config.plugins.values()):
        needed += _FOR_USERS
    lost = _lost(unit, "CapabilityBoundingSet", needed)
    if lost:
        yield _finding(
            "unit-capabilities",
            unit,
            f"CapabilityBoundingSet= leaves out {' and '.join(lost)}",
            "the daemon does not start (exit code 7), or cannot run plugins as their user",
            f"CapabilityBoundingSet={' '.join(lost)}",
        )
    ambient = set(unit.words("AmbientCapabilities"))
    lacking = [each for each in needed if each not in ambient]
    if not _is_root(unit) and lacking:
        yield _finding(
            "unit-capabilities",
            unit,
            f"runs as {unit.last('User') or 'a user of its own'} without {' and '.join(lacking)}",
            "the daemon does not start (exit code 7), or cannot run plugins as their user",
            f"AmbientCapabilities={' '.join(lacking)}",
        )


def _lost(unit: Unit, key: str, needed: Iterable[str]) -> list[str]:
    """Which of them a list leaves out. Its lines count one after the other, ``~`` takes away (systemd.exec(5))."""
    lines = unit.values.get(key, ())
    if not lines:
        return []
    by_default = lines[0].startswith("~")
    named: set[str] = set()
    for line in lines:
        words = set(line.removeprefix("~").split())
        named = named | words if line.startswith("~") == by_default else named - words
    return [each for each in needed if (each in named) == by_default]


def _network(unit: Unit, config: Config) -> Iterator[Finding]:
    for key in ("PrivateNetwork", "PrivateUsers"):
        if unit.on(key):
            why = {
                "PrivateNetwork": "the daemon sees no interface but its own loopback: it waits in FAULT for ever",
                "PrivateUsers": "capabilities hold inside its own user namespace only: no address can be bound",
            }[key]
            yield _finding("unit-network", unit, f"{key}=yes", why, f"{key}=no")
    versions = {address.version for each in config.instances.values() for address in each.router.all_addresses}
    needed = {"AF_UNIX", "AF_NETLINK", "AF_PACKET", *({4: "AF_INET", 6: "AF_INET6"}[each] for each in versions)}
    lost = _lost(unit, "RestrictAddressFamilies", [each for each in _FAMILIES if each in needed])
    if lost:
        yield _finding(
            "unit-network",
            unit,
            f"RestrictAddressFamilies= leaves out {' and '.join(lost)}",
            "; ".join(f"{each}: {_FAMILIES[each]}" for each in lost),
            "RestrictAddressFamilies=",
            f"RestrictAddressFamilies={' '.join(_FAMILIES)}",
        )


def _limits(unit: Unit, config: Config) -> Iterator[Finding]:
    process = config.process
    if process.realtime:
        limit = unit.last("LimitRTPRIO", "0").rpartition(":")[2]
        low = limit not in _INFINITE and (not limit.isdecimal() or int(limit) < process.realtime)
        if unit.on("RestrictRealtime"):
            why = f"[process] realtime = {process.realtime} is refused by the kernel: the daemon runs without"
            yield _finding("unit-realtime", unit, "RestrictRealtime=yes", why, "RestrictRealtime=no")
        elif low and not _may(unit, "CAP_SYS_NICE"):
            said = f"has no CAP_SYS_NICE, and LimitRTPRIO={limit}"
            why = f"[process] realtime = {process.realtime} is refused by the kernel: the daemon runs without"
            yield _finding("unit-realtime", unit, said, why, f"LimitRTPRIO={process.realtime}")
    limit = unit.last("LimitMEMLOCK", "8M").rpartition(":")[2]
    if process.lock_memory and limit not in _INFINITE and not _may(unit, "CAP_IPC_LOCK"):
        said = f"has no CAP_IPC_LOCK, and LimitMEMLOCK={limit}"
        why = "[process] lock_memory = true is refused by the kernel: a daemon that is paged out is late"
        yield _finding("unit-memlock", unit, said, why, "LimitMEMLOCK=infinity")


def _may(unit: Unit, capability: str) -> bool:
    bounded = not _lost(unit, "CapabilityBoundingSet", [capability])
    return bounded and (_is_root(unit) or capability in unit.words("AmbientCapabilities"))


def _end(unit: Unit) -> Iterator[Finding]:
    mode = unit.last("KillMode", "control-group")
    if mode != "mixed":
        why = (
            "a stop leaves plugins and scripts running"
            if mode in {"process", "none"}
            else "a stop ends plugins and running scripts at once, before the handover is done and they are told of it"
        )
        yield _finding("unit-kill-mode", unit, f"KillMode={mode}", why, "KillMode=mixed")
    if not any("hafw cleanup" in " ".join(each.split()) for each in unit.values.get("ExecStopPost", ())):
        program = unit.last("ExecStart").lstrip("-@:+!").partition(" ")[0] or "/usr/bin/hafw"
        why = (
            "when guard and daemon are both killed, the addresses stay bound here while another router takes them over"
        )
        line = f"ExecStopPost=-{program} cleanup"
        yield _finding("unit-no-cleanup", unit, "has no ExecStopPost= with hafw cleanup", why, line)


def _scripts(unit: Unit, facts: Facts) -> Iterator[Finding]:
    """Only what a script of this configuration really does."""
    for script in facts.scripts:
        for key, said, value in _hindered(unit, script):
            why = f"it fails: {said}"
            lines = (value,) if value else (f"{key}=no",)
            yield _finding(
                "unit-scripts", unit, f"{key}={unit.last(key)}, and {script.path} is run by hafw", why, *lines
            )


def _hindered(unit: Unit, script: Script) -> Iterator[tuple[str, str, str]]:
    """Key, what fails, and the line that allows it if it is not simply ``no``."""
    if unit.on("NoNewPrivileges") and script.gains:
        line, word = script.gains
        yield "NoNewPrivileges", f"line {line} calls {word}, which then gets no rights", ""
    home = script.path.startswith(("/home/", "/root/", "/run/user/"))
    if unit.last("ProtectHome").lower() in {"yes", "true", "1", "on", "tmpfs"} and home:
        yield "ProtectHome", "it is not there for the service", "ProtectHome=read-only"
    if unit.on("PrivateTmp") and script.path.startswith(("/tmp/", "/var/tmp/")):  # noqa: S108 - a path to look for
        yield "PrivateTmp", "it is not there for the service", ""
    protected = {"strict": ("/",), "full": ("/usr/", "/boot/", "/etc/")}
    level = unit.last("ProtectSystem").lower()
    folders = protected.get(level, ("/usr/", "/boot/") if unit.on("ProtectSystem") else ())
    allowed = ("/dev/", "/proc/", "/sys/", *(f"{each.rstrip('/')}/" for each in unit.words("ReadWritePaths")))
    if unit.on("PrivateTmp"):
        allowed += ("/tmp/", "/var/tmp/")  # noqa: S108
    for line, path in script.writes:
        if path.startswith(folders or "\0") and not path.startswith(allowed):
            yield "ProtectSystem", f"line {line} writes {path}", f"ReadWritePaths={path.rpartition('/')[0] or '/'}"
