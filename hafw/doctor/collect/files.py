"""Files that decide what happens to hafw and its addresses: units, network configuration, scripts, services."""

from __future__ import annotations

import contextlib
import re
import shlex
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hafw.doctor.collect.programs import ask, found
from hafw.doctor.facts import Managed, Mention, Script, Service, Unit
from hafw.doctor.finding import Unseen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from hafw.config.model import Config
    from hafw.vrrp.settings import IPAddress

_SIZE_MAX: Final = 1 << 20
_UNITS: Final = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_RUNNING: Final = "sys/fs/cgroup/system.slice"
_USUAL: Final = "hafw.service"
_NETWORKS: Final = (
    "etc/systemd/network",
    "run/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
)
_BINDING: Final = (
    "etc/systemd/network/*.network",
    "run/systemd/network/*.network",
    "etc/systemd/network/*.network.d/*.conf",
    "etc/NetworkManager/system-connections/*",
    "etc/network/interfaces",
    "etc/network/interfaces.d/*",
    "etc/netplan/*.yaml",
    "etc/sysconfig/network-scripts/ifcfg-*",
)
_ADDRESS: Final = re.compile(
    r"(?<![0-9A-Za-z.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![0-9A-Za-z.:])"
)
_NO_BINDING: Final = re.compile(
    r"gateway|dns|nameserver|\bvia\b|route|destination|metric|broadcast|network|\bdns", re.IGNORECASE
)
_RUN: Final = re.compile(r"\bhafw\s+(?:-\S+\s+|--\S+\s+)*run\b")
_GAINING: Final = re.compile(r"^[^#\n]*\b(sudo|su|sendmail|mail|mailx|ping|ping6|doas|pkexec|crontab)\s", re.MULTILINE)
_WRITING: Final = re.compile(r"^[^#\n]*?(?:>{1,2}|\btee\s+(?:-a\s+)?)\s*\"?(/[\w./-]+)", re.MULTILINE)
_LISTEN: Final = re.compile(r"(?:^|[{;])\s*listen\s+(\[[0-9A-Fa-f:]+\]|\d[\d.]+)(?::(\d+))?[\s;]")
_NGINX: Final = ("etc/nginx/nginx.conf", "etc/nginx/conf.d/*.conf", "etc/nginx/sites-enabled/*")
_FILE: Final = re.compile(r"^# configuration file (.+):$")
_REFUSED: Final = re.compile(r"bind\(\) to (\[[^\]]+\]|[\d.]+):(\d+) failed \(99")


def read(path: Path) -> str:
    """A text, as far as it may be read; empty: it may not."""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(_SIZE_MAX).decode(errors="replace")
    return ""


# -- systemd ----------------------------------------------------------------------------------------------------


def units(root: Path) -> tuple[Unit, ...]:
    """Every service that runs hafw, as its file and drop-ins say; the first folder wins, as with systemd."""
    found: dict[str, Path] = {}
    for folder in _UNITS:
        for path in sorted((root / folder).glob("*.service")):
            found.setdefault(path.name, path)
    texts = {name: read(path) for name, path in found.items()}
    mine = _in_use(root, {name: found[name] for name, text in texts.items() if _RUN.search(text)})
    return tuple(
        Unit(
            name=name,
            path=_shown(root, found[name]),
            values=settings([texts[name], *map(read, _drop_ins(root, _UNITS, name))]),
        )
        for name in mine
    )


def _in_use(root: Path, found: Mapping[str, Path]) -> list[str]:
    """Those that run or are started at boot; of units that nobody uses yet, those that somebody has written."""
    used = [
        name
        for name in found
        if any((root / "etc/systemd/system").glob(f"*.wants/{name}")) or (root / _RUNNING / name).exists()
    ]
    written = [name for name, path in found.items() if path.is_relative_to(root / _UNITS[0])]
    return used or written or [name for name in found if name == _USUAL]


def _drop_ins(root: Path, folders: Iterable[str], name: str) -> list[Path]:
    """In the order in which they are applied: by name, whatever the folder."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((root / folder / f"{name}.d").glob("*.conf")):
            found.setdefault(path.name, path)
    return [found[each] for each in sorted(found)]


def settings(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Keys and their values; an empty value takes back those before it."""
    found: dict[str, list[str]] = {}
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            key, equals, value = line.strip().partition("=")
            if not equals or line.lstrip().startswith(("#", ";", "[")):
                continue
            if value.strip():
                found.setdefault(key.strip(), []).append(value.strip())
            else:
                found[key.strip()] = []
    return {key: tuple(values) for key, values in found.items()}


# -- network configuration --------------------------------------------------------------------------------------


def managed(root: Path, indices: Mapping[str, int]) -> tuple[Managed, ...]:
    """Who configures these interfaces, as the daemons' own state says."""
    return tuple(each for name, index in indices.items() for each in _managed(root, name, index))


def _managed(root: Path, name: str, index: int) -> Iterator[Managed]:
    state = settings([read(root / f"run/systemd/netif/links/{index}")])
    file = (state.get("NETWORK_FILE") or ("",))[-1]
    if file and (state.get("ADMIN_STATE") or ("",))[-1] not in {"unmanaged", "failed"}:
        texts = [read(root / file.lstrip("/")), *map(read, _drop_ins(root, _NETWORKS, Path(file).name))]
        keeps = settings(texts).get("KeepConfiguration") or ("",)
        yield Managed(interface=name, by="systemd-networkd", file=file, keeps=keeps[-1])
    device = settings([read(root / f"run/NetworkManager/devices/{index}")])
    if (device.get("managed") or ("false",))[-1] in {"true", "full", "yes"}:
        yield Managed(interface=name, by="NetworkManager")


