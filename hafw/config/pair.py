"""Two routers side by side, each with its own file: what has to be the same on both, and what must not be.

One file for all routers is checked whole by ``load``. This is for those who keep a file per router.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hafw.config.problem import Problem, enumerate_words, show
from hafw.config.values import format_duration
from hafw.vrrp.settings import HmacMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Literal

    from hafw.config.lines import Lines
    from hafw.config.model import Config, InstanceConfig
    from hafw.vrrp.settings import HmacSettings, IPAddress, RouterSettings

_SHOWN = 3
_BOTH_MASTER = "they would not hear each other, and both be MASTER"


@dataclass(frozen=True, slots=True)
class Side:
    """One router's file."""

    config: Config
    file: str
    """As the operator called it."""
    lines: Lines
    name: str
    """What its router is called in messages."""

    def place(self, path: str) -> str:
        """``lb2.toml:7``, of a key or of its table where the key is left out."""
        line = self.lines.find(f"{path}.{self.config.node_name}")
        return f"{self.file}:{line}" if line else self.file


def compare(own: Side, other: Side) -> list[Problem]:
    """Every problem that two routers of these files would have with each other, in the order of the own file."""
    found: list[Problem] = []
    pairs = _pairs(own.config, other.config)
    for name, its in pairs.items():
        if its is None:
            message = f"{other.name} ({other.file}) has no such virtual router: nobody takes its addresses over"
            found.append(Problem(f"instance.{name}", message, severity="warning"))
        else:
            found += _Comparison(own, other, own.config.instances[name], its).problems()
    taken = {each.router.name for each in pairs.values() if each is not None}
    for name in other.config.instances.keys() - taken:
        place = other.place(f"instance.{name}")
        message = f"{other.name} has instance {name} ({place}), and this file has not: nobody takes its addresses over"
        found.append(Problem("instance", message, severity="warning"))
    return [*found, *_crossed(own, other, pairs)]


def _pairs(own: Config, other: Config) -> dict[str, InstanceConfig | None]:
    """Which instance of the other file is meant by each of the own: by name, by VRID, by an address."""
    left = dict(other.instances)
    found: dict[str, InstanceConfig | None] = {name: left.pop(name, None) for name in own.instances}
    for name, mine in own.instances.items():
        router = mine.router
        alike = [
            each
            for each, theirs in left.items()
            if (theirs.router.vrid, theirs.router.family) == (router.vrid, router.family)
            or set(theirs.router.virtual_addresses) & set(router.virtual_addresses)
        ]
        if found[name] is None and alike:
            found[name] = left.pop(alike[0])
    return found


