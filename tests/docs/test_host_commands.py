"""What pages say to other programs, as far as those are there: nft, nginx, and the settings of the kernel."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import consoles
import pages
import pytest
from pages import ROOT

NFT = re.compile(r"`nft ([^`\n]*)`")
SYSCTL = re.compile(r"\bnet\.(?:ipv4|ipv6|core)\.[A-Za-z0-9_.]+[A-Za-z0-9_]")
TABLE = "add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }"
NGINX = "events {{}}\npid {folder}/pid;\nerror_log stderr;\nhttp {{\naccess_log off;\n{text}\n}}\n"


def nft_commands() -> list[str]:
    found = []
    for page in pages.markdown():
        found += NFT.findall(pages.prose(page.read_text("utf-8")))
        for block in filter(consoles.is_console, pages.blocks_of(page)):
            if "performance" not in page.name:
                found += [each.text[4:] for each in consoles.commands_of(block) if each.text.startswith("nft ")]
    return sorted({each for each in found if "..." not in each and not each.startswith("-")})


@pytest.mark.wire
@pytest.mark.skipif(os.geteuid() != 0, reason="nft needs root in a namespace of its own")
def test_nft_takes_every_rule():
    commands = nft_commands()
    script = "\n".join([TABLE, *(" ".join(shlex.split(each)) for each in commands)])
    done = subprocess.run(
        ["unshare", "--net", "nft", "-f", "-"], input=script, capture_output=True, text=True, check=False, timeout=30
    )
    assert len(commands) >= 3
    assert done.stderr == ""


def test_the_kernel_has_every_setting_that_is_named():
    missing = set()
    for page in pages.markdown():
        for key in SYSCTL.findall(page.read_text("utf-8")):
            path = re.sub(r"/(?:IFACE|IF|eth0)/", "/lo/", f"/proc/sys/{key.replace('.', '/')}")
            if not Path(path).exists():
                missing.add((page.name, key))
    assert missing == set()


@pytest.mark.wire
@pytest.mark.peer("nginx")
def test_nginx_takes_every_snippet(tmp_path: Path):
    snippets = [each for each in pages.blocks("nginx") if each.page.is_relative_to(ROOT / "docs")]
    assert snippets
    for each in snippets:
        file = tmp_path / "nginx.conf"
        file.write_text(NGINX.format(folder=tmp_path, text=each.text), "utf-8")
        done = subprocess.run(
            ["unshare", "--net", "nginx", "-t", "-p", str(tmp_path), "-c", str(file)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert "test is successful" in done.stderr, f"{each.place}: {done.stderr}"
