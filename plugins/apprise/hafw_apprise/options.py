"""``[plugin.apprise]``: which services, what they are told, and every mistake in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from hafw.api import Duration, Secret
from hafw.notification import FIELDS, Word, template_mistake, unknown_instances
from hafw_apprise.service import Service, instance_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.api import Router

TIMEOUT: Final = Duration(30)
PATIENCE: Final = Duration(300)
BODY_FIELDS: Final = (*FIELDS, "text", "details", "time")
TITLE: Final = "[hafw] {node} {instance}: {what}"
BODY: Final = "{text}\n\n{details}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.apprise]``."""

    urls: Annotated[list[Secret], Meta(min_length=1)]
    """As apprise writes them: ``tgram://TOKEN/CHAT``. Each is a secret: ``file:/etc/hafw/telegram.url``."""
    on: tuple[Word, ...] = ("master", "fault", "split_brain")
    instances: tuple[str, ...] = ()
    """Only these; empty: all."""
    title: str = TITLE
    """A template; the fields are those of ``body``."""
    body: str = BODY
    """A template: ``{node}``, ``{instance}``, ``{what}``, ``{reason}``, ``{text}``, ``{details}``, ``{time}``."""
    timeout: Annotated[Duration, Meta(ge=0.1, le=120)] = TIMEOUT
    """For one attempt, whatever apprise does in it."""
    patience: Annotated[Duration, Meta(ge=1, le=3300)] = PATIENCE
    """For one message to one service, all attempts together."""


def services(options: Options) -> tuple[Service, ...]:
    """Everybody to tell."""
    found = []
    for number, url in enumerate(options.urls):
        text = url.reveal()
        found.append(
            Service(
                name=f"urls[{number}] {schema_of(text)}",
                url=text,
                timeout=options.timeout,
                patience=options.patience,
            )
        )
    return tuple(found)


def schema_of(url: str) -> str:
    """``tgram``: the only part of a URL that is surely no secret."""
    return url.partition("://")[0].lower()


def mistakes(options: Options, routers: Sequence[Router]) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out; of a URL never more than its beginning."""
    for number, url in enumerate(options.urls):
        text = url.reveal()
        if "://" not in text:
            yield f"urls[{number}]", 'must be a URL of apprise, such as "tgram://TOKEN/CHAT"'
        elif instance_of(text) is None:
            schema = schema_of(text)
            where = f"https://github.com/caronc/apprise/wiki has every service ({schema}://...)"
            yield f"urls[{number}]", f"apprise does not understand it: something is missing or misspelt: {where}"
    yield from unknown_instances(options.instances, routers)
    for key in ("title", "body"):
        if wrong := template_mistake(getattr(options, key), BODY_FIELDS):
            yield key, wrong
    if not options.body.strip():
        yield "body", "is empty: most services refuse a message without one"
    if options.timeout > options.patience:
        yield "timeout", "is longer than patience, which is for all attempts"
