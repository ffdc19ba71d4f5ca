"""docs/configuration.md and the schema say the same: every key with its default, and no key besides."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hafw.config.schema import schema
from hafw.daemon.plugins.visiting import schemas

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
PLUGINS = (
    "nginx",
    "haproxy",
    "script",
    "interface",
    "file",
    "process",
    "tcp",
    "http",
    "ping",
    "systemd",
    "notify_script",
    "notify_email",
    "webhook",
    "apprise",
    "service",
    "bird",
    "fifo",
    "routes",
    "web",
    "arp",
    "vip",
)


@cache
def whole() -> dict[str, Any]:
    return schema(schemas(PLUGINS))["properties"]


def described(heading: str) -> dict[str, str]:
    """The keys of a section, each with what stands in its column of defaults."""
    section = re.split(r"\n##+ ", TEXT.partition(f"# {heading}\n")[2])[0]
    return dict(re.findall(r"^\| `(\w+)` \| [^|]*\| ([^|]*?) \|", section, re.MULTILINE))


def expected(table: dict[str, Any]) -> dict[str, str | None]:
    """The same from the schema; ``None``: words of the author's own, for there is no value."""
    required = table.get("required", ())
    found: dict[str, str | None] = {}
    for key, each in table["properties"].items():
        value = json.dumps(each["default"]) if "default" in each else None
        found[key] = "required" if key in required else f"`{value}`" if value else None
    return found


def tables() -> dict[str, dict[str, Any]]:
    instance = whole()["instance"]["additionalProperties"]
    common = whole()["plugin"]["additionalProperties"]
    (address,) = [
        each
        for each in instance["properties"]["virtual_addresses"]["anyOf"][0]["items"]["anyOf"]
        if "properties" in each
    ]
    found = {
        "`[node]`": whole()["node"],
        "`[instance.NAME]`": instance,
        "An address": address,
        "`[instance.NAME] auth`": instance["properties"]["auth"],
        "`[instance.NAME.announce]`": instance["properties"]["announce"],
        "`[instance.NAME.check.CHECK]`": instance["properties"]["check"]["additionalProperties"],
        "`[group.NAME]`": whole()["group"]["additionalProperties"],
        "`[control]`": whole()["control"],
        "`[process]`": whole()["process"],
        "`[journal]`": whole()["journal"],
        "`[plugin.NAME]`": common,
        "`[plugin.NAME.limits]`": common["properties"]["limits"],
    }
    for name in PLUGINS:
        table = whole()["plugin"]["properties"][name]
        own = {key: each for key, each in table["properties"].items() if key not in common["properties"]}
        found[f"`[plugin.{name}]`"] = {**table, "properties": own}
    return found


HEADINGS = [
    *("`[node]`", "`[instance.NAME]`", "An address", "`[instance.NAME] auth`", "`[instance.NAME.announce]`"),
    *(
        "`[instance.NAME.check.CHECK]`",
        "`[group.NAME]`",
        "`[control]`",
        "`[process]`",
        "`[journal]`",
        "`[plugin.NAME]`",
        "`[plugin.NAME.limits]`",
    ),
    *(f"`[plugin.{name}]`" for name in PLUGINS),
]


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_key_is_described_with_its_default_and_no_other(heading: str):
    wanted, found = expected(tables()[heading]), described(heading)
    assert set(found) == set(wanted)
    assert {key: found[key] for key, value in wanted.items() if value is not None} == {
        key: value for key, value in wanted.items() if value is not None
    }
    own_words = [found[key] for key, value in wanted.items() if value is None]
    assert all(words and words != "required" for words in own_words)


def test_every_table_of_the_schema_and_of_the_page_is_compared():
    assert list(tables()) == HEADINGS
    assert set(whole()) == {"node", "instance", "group", "plugin", "control", "process", "journal"}
    titles = re.findall(r"^##+ (`\[.*)$", TEXT, re.MULTILINE)
    assert set(titles) == {heading for heading in HEADINGS if heading.startswith("`")}
