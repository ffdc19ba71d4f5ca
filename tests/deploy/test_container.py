"""The container file names what there is, and its steps and its capabilities make a router.

The steps are carried out without a container runtime, and the program is run as a container has it: with root's two
capabilities, as process 1 of a namespace, on a machine with the package.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from machine import CONFIG, VIP, Machine

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/Containerfile"
CAPABILITIES = ("NET_ADMIN", "NET_RAW")
KNOWN = {"ARG", "FROM", "COPY", "RUN", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """Every instruction with its words, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", FILE.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(" ", 1)) for line in lines]


def words(name: str) -> str:
    (found,) = [rest for instruction, rest in instructions() if instruction == name]
    return found


def test_every_instruction_is_one_and_the_base_can_be_chosen():
    assert {name for name, _ in instructions()} == KNOWN
    assert words("ARG").startswith("BASE=debian:")
    assert words("FROM") == "${BASE}"


def test_what_is_copied_is_what_make_deb_writes():
    source, target = words("COPY").split()
    assert (source, target) == ("build/hafw_*.deb", "/tmp/hafw.deb")
    assert 'f"hafw_{hafw.__version__}_{architecture}.deb"' in (ROOT / "deploy/deb.py").read_text("utf-8")
    assert target in words("RUN")


def test_the_page_runs_it_with_these_capabilities_and_keeps_what_the_next_one_needs():
    page = (ROOT / "docs/service.md").read_text("utf-8")
    (command,) = re.findall(r"podman run --detach(.*?) hafw\n", re.sub(r"\\\n> ", "", page))
    assert "--network host" in command
    assert "--cap-drop ALL" in command
    assert tuple(re.findall(r"--cap-add (\w+)", command)) == CAPABILITIES
    assert set(json.loads(words("VOLUME"))) <= set(re.findall(r"--volume [^:]+:([^: ]+)", command))


@pytest.mark.long
@pytest.mark.wire
@pytest.mark.peer("systemd")
@pytest.mark.peer("dpkg")
def test_its_steps_install_hafw_and_two_capabilities_are_enough(machine: Machine):
    machine.must("dpkg --purge hafw; cp /root/hafw.deb /tmp/hafw.deb")
    machine.must(words("RUN").replace("apt-get update", "true"))  # no network
    machine.write("/etc/hafw/config.toml", CONFIG.replace("[plugin", "[never").partition("[never")[0])
    assert json.loads(words("ENTRYPOINT")) + json.loads(words("CMD")) == ["hafw", "run", "/etc/hafw/config.toml"]
    bounds = ",".join(["-all", *(f"+{each.lower()}" for each in CAPABILITIES)])
    namespaces = "unshare --mount --pid --fork --kill-child --mount-proc"
    contained = f"setpriv --bounding-set {bounds} hafw run /etc/hafw/config.toml"
    machine.must(f"systemd-run --quiet --unit=contained {namespaces} {contained}")
    machine.until("ip -4 -o address show dev eth0", f"{VIP}/32")
    seen = json.loads(machine.until("hafw status --json", "MASTER"))
    assert seen["pid"] < 10, "in a namespace of its own"
    found = machine.must("pgrep --full '[h]afw run /etc/hafw/config.toml'").split()
    capable = {machine.must(f"grep CapEff /proc/{pid}/status").split()[1] for pid in found}
    assert "0000000000003000" in capable
    # STOPSIGNAL goes to process 1, the guard.
    machine.must("pkill --full --oldest '^/opt/hafw/bin/python3 -P /usr/bin/hafw run'")
    machine.until(f"ip address | grep --count {VIP} || true", "0\n")
    machine.until("systemctl is-active contained || true", "inactive")
