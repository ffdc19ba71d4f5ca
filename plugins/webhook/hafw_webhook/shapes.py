"""What a message looks like: hafw's own JSON, Slack's, Discord's, or a template."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hafw.notification import one_line, template_mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.notification import Notification
    from hafw_webhook.options import Options

FIELDS: Final = (
    *("node", "instance", "what", "reason", "id", "time", "text", "details", "severity", "type", "from", "to"),
    *("priority", "peer", "addresses", "token"),
)
"""Of a template."""
_ALONE = re.compile(r"\{(\w+)\}")

SLACK_TEXT: Final = 3000
"""Characters of a section; of ``text`` Slack shows more."""
SLACK_FIELD: Final = 2000
SLACK_FIELDS: Final = 10
SLACK_COLOURS: Final = {"good": "#2eb67d", "info": "#868686", "warning": "#ecb22e", "bad": "#e01e5a"}
DISCORD_TITLE: Final = 256
DISCORD_DESCRIPTION: Final = 4096
DISCORD_FIELD_NAME: Final = 256
DISCORD_FIELD: Final = 1024
DISCORD_FIELDS: Final = 25
DISCORD_ALL: Final = 6000
"""Characters of title, description, fields and footer together."""
DISCORD_COLOURS: Final = {"good": 0x2EB67D, "info": 0x868686, "warning": 0xECB22E, "bad": 0xE01E5A}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One message; made once, so that every attempt says the same."""

    body: bytes
    kind: str
    """``Content-Type``."""
    identity: str
    """The same when the event is delivered to us again."""


def render(options: Options, notification: Notification, node: str) -> Rendered:
    """The message in the shape that the options say."""
    identity = notification.identity(node)
    if isinstance(options.template, str) and options.template:
        text = str(filled(options.template, values(options, notification, node)))
        return Rendered(body=text.encode(errors="replace"), kind="text/plain; charset=utf-8", identity=identity)
    if options.template:
        shaped = filled(options.template, values(options, notification, node))
    elif options.shape == "slack":
        shaped = slack(notification)
    elif options.shape == "discord":
        shaped = discord(notification, node)
    else:
        shaped = own(notification, node)
    return Rendered(body=json.dumps(shaped, default=str).encode(), kind="application/json", identity=identity)


def own(notification: Notification, node: str) -> dict[str, Any]:
    """The event as ``hafw events --json`` shows it, and what a receiver needs beside it."""
    about = {
        "id": notification.identity(node),
        "node": node,
        "severity": notification.severity,
        "text": notification.lead,
    }
    return {**notification.record, **about}


def slack(notification: Notification) -> dict[str, Any]:
    """An incoming webhook: https://api.slack.com/messaging/webhooks, with a coloured attachment of blocks."""
    told = [(label, value) for label, value in notification.lines if value][:SLACK_FIELDS]
    fields = [
        {"type": "mrkdwn", "text": cut(f"*{for_slack(label)}*\n{for_slack(value)}", SLACK_FIELD)}
        for label, value in told
    ]
    blocks = [{"type": "section", "fields": fields}] if fields else []
    colour = SLACK_COLOURS[notification.severity]
    return {
        "text": cut(for_slack(notification.lead), SLACK_TEXT),
        "attachments": [{"color": colour, "fallback": cut(notification.lead, SLACK_TEXT), "blocks": blocks}],
    }


def for_slack(text: str) -> str:
    """The three characters that are special in Slack; a ``<!channel>`` in a reason calls nobody."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def discord(notification: Notification, node: str) -> dict[str, Any]:
    """A webhook: https://discord.com/developers/docs/resources/webhook#execute-webhook, with one embed."""
    title = cut(one_line(f"{notification.instance or node}: {notification.what}"), DISCORD_TITLE)
    lead = cut(for_discord(notification.lead), DISCORD_DESCRIPTION // 2)
    footer = cut(f"hafw on {node}", DISCORD_TITLE)
    left = DISCORD_ALL - len(title) - len(lead) - len(footer)
    fields = []
    for label, value in [pair for pair in notification.lines if pair[1]][:DISCORD_FIELDS]:
        name, shown = cut(label, DISCORD_FIELD_NAME), cut(for_discord(value), DISCORD_FIELD)
        left -= len(name) + len(shown)
        if left < 0:
            break
        fields.append({"name": name, "value": shown, "inline": len(shown) < 40})
    embed = {
        "title": title,
        "description": lead,
        "color": DISCORD_COLOURS[notification.severity],
        "timestamp": notification.moment.isoformat(),
        "fields": fields,
        "footer": {"text": footer},
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def for_discord(text: str) -> str:
    """Without Markdown of its own."""
    return re.sub(r"([\\*_~`|>\[\]()#])", r"\\\1", one_line(text)) or "-"


def cut(text: str, most: int) -> str:
    """At most so many characters, and visibly so."""
    return text if len(text) <= most else text[: most - 1] + "…"


def values(options: Options, notification: Notification, node: str) -> dict[str, Any]:
    """What a template may name."""
    record = notification.record
    found = {key: record.get(key, "") for key in ("type", "from", "to", "priority", "peer", "addresses")}
    return {
        **found,
        **notification.fields(node),
        "id": notification.identity(node),
        "time": notification.time,
        "text": notification.lead,
        "details": notification.details,
        "severity": notification.severity,
        "token": options.token.reveal() if options.token else "",
    }


def filled(template: Any, known: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """The same with values for fields; one that stands alone keeps its type, so that a priority is a number."""
    if isinstance(template, dict):
        return {key: filled(each, known) for key, each in template.items()}
    if isinstance(template, list):
        return [filled(each, known) for each in template]
    if not isinstance(template, str):
        return template
    if alone := _ALONE.fullmatch(template):
        return known[alone[1]]
    return template.format_map({key: in_words(value) for key, value in known.items()})


def in_words(value: object) -> str:
    """As part of a text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def template_mistakes(template: Any, *, has_token: bool, path: str = "template") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Every field that does not exist and every value that JSON does not have, each with its place."""
    if isinstance(template, dict | list):
        inner = template.items() if isinstance(template, dict) else enumerate(template)
        for key, each in inner:
            place = f"{path}.{key}" if isinstance(template, dict) else f"{path}[{key}]"
            yield from template_mistakes(each, has_token=has_token, path=place)
    elif isinstance(template, str):
        if wrong := template_mistake(template, FIELDS):
            yield path, wrong
        elif "{token}" in template and not has_token:
            yield path, 'needs token, such as token = "file:/etc/hafw/hook.token"'
    elif not isinstance(template, bool | int | float):
        yield path, f"= {template}: must be a string, a number, true or false, a list or a table: put it into quotes"
