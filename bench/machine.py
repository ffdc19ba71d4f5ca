"""Where and with what it was measured; nothing in it names a person or a host."""

from __future__ import annotations

import compileall
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import hafw
from hafw.lab import routers

_TREE: Final = Path(__file__).parents[1]


def describe() -> dict[str, str]:
    """Words by name, for people."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processors": f"{os.cpu_count()} x {_processor()}",
        "kernel": f"Linux {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "hafw": f"{hafw.__version__}, commit {_commit()}",
        "trio": _package("trio"),
        "keepalived": _said("keepalived", "--version"),
        "nginx": _said("nginx", "-v"),
        "autogroup": _setting("kernel/sched_autogroup_enabled"),
    }


def compile_all() -> None:
    """As an installation does it: without the bytecode every start would compile all of hafw anew."""
    for folder in ("hafw", "plugins"):
        compileall.compile_dir(_TREE / folder, quiet=2)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor() or "unknown"


def _commit() -> str:
    """With ``+`` behind it when the tree was not as committed."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=_TREE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _said(name: str, option: str) -> str:
    """The first line that the program says of itself."""
    binary = routers.program(name)
    if binary is None:
        return "not installed"
    done = subprocess.run([binary, option], capture_output=True, text=True, check=False, timeout=10)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
