"""What the kernel says of itself: settings, connection tracking, its clock, and where it runs."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hafw.doctor.facts import Clock
from hafw.doctor.finding import Unseen

if TYPE_CHECKING:
    from collections.abc import Iterable

_IPV4: Final = ("rp_filter", "arp_ignore", "arp_filter")
_IPV6: Final = ("disable_ipv6",)
_UNSYNCHRONISED: Final = 0x40
_AZURE: Final = "7783-7084-3265-9085-8269-3286-77"


def settings(names: Iterable[str]) -> dict[str, int]:
    """The sysctl that matter, of these interfaces."""
    names = list(names)
    wanted = [f"net.ipv4.conf.{each}.{key}" for each in ("all", *names) for key in _IPV4]
    wanted += [f"net.ipv6.conf.{each}.{key}" for each in names for key in _IPV6]
    wanted += ["net.ipv4.ip_nonlocal_bind", "net.ipv6.ip_nonlocal_bind"]
    return {each: value for each in wanted if (value := _setting(each)) is not None}


def _setting(name: str) -> int | None:
    """An interface's name may have a dot in it (``eth0.5``), so it is no part of what is split."""
    *front, last = name.split(".")
    parts = [*front[:3], ".".join(front[3:]), last] if len(front) > 3 else [*front, last]
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys", *parts).read_text(encoding="ascii"))
    return None


def conntrack() -> tuple[int, int] | None:
    """Entries and their limit; ``None``: nothing is tracked."""
    entries, limit = (_setting(f"net.netfilter.nf_conntrack_{each}") for each in ("count", "max"))
    return None if entries is None or limit is None else (entries, limit)


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), as far as it is read; the rest is room for the kernel to write."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock(unseen: list[Unseen]) -> Clock | None:
    """What adjtimex(2) knows; reading needs no right."""
    timex = _Timex()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(ctypes.byref(timex)) < 0:
        unseen.append(Unseen("whether the clock is synchronised", os.strerror(ctypes.get_errno()), "timedatectl"))
        return None
    return Clock(synchronised=not timex.status & _UNSYNCHRONISED, error=timex.maxerror / 1e6)


def cloud(root: Path) -> str:
    """The cloud whose machine this is, if it is one that carries no multicast."""
    said = {
        key: _text(root / "sys/class/dmi/id" / key)
        for key in ("sys_vendor", "product_name", "bios_vendor", "chassis_asset_tag")
    }
    if "amazon" in (said["sys_vendor"] + said["bios_vendor"]).lower():
        return "Amazon EC2"
    if "google compute engine" in said["product_name"].lower():
        return "Google Cloud"
    return "Microsoft Azure" if said["chassis_asset_tag"] == _AZURE else ""


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
