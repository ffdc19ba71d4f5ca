"""Metrics as text: the Prometheus format 0.0.4, and OpenMetrics 1.0 for those that ask for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: all samples under one name."""

    name: str
    """With its suffix: a counter's ends with ``_total``."""
    kind: str
    """``gauge``, ``counter`` or ``histogram``."""
    help: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert (self.kind == "counter") == self.name.endswith("_total"), self.name


@dataclass(frozen=True, slots=True)
class Sample:
    """One line."""

    family: Family
    labels: Mapping[str, str]
    value: float
    suffix: str = ""
    """Of a histogram's lines: ``_bucket``, ``_count``, ``_sum``."""


@dataclass(slots=True)
class Exposition:
    """Samples by family, in the order in which the families were named."""

    families: Iterable[Family]
    _samples: dict[str, list[Sample]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._samples = {family.name: [] for family in self.families}

    def add(self, sample: Sample) -> None:
        """One more; its family has to be known."""
        self._samples[sample.family.name].append(sample)

    def text(self, *, openmetrics: bool = False) -> str:
        """All of it. A family without a sample is told of all the same: it exists, and nothing has happened."""
        lines = [line for family in self.families for line in self._lines(family, openmetrics=openmetrics)]
        return "\n".join([*lines, *(["# EOF"] if openmetrics else []), ""])

    def _lines(self, family: Family, *, openmetrics: bool) -> Iterator[str]:
        # In OpenMetrics a counter's family is named without the suffix of its samples.
        name = family.name.removesuffix("_total") if openmetrics and family.kind == "counter" else family.name
        yield f"# HELP {name} {escape_help(family.help, quotes=openmetrics)}"
        yield f"# TYPE {name} {family.kind}"
        for sample in self._samples[family.name]:
            yield f"{family.name}{sample.suffix}{labels_text(sample.labels)} {number(sample.value)}"


def labels_text(labels: Mapping[str, str]) -> str:
    """``{instance="VI_1",vrid="51"}``; nothing without labels."""
    inner = ",".join(f'{name}="{escape_label(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def escape_label(value: str) -> str:
    r"""Backslash, quote and line feed, as ``\\``, ``\"`` and ``\n``."""
    if value.isidentifier():
        return value
    return escape_help(value, quotes=True)


def escape_help(text: str, *, quotes: bool) -> str:
    """Of a HELP line; OpenMetrics wants quotes escaped there, the older format does not."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def number(value: float) -> str:
    """As both formats spell it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def wants_openmetrics(accept: str) -> bool:
    """Whether an ``Accept`` header asks for OpenMetrics 1.x, with a weight that is not 0."""
    for part in accept.lower().split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        if kind == "application/openmetrics-text":
            weights = [each.removeprefix("q=") for each in parameters if each.startswith("q=")]
            return not weights or weights[0].strip("0.") != ""
    return False
