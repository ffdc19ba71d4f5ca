"""A patient: a machine in a network namespace, with ``near`` in it and a cable to ``far``, where everybody else is."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hafw.config import load
from hafw.doctor import diagnose
from hafw.doctor.collect import collect, programs
from hafw.lab import namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hafw.doctor.facts import Facts
    from hafw.doctor.finding import Finding, Unseen

PATIENCE = 20.0


class Patient:
    """What the doctor sees of it, and what is done to it."""

    def __init__(self, root: Path, near: int, far: int) -> None:
        self.root = root
        self._near, self._far = near, far
        self.config = root / "config.toml"

    def configure(self, text: str) -> None:
        self.config.write_text(text)
        self.config.chmod(0o644)

    def run(self, *commands: str, far: bool = False) -> None:
        """As its operator types them; files of ``/etc`` are those of the patient."""
        with namespaces.inside(self._far if far else self._near):
            for command in commands:
                here = command.replace(" /etc/", f" {self.root}/etc/")
                done = subprocess.run(here, shell=True, capture_output=True, text=True, check=False, timeout=20)
                assert done.returncode == 0, (command, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with namespaces.inside(self._near):
            return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @contextmanager
    def here(self) -> Iterator[None]:
        """The thread on the patient."""
        with namespaces.inside(self._near):
            yield

    @contextmanager
    def beyond(self) -> Iterator[None]:
        """The thread at the far end."""
        with namespaces.inside(self._far):
            yield

    def facts(self, *, listen: bool = False) -> Facts:
        with namespaces.inside(self._near):
            return collect(load(self.config, "lb1")[0], listen=listen, root=self.root)

    def look(self, *, listen: bool = False) -> tuple[list[Finding], list[Unseen]]:
        return diagnose(load(self.config, "lb1")[0], self.facts(listen=listen))

    def complaints(self, *, listen: bool = False) -> list[str]:
        """The words of what was found."""
        findings, unseen = self.look(listen=listen)
        assert unseen == []
        return sorted({each.id for each in findings})

    def until(self, *words: str) -> list[Finding]:
        """Wait until exactly these are found: links and addresses take a moment."""
        deadline = time.monotonic() + PATIENCE
        while True:
            findings, unseen = self.look()
            if sorted({each.id for each in findings}) == sorted(words) and unseen == []:
                return findings
            assert time.monotonic() < deadline, (findings, unseen)
            time.sleep(0.05)

    def cure(self, findings: list[Finding]) -> None:
        """Run every command of every finding, as it stands there."""
        assert findings
        for finding in findings:
            assert finding.fix, finding
            self.run(*finding.fix)


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    """Healthy: one cable, one address, nothing else; and no nginx but the one that a test brings."""
    monkeypatch.setattr(programs, "_PATH", f"{tmp_path}/bin:{programs._PATH}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nginx").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bin/nginx").chmod(0o755)
    near, far = namespaces.new_network(), namespaces.new_network()
    try:
        made = Patient(tmp_path, near, far)
        peer = f"ip link add near type veth peer name far address 02:00:00:00:00:02 netns /proc/self/fd/{far}"
        with namespaces.inside(near):
            subprocess.run(peer.split(), check=True, pass_fds=[far])
        made.run("ip link set far up", "ip address add 192.0.2.2/24 dev far", "ip link set lo up", far=True)
        made.run(
            "ip link set lo up",
            "ip link set near address 02:00:00:00:00:01",
            "sysctl -w net.ipv6.conf.near.accept_dad=0",
        )
        made.run("ip link set near up", "ip address add 192.0.2.1/24 dev near")
        yield made
    finally:
        os.close(near)
        os.close(far)