class _Comparison:
    """One virtual router, on both."""

    def __init__(self, own: Side, other: Side, mine: InstanceConfig, its: InstanceConfig) -> None:
        self._own, self._other = own, other
        self._mine, self._its = mine.router, its.router
        self._bound = [{each.address for each in side.addresses} for side in (mine, its)]

    def problems(self) -> Iterator[Problem]:
        """What differs and must not, and what must differ and does not."""
        mine, its = self._mine, self._its
        yield from self._same("vrid", mine.vrid, its.vrid, _BOTH_MASTER)
        yield from self._same("version", mine.version, its.version, _BOTH_MASTER)
        if mine.family != its.family:
            yield self._problem(
                "virtual_addresses",
                f"the first is IPv{mine.family}, and on {self._other.name} IPv{its.family}",
                f"must be of one family: {_BOTH_MASTER}",
            )
        else:
            yield from self._addresses()
        yield from self._interval()
        yield from self._auth()
        yield from self._ways()
        yield from self._order()
        for key in ("group", "virtual_mac"):
            one, two = getattr(mine, key), getattr(its, key)
            yield from self._same(key, one, two, "a takeover would not be whole", severity="warning")

    def _problem(
        self,
        key: str,
        value: str,
        rule: str,
        *,
        its: str | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        path, its_path = f"instance.{self._mine.name}.{key}", f"instance.{self._its.name}.{its or key}"
        return Problem(path, f"{value} ({self._other.place(its_path)}): {rule}", severity=severity)

    def _same(self, key: str, one: Any, two: Any, why: str, **more: Any) -> Iterator[Problem]:  # noqa: ANN401
        if one != two:
            value = f"= {show(one)}: {self._other.name} has {show(two)}"
            yield self._problem(key, value, f"must be the same on both: {why}", **more)

    def _addresses(self) -> Iterator[Problem]:
        """The advertised ones are compared by the protocol; the others are left behind by a takeover."""
        mine, its = set(self._mine.virtual_addresses), set(self._its.virtual_addresses)
        if mine != its:
            discarded = f"version 2 discards its adverts: {_BOTH_MASTER}"
            why = discarded if self._mine.version == 2 else "what one lacks is gone after a takeover"
            yield self._problem("virtual_addresses", self._listed(mine, its), f"must be the same on both: {why}")
        elif self._bound[0] != self._bound[1]:
            value = self._listed(*self._bound)
            rule = "must be the same on both: what one lacks is gone after a takeover"
            yield self._problem("excluded_addresses", value, rule)

    def _listed(self, mine: set[Any], its: set[Any]) -> str:
        parts = [
            f"only {name} has {_few(lacking)}"
            for name, lacking in ((self._own.name, mine - its), (self._other.name, its - mine))
            if lacking
        ]
        return " and ".join(parts)

    def _interval(self) -> Iterator[Problem]:
        one, two = self._mine.advertisement_interval, self._its.advertisement_interval
        if one == two:
            return
        value = f'= "{format_duration(one)}": {self._other.name} has "{format_duration(two)}"'
        if self._mine.version == 2:
            rule = f"must be the same on both: version 2 discards its adverts: {_BOTH_MASTER}"
            yield self._problem("advertisement_interval", value, rule)
        else:
            rule = "the time to a takeover depends on who is MASTER: give both the same"
            yield self._problem("advertisement_interval", value, rule, severity="warning")

    def _auth(self) -> Iterator[Problem]:
        kinds = [_auth_type(each) for each in (self._mine, self._its)]
        if kinds[0] != kinds[1]:
            yield from self._one_sided(*kinds)
            return
        passwords = (self._mine.password, self._its.password)
        if all(passwords) and passwords[0] != passwords[1]:
            value = f"is another than that of {self._other.name}"
            yield self._problem("auth.password", value, f"must be the same on both: {_BOTH_MASTER}")
        if self._mine.hmac and self._its.hmac:
            yield from self._keys(self._mine.hmac, self._its.hmac)

    def _one_sided(self, mine: str, its: str) -> Iterator[Problem]:
        hmac = self._mine.hmac or self._its.hmac
        if {mine, its} == {"none", "hmac"} and hmac is not None and hmac.mode is not HmacMode.ENFORCE:
            rule = f'the roll-out is not finished: mode = "{hmac.mode}" accepts what is not signed'
            yield self._problem("auth", f"is {mine}, and {its} on {self._other.name}", rule, severity="warning")
        else:
            rule = f"must be the same on both: {_BOTH_MASTER}"
            yield self._problem("auth", f"is {mine}, and {its} on {self._other.name}", rule)

    def _keys(self, mine: HmacSettings, its: HmacSettings) -> Iterator[Problem]:
        """By number only: their octets lie on the other machine."""
        sides = ((self._own.name, mine, self._other.name, its), (self._other.name, its, self._own.name, mine))
        for sender, signed, receiver, verified in sides:
            if signed.signs and signed.active not in verified.keys:
                value = f"{sender} signs with key {signed.active}, which {receiver} does not have"
                yield self._problem("auth.keys", value, f"must be known to both: {_BOTH_MASTER}")
            elif not signed.signs and verified.mode is HmacMode.ENFORCE:
                value = f"{sender} signs nothing, and {receiver} enforces signatures"
                rule = f'set mode = "permissive" on both first: {_BOTH_MASTER}'
                yield self._problem("auth.mode", value, rule)

    def _ways(self) -> Iterator[Problem]:
        """How adverts get from one to the other."""
        mine, its = self._mine, self._its
        if bool(mine.unicast_peers) != bool(its.unicast_peers):
            words = ["unicast" if each.unicast_peers else "multicast" for each in (mine, its)]
            value = f"{self._own.name} sends {words[0]}, and {self._other.name} {words[1]}"
            yield self._problem("unicast_peers", value, f"must be the same on both: {_BOTH_MASTER}")
        elif not mine.unicast_peers and mine.multicast_group != its.multicast_group:
            groups = [
                "the default" if each is None else str(each) for each in (mine.multicast_group, its.multicast_group)
            ]
            value = f"{self._own.name} has {groups[0]}, and {self._other.name} {groups[1]}"
            yield self._problem("multicast_group", value, f"must be the same on both: {_BOTH_MASTER}")
        if mine.source_address and mine.source_address == its.source_address:
            value = f'= "{mine.source_address}": {self._other.name} has the same'
            yield self._problem("source_address", value, "must be each router's own")
        own, other = self._own.name, self._other.name
        for peers, source, here, there, key in (
            (mine.unicast_peers, its.source_address, own, other, "source_address"),
            (its.unicast_peers, mine.source_address, other, own, "unicast_peers"),
        ):
            if peers and source and source not in peers:
                value = f"of {here} lack {source}, from which {there} speaks (source_address)"
                yield self._problem("unicast_peers", value, f"{here} discards what it hears from there", its=key)

    def _order(self) -> Iterator[Problem]:
        mine, its = self._mine, self._its
        if mine.owner and its.owner:
            value = f"= true: {self._other.name} is owner too"
            yield self._problem("owner", value, "only one router can have the addresses as its own")
        elif mine.priority == its.priority and mine.preempt and its.preempt:
            value = f"= {mine.priority}: {self._other.name} has the same"
            rule = "the highest address wins: give each its own"
            yield self._problem("priority", value, rule, severity="warning")


def _auth_type(router: RouterSettings) -> str:
    return "hmac" if router.hmac else "none" if router.password is None else "pass"


def _few(addresses: set[IPAddress] | set[str]) -> str:
    words = sorted(map(str, addresses))
    more = len(words) - _SHOWN
    return enumerate_words(words[:_SHOWN]) if more <= 0 else f"{', '.join(words[:_SHOWN])} and {more} more"


def _crossed(own: Side, other: Side, pairs: dict[str, InstanceConfig | None]) -> Iterator[Problem]:
    """Members of a sync group in which the two are ranked differently: each would yield to the other somewhere."""
    for group, members in own.config.groups.items():
        orders = {name: _rank(own.config.instances[name], its) for name in members if (its := pairs[name]) is not None}
        first: Sequence[str] = list(orders)
        for name in first[1:]:
            if orders[name] != orders[first[0]]:
                its = pairs[name]
                assert its is not None
                where = other.place(f"instance.{its.router.name}.priority")
                message = (
                    f"orders {own.name} and {other.name} ({where}) otherwise than {first[0]} does, and group {group}"
                    " has one MASTER for both: give its members the same order"
                )
                yield Problem(f"instance.{name}.priority", message)


def _rank(mine: InstanceConfig, its: InstanceConfig) -> int:
    one, two = mine.router.priority, its.router.priority
    return (one > two) - (one < two)
