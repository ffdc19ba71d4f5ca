"""What a mail says: what happened, when, why, and who is MASTER now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.api import Router, StateChange

SUBJECT_FIELDS = ("node", "instance", "what", "reason")
MOST_ADDRESSES = 20
MOST_FIELDS = 40
MOST_VALUE = 500
"""Characters; a mail is read by people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A mail before it has a sender and recipients."""

    key: str
    """Identifies what happened on this node: told twice, it is the same mail."""
    time: str
    instance: str
    what: str
    """A few words for the subject."""
    reason: str
    lines: tuple[tuple[str, str], ...]
    """Label and value of each line of the body."""
    lead: str
    """The first sentence."""


def of_change(node: str, router: Router, change: StateChange, state: str, master: str) -> Report:
    """The mail for a transition."""
    shown = [address.address for address in router.addresses[:MOST_ADDRESSES]]
    more = len(router.addresses) - len(shown)
    return Report(
        key=f"change.{change.seq}",
        time=change.time,
        instance=change.instance,
        what=f"{change.old} -> {state}",
        reason=change.reason,
        lead=f"{change.instance} on {node} is now {state}, it was {change.old}.",
        lines=(
            ("when", change.time),
            ("why", change.reason),
            ("MASTER now", master),
            ("priority", str(change.priority)),
            ("heard last", change.peer or "nobody"),
            ("interface", f"{router.interface}, VRID {router.vrid}"),
            ("addresses", ", ".join(shown) + (f" and {more} more" if more else "")),
        ),
    )


def of_event(node: str, event: Mapping[str, object], master: str) -> Report:
    """The mail for any other event; all its fields are told."""
    kind, instance, time = (str(event.get(key, "")) for key in ("type", "instance", "time"))
    apart = ("type", "instance", "time", "seq", "reason")
    others = [(key, str(value)) for key, value in event.items() if key not in apart][:MOST_FIELDS]
    reason = str(event.get("reason", ""))
    where = f"{instance} on {node}" if instance else node
    return Report(
        key=f"event.{event.get('seq', '')}",
        time=time,
        instance=instance,
        what=kind,
        reason=reason,
        lead=f"{where}: {kind.replace('_', ' ')}.",
        lines=(("when", time), ("why", reason), ("MASTER now", master), *others),
    )


def message(report: Report, node: str, subject: str, sender: str, recipients: list[str]) -> EmailMessage:
    """The mail itself. Its Message-ID follows from what happened, so that mail programs show a repetition once."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    fields = {"node": node, "instance": report.instance, "what": report.what, "reason": report.reason}
    mail["Subject"] = one_line(subject.format_map(fields))
    moment = moment_of(report.time)
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = f"<{word(report.key)}.{word(report.instance)}.{moment:%Y%m%d%H%M%S%f}@{word(node)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice comes back
    width = max(len(label) for label, _ in report.lines)
    lines = [f"{label:<{width}}  {one_line(value)[:MOST_VALUE]}" for label, value in report.lines if value]
    mail.set_content("\n".join([report.lead, "", *lines, "", "-- ", f"hafw on {node}", ""]))
    return mail


def moment_of(time: str) -> datetime:
    """When it happened; now when the time cannot be read, because a mail with a wrong date beats no mail."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def one_line(text: str) -> str:
    """Without line ends and control characters, which must not get into a header."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def word(text: str) -> str:
    """Fit for a Message-ID."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip(".-") or "hafw"


def subject_mistake(subject: str) -> str:
    """What is wrong with a subject's template; empty when nothing is."""
    known = ", ".join(f"{{{field}}}" for field in SUBJECT_FIELDS)
    try:
        pieces = list(Formatter().parse(subject))
    except ValueError as error:
        return f'= "{subject}": {error}: the fields are {known}'
    for _, field, spec, conversion in pieces:
        if field is not None and (field not in SUBJECT_FIELDS or spec or conversion):
            return f'= "{subject}": {{{field}}} is no plain field: the fields are {known}'
    return ""
