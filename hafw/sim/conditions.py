"""What a scenario can wait for and expect: conditions of the moment, and limits on what has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.sim.grammar import Form, choose, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hafw.sim.seen import Span
    from hafw.sim.stage import Stage
    from hafw.sim.story import Story
    from hafw.vrrp.settings import IPAddress


class Unmet(Exception):  # noqa: N818 - it names what happened
    """What was expected is not so; the message says what is."""


def question(words: Sequence[str], stage: Stage, story: Story, *, limits: bool) -> Callable[[], str]:
    """A condition, to be asked as often as one likes: empty while it holds, else what is instead.

    ``limits``: whether a limit on what has happened, with its ``since``, will do too.
    """
    since = 0.0
    if limits and len(words) > 2 and words[-2] == "since":
        words, since = words[:-2], duration(words[-1])
    form, values = choose([*CONDITIONS, *(LIMITS if limits else ())], words, stage)
    return lambda: str(form.run(story, *values, *([since] if form in LIMITS else [])))


# -- conditions -------------------------------------------------------------------------------------------------


def _are(story: Story, hosts: list[str], state: str) -> str:
    found = {host: story.states(host) for host in hosts}
    wrong = [host for host, states in found.items() if set(states.values()) != {state}]
    return ", ".join(f"{host} is {_spell(found[host])}" for host in wrong)


def _are_of(story: Story, hosts: list[str], state: str, instance: str) -> str:
    found = {host: story.states(host).get(instance, "no router of it") for host in hosts}
    return ", ".join(f"{host} is {got}" for host, got in found.items() if got != state)


def _on(story: Story, vip: IPAddress, hosts: list[str]) -> str:
    holders = story.lan.holders(vip)
    return "" if holders == set(hosts) else f"{vip} is on {', '.join(sorted(holders)) or 'nobody'}"


def _spell(states: dict[str, str]) -> str:
    if len(set(states.values())) == 1:
        return next(iter(states.values()))
    return " and ".join(f"{state} of {name}" for name, state in states.items())


# -- limits -----------------------------------------------------------------------------------------------------


def _outage(story: Story, limit: float, since: float) -> str:
    found = [(span, f"{vip} was on nobody") for vip in story.vips for span in story.outages(vip, since)]
    return _longest(found, limit)


def _overlap(story: Story, limit: float, since: float) -> str:
    spans = [
        (span, f"{name} had several MASTERs") for name in story.instances for span in story.lan.rivalled(name, since)
    ]
    return _longest(spans, limit)


def _adverts(story: Story, limit: int, since: float) -> str:
    sent = story.adverts(since)
    total = sum(sent.values())
    return "" if total <= limit else f"{total} adverts: {', '.join(f'{host} {n}' for host, n in sent.items())}"


def _longest(found: list[tuple[Span, str]], limit: float) -> str:
    if not found:
        return ""
    span, what = max(found, key=lambda each: each[0].seconds)
    if span.seconds <= limit + 1e-9:
        return ""
    return f"{what} for {span.seconds:.3f}s, from {span.start:.3f}s to {span.end:.3f}s"


CONDITIONS = (
    Form("ROUTERS is STATE", "all of them are, in every instance", _are),
    Form("ROUTERS are STATE", "the same", _are),
    Form("ROUTERS is STATE of NAME", "all of them are, in this instance", _are_of),
    Form("ROUTERS are STATE of NAME", "the same", _are_of),
    Form("ADDRESS on WHOM", "these and no others have the address in their kernel", _on),
)
LIMITS = (
    Form("outage <= DURATION", "no address was on nobody for longer at a stretch, once somebody had it", _outage),
    Form("overlap <= DURATION", "no instance had two MASTERs for longer at a stretch", _overlap),
    Form("adverts <= NUMBER", "all routers together sent no more", _adverts),
)