def mentions(root: Path, wanted: Collection[IPAddress], unseen: list[Unseen]) -> tuple[Mention, ...]:
    """Lines by which a configuration of this machine binds one of these addresses."""
    found = []
    hidden = []
    for pattern in _BINDING:
        for path in sorted(root.glob(pattern)):
            text = read(path)
            if not text and path.is_file() and path.stat().st_size:
                hidden.append(_shown(root, path))
            found += [
                Mention(file=_shown(root, path), line=number, address=ip)
                for number, line in enumerate(text.splitlines(), 1)
                for ip in _bound_by(line)
                if ip in wanted
            ]
    if hidden:
        unseen.append(
            Unseen(f"whether {', '.join(hidden)} bind a virtual address", "may not be read", "run it as root")
        )
    return tuple(found)


def _bound_by(line: str) -> Iterator[IPAddress]:
    """Addresses in a line that is no comment and no route."""
    if line.lstrip().startswith(("#", ";", "//")):
        return
    if _NO_BINDING.search(line) and not re.match(r"\s*(?:up|post-up)\b.*\baddr", line):
        return
    # NetworkManager writes an address and the gateway behind it.
    own = line.partition(",")[0] if re.match(r"address\d*=", line) else line
    for match in _ADDRESS.finditer(own):
        with contextlib.suppress(ValueError):
            yield ip_address(match[0])


def _shown(root: Path, path: Path) -> str:
    return f"/{path.relative_to(root)}"


# -- scripts and services ---------------------------------------------------------------------------------------


def scripts(config: Config) -> tuple[Script, ...]:
    """Those that plugins are told to run."""
    paths = [
        path
        for plugin in config.plugins.values()
        if plugin.kind in {"script", "notify_script"}
        for path in _commands(plugin.options)
    ]
    return tuple(_script(path) for path in dict.fromkeys(paths))


def _commands(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever TOML may hold
    if isinstance(value, str) and value.startswith("/"):
        with contextlib.suppress(ValueError):
            yield shlex.split(value)[0]
    elif isinstance(value, list):
        yield from _commands(value[0] if value else "")
    elif hasattr(value, "values"):
        for each in value.values():
            yield from _commands(each)


def _script(path: str) -> Script:
    """Only a text is looked into."""
    text = read(Path(path))
    if not text.startswith("#!"):
        return Script(path=path)
    gaining = _GAINING.search(text)
    return Script(
        path=path,
        gains=(text.count("\n", 0, gaining.start(1)) + 1, gaining[1]) if gaining else None,
        writes=tuple((text.count("\n", 0, each.start(1)) + 1, each[1]) for each in _WRITING.finditer(text)),
    )


def services(root: Path, unseen: list[Unseen]) -> tuple[Service, ...]:
    """What nginx and haproxy listen on, by address."""
    return (*_nginx(root, unseen), *_haproxy(root))


def _nginx(root: Path, unseen: list[Unseen]) -> list[Service]:
    """What it says itself; where it cannot, what stands in its usual folder, and what it was refused."""
    if not found("nginx"):
        return []
    answer = ask("nginx", "-T")
    if answer is None:
        unseen.append(Unseen("what nginx listens on", "nginx -T does not come to an end", "nginx -T as root"))
        return []
    if not answer.code:
        return list(listening(answer.output))
    texts = ((_shown(root, path), read(path)) for pattern in _NGINX for path in sorted(root.glob(pattern)))
    listed = [each for name, text in texts for each in listening(f"# configuration file {name}:\n{text}")]
    # It binds even when it only tests, so a refusal is the fact itself.
    for match in _REFUSED.finditer(answer.error):
        with contextlib.suppress(ValueError):
            address = ip_address(match[1].strip("[]"))
            if not any((each.address, each.port) == (address, match[2]) for each in listed):
                listed.append(Service(program="nginx", place="nginx", address=address, port=match[2]))
    if not listed:
        last = (answer.error.strip().splitlines() or ["no word"])[-1]
        unseen.append(Unseen("what nginx listens on", f"nginx -T fails: {last}", "nginx -t as root"))
    return listed


def listening(dump: str) -> Iterator[Service]:
    """The addresses in what ``nginx -T`` prints."""
    file, line_number = "nginx", 0
    for line in dump.splitlines():
        line_number += 1
        if header := _FILE.match(line):
            file, line_number = header[1], 0
        elif match := _LISTEN.search(line.partition("#")[0]):
            with contextlib.suppress(ValueError):
                address = ip_address(match[1].strip("[]"))
                yield Service(program="nginx", place=f"{file}:{line_number}", address=address, port=match[2] or "80")


def _haproxy(root: Path) -> Iterator[Service]:
    """``transparent`` binds an address that is not there."""
    path = root / "etc/haproxy/haproxy.cfg"
    for number, line in enumerate(read(path).splitlines(), 1):
        words = line.split("#")[0].split()
        if words[:1] != ["bind"] or "transparent" in words:
            continue
        for word in words[1].split(",") if len(words) > 1 else ():
            host, _, port = word.removeprefix("ipv4@").removeprefix("ipv6@").rpartition(":")
            with contextlib.suppress(ValueError):
                address = ip_address(host.strip("[]"))
                yield Service(program="haproxy", place=f"{_shown(root, path)}:{number}", address=address, port=port)
