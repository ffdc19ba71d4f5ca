"""Hosts answer an echo request: the gateway, or several hosts, of which so many must answer.

One target that dies is no reason to move an address. So ask several, and need one.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse, user_name
from hafw_checks.icmp import DeniedError, Round, Target, open_socket
from hafw_checks.reach import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = Duration(0.7)
SPACING = Duration(0.2)
RANGE: Final = Path("/proc/sys/net/ipv4/ping_group_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.ping]``."""

    targets: Annotated[tuple[str, ...], Meta(min_length=1, max_length=16)]
    """Addresses; names would make the check depend on DNS."""
    need: Annotated[int, Meta(ge=1, le=16)] = 1
    """How many of them must answer."""
    count: Annotated[int, Meta(ge=1, le=20)] = 3
    """How often one that does not answer is asked in each check."""
    spacing: Annotated[Duration, Meta(ge=0.01, le=10)] = SPACING
    """Between two requests to the same target."""
    source: str = ""
    """The own address to ask from; empty: the kernel's choice."""
    timeout: Annotated[Duration, Meta(ge=0.01, le=60)] = TIMEOUT
    """For all of it; less than the check's own timeout, which kills this process."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    seen: list[Target] = []
    for number, text in enumerate(options.targets):
        key = f"targets[{number}]"
        try:
            target = ip_address(text)
        except ValueError:
            yield key, f'= "{text}": must be an IPv4 or IPv6 address: a name would make the check depend on DNS'
            continue
        if target.is_multicast or target.is_unspecified:
            yield key, f'= "{text}": must be the address of one host'
        elif target.version == 6 and target.is_link_local and "%" not in text:
            yield key, f'= "{text}": is link-local: name its interface, "{text}%eth0"'
        elif target in seen:
            yield key, f'= "{text}": is there twice'
        seen.append(target)
    if options.need > len(options.targets):
        yield "need", f"= {options.need}: must be at most {len(options.targets)}, the number of targets"
    if (took := (options.count - 1) * options.spacing) >= options.timeout:
        rule = f"{options.count} requests take {Duration(took)}, which must be less than timeout, {options.timeout}"
        yield "count", f"= {options.count}: {rule}"
    yield from _source_mistakes(options, seen)


def _source_mistakes(options: Options, targets: list[Target]) -> Iterator[tuple[str, str]]:
    if not options.source:
        return
    try:
        source = ip_address(options.source)
    except ValueError:
        yield "source", f'= "{options.source}": must be an address of this machine'
        return
    if others := [each for each in targets if each.version != source.version]:
        yield "source", f'= "{options.source}": must be of the same family as all targets, and {others[0]} is not'


def denial() -> str:
    """Why this process may not ping, and the way out."""
    try:
        low, high = RANGE.read_text().split()
    except (OSError, ValueError):
        low = high = "?"
    group = os.getegid()
    return (
        f"{user_name()} may not ping: net.ipv4.ping_group_range is {low} {high}, without its group {group}: "
        f'sysctl -w net.ipv4.ping_group_range="0 2147483647" (and into /etc/sysctl.d), or user = "root"'
    )


class Ping:
    """The targets of one ``[plugin.NAME]``, the same for every instance."""

    def __init__(self) -> None:
        self._options = Options(targets=("127.0.0.1",))
        self._targets: tuple[Target, ...] = ()

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.ping]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work; warn of what this machine does not allow now."""
        refuse(mistakes(options))
        self._options = options
        self._targets = tuple(ip_address(each) for each in options.targets)
        try:
            for version in {each.version for each in self._targets}:
                open_socket(version).close()
        except DeniedError:
            warnings.warn(f"targets: {denial()}; the check fails until then", stacklevel=1)
        except OSError as error:
            warnings.warn(f"targets: {(error.strerror or str(error)).lower()}", stacklevel=1)

    @hookimpl
    def check(self) -> Verdict:
        """Ask all of them at once."""
        options = self._options
        plan = Round(targets=self._targets, count=options.count, spacing=options.spacing, source=options.source)
        try:
            found = plan.run(Deadline(options.timeout))
        except DeniedError:
            return Verdict(False, denial())
        except OSError as error:
            where = f" on {options.source}" if options.source else ""
            return Verdict(False, f"{(error.strerror or str(error)).lower()}{where}")
        well = [each for each, said in found.items() if isinstance(said, float)]
        words = [_words(each, said) for each, said in found.items()]
        if len(found) > 1:
            words.insert(0, f"{len(well)} of {len(found)} answer, {options.need} needed")
        return Verdict(len(well) >= options.need, "; ".join(words))


def _words(target: Target, said: float | str) -> str:
    return f"{target} answers in {1000 * said:.1f} ms" if isinstance(said, float) else f"{target}: {said}"


plugin = Ping()
