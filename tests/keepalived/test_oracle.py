"""Of every line of the corpus that the real keepalived complains about, the report says something too."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from shelf import Shelf

from hafw.keepalived.importing import Source, convert

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.conf"))
LINE = re.compile(r"^\([^:()]*?([\w-]+\.conf): Line (\d+)\) (.*)$", re.MULTILINE)
ITS_OWN = re.compile(
    r"Unknown keyword '(?:\}|[\d.]+|rr|v3_checksum_as_v2|auth_hmac|key|active_key|anti_replay|time_window|mode|"
    r"virtual_ipaddress)'|Unexpected '\{'"  # what follows a block that it does not know, being older than some words
    r"|'\d+\.\d+' |'1\.5'|'0\.2'"  # fractions of seconds, which later versions take
    r"|no preference specified|not tracking|deprecated|Cannot use unicast_ttl|unicast with use_vmac"  # advice on routes
    r"|track bfd n not found|track script service not found|Unable to set default user|check_bird not found"  # of users
    r"|process name not specified|\[192\.0\.2\.104\]"  # which the report says at the line before
    r"|MUST be of the same family|MUST match VRRP instance family"  # of native_ipv6, which is for IPv6 only there
    r"|doesn't exist"  # links of this machine
    r"|\$PRIO|Priority not valid"  # asked without -i, so that no line of @id counts
)
"""What it says of its own age, of this machine, or a second time."""


@pytest.mark.wire
@pytest.mark.peer("keepalived")
def test_no_complaint_of_keepalived_is_missing_from_the_report(tmp_path: Path):
    script = tmp_path / "ask.sh"
    names = sorted(set(re.findall(r"^\s*interface (\S+)", "\n".join(map(_text, FILES)), re.MULTILINE)) - {"dev"})
    links = "".join(
        f"ip link add {name} type veth peer name p{n} && ip link set {name} up\n" for n, name in enumerate(names)
    )
    script.write_text(f'mount -t tmpfs t /run\n{links}for f in "$@"; do timeout 10 keepalived -t -f $f -l 2>&1; done\n')
    asked = ["unshare", "-n", "-m", "sh", str(script), *map(str, FILES)]
    said = subprocess.run(asked, capture_output=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
    complaints = LINE.findall((said.stdout + said.stderr).decode(errors="replace"))
    told = {
        path.name: {note.place.line for note in convert([Source(path.name, _text(path))], Shelf()).report.lines()}
        for path in FILES
    }
    missing = [
        f"{file}:{line}: {complaint}"
        for file, line, complaint in complaints
        if file in told and int(line) not in told[file] and not ITS_OWN.search(complaint)
    ]
    assert len(complaints) > 100, said
    assert missing == []


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
