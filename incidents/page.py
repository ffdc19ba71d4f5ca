"""docs/incidents.md: symptom, what the commands say, cause, mending; all of it from one run."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from incidents.cases import INCIDENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from incidents.play import Played

PAGE: Final = """\
# Twelve incidents, and what hafw says of them

Written by `sudo make incidents`, which stages each of them with real daemons, a real firewall and a real nginx in
network namespaces, asks what an operator would ask, and fails when the answers do not name the cause, or still name it
after the mending. The outputs are those of that run. What to do about an event or an alert, whatever its cause, is in
the [runbook](runbook.md).

The cluster is a pair: lb1 (10.77.0.1, priority 150) and lb2 (10.77.0.2, priority 100), one virtual address,
10.77.0.250. lb1 has the MAC 02:00:00:00:00:01, lb2 02:00:00:00:00:02, the gateway (10.77.0.254) 02:00:00:00:00:03.

{contents}
{incidents}"""
HEADING: Final = "\n## "
INCIDENT: Final = """\
{title}

**What is seen.** {symptom}

{said}

**The cause.** {cause}

**The mending.** {mending}
"""


def page(played: Iterable[Played], before: str = "") -> str:
    """The whole of it; what was not played now is as it was ``before``."""
    sections = {_title(each): each for each in before.split(HEADING)[1:]}
    sections |= {one.incident.title: _section(one) for one in played}
    titles = [each.title for each in INCIDENTS if each.title in sections]
    contents = "".join(f"- [{title}](#{anchor(title)})\n" for title in titles)
    body = "".join(HEADING + sections[title].rstrip("\n") + "\n" for title in titles)
    return PAGE.format(contents=contents, incidents=body)


def _title(section: str) -> str:
    return section.partition("\n")[0]


def anchor(title: str) -> str:
    """As a heading is linked to."""
    return "".join(each for each in title.lower().replace(" ", "-") if each.isalnum() or each == "-")


def _section(one: Played) -> str:
    said = "\n\n".join(f"`{each.typed}`\n\n```text\n{each.text}\n```" for each in one.said)
    incident = one.incident
    return INCIDENT.format(
        title=incident.title,
        symptom=_filled(f"**What is seen.** {incident.symptom}").removeprefix("**What is seen.** "),
        said=said,
        cause=_filled(f"**The cause.** {incident.cause}").removeprefix("**The cause.** "),
        mending=_filled(f"**The mending.** {incident.mending}").removeprefix("**The mending.** "),
    )


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)
