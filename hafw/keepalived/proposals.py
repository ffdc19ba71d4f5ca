"""Checks that hafw has built in, beside the common scripts that they can replace: as comments, for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.config.toml import key, string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.keepalived.checks import Watched
    from hafw.keepalived.reading import Router

_NGINX = ("nginx", "openresty", "tengine")


def propose(router: Router, watched: Iterable[Watched]) -> None:
    """Say it in the report and beside the script."""
    for each in watched:
        if each.kind != "script" or ("plugin", each.key) not in router.draft.sections:
            continue
        lines, why = _proposal(router, each)
        if lines:
            router.draft.section("plugin", each.key).below += lines
            line = next((line for line in each.statement.body or () if line.word == "script"), each.statement)
            router.report.add(line.place, line.text, "advice", f"carried over; {why}")


def _proposal(router: Router, watched: Watched) -> tuple[list[str], str]:
    purpose = watched.purpose
    if _NGINX[0] in (purpose.process, purpose.unit, purpose.starts) or _looks_at_nginx(watched):
        return _nginx(router, watched), "hafw's own nginx check sees more, starts no process, and is proposed beside it"
    if purpose.url:
        return _url(router, watched), "hafw's own HTTP check asks the same without a process, and is proposed beside it"
    if purpose.process or purpose.unit:
        return _process(router, watched), "hafw's own process check sees its end at once, and is proposed beside it"
    return [], ""


def _looks_at_nginx(watched: Watched) -> bool:
    return "nginx" in str(watched.options.get("command", "")).lower() and not watched.purpose.process


def _nginx(router: Router, watched: Watched) -> list[str]:
    lines = ["", "Instead of this script: it asks nginx itself, and sees its end at once."]
    options = [f"url = {string(_full(watched.purpose.url) or 'http://127.0.0.1/')}", 'pid_file = "/run/nginx.pid"']
    if watched.purpose.starts:
        options += ['restart = "nginx.service"', 'user = "root"']
    return [*lines, *_stanza(router, watched, "nginx", options)]


def _url(router: Router, watched: Watched) -> list[str]:
    name = f"{watched.key}_http"
    options = ['plugin = "nginx"', f"url = {string(_full(watched.purpose.url))}"]
    return ["", "Instead of this script:", *_stanza(router, watched, name, options)]


def _process(router: Router, watched: Watched) -> list[str]:
    name = f"{watched.key}_process"
    options = ['plugin = "process"', f"process = {string(watched.purpose.process or watched.purpose.unit)}"]
    return ["", "Instead of this script:", *_stanza(router, watched, name, options)]


def _full(url: str) -> str:
    return url if not url or "://" in url else f"http://{url}"


def _stanza(router: Router, watched: Watched, name: str, options: list[str]) -> list[str]:
    """The check in each instance that has the script, and the plugin."""
    lines = []
    for path, section in router.draft.sections.items():
        if len(path) == 4 and path[2:] == ("check", watched.key):
            weight = section.get("weight")
            lines += [
                f"[{'.'.join(map(key, path[:3]))}.{name}]",
                f"weight = {weight}" if weight else "critical = true",
                "",
            ]
    return [*lines, f"[plugin.{name}]", *options]
