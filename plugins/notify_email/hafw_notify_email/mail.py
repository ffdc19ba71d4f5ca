"""What a mail looks like: what happened, when, why, and who is MASTER now."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from hafw.notification import one_line

if TYPE_CHECKING:
    from hafw.notification import Notification

MOST_VALUE = 500
"""Characters; a mail is read by people."""


def message(notification: Notification, node: str, subject: str, sender: str, recipients: list[str]) -> EmailMessage:
    """The mail itself. Its Message-ID follows from what happened, so that mail programs show a repetition once."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = one_line(subject.format_map(notification.fields(node)))
    mail["Date"] = format_datetime(notification.moment)
    mail["Message-ID"] = f"<{notification.identity(node)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice comes back
    width = max(len(label) for label, _ in notification.lines)
    lines = [f"{label:<{width}}  {one_line(value)[:MOST_VALUE]}" for label, value in notification.lines if value]
    mail.set_content("\n".join([notification.lead, "", *lines, "", "-- ", f"hafw on {node}", ""]))
    return mail
