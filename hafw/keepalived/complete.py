"""One virtual router put together: what its keys say of each other, and how it stands in config.toml."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from hafw.config.values import format_duration
from hafw.keepalived.draft import Entry
from hafw.keepalived.instance import ORDER
from hafw.keepalived.vips import Address, complete_addresses

if TYPE_CHECKING:
    from hafw.keepalived.draft import Section, Value
    from hafw.keepalived.instance import Instance
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router
    from hafw.keepalived.report import Kind
    from hafw.keepalived.settings import Settings
    from hafw.vrrp.settings import IPAddress

_ADVERTISED_MAX = 255


@dataclass
class Completion:
    """Puts one instance together."""

    router: Router
    settings: Settings
    rates: dict[str, float]
    """Seconds between announcements by interface, from ``garp_group``."""
    instance: Instance

    def put(self) -> None:
        """Write ``[instance.NAME]`` and its announce table into the draft."""
        name = self.instance.name
        section = self.router.draft.section("instance", name, place=self.instance.statement.place)
        if self.instance.is_master and self.instance.first_state is not None:
            self.router.masters[name] = self.instance.first_state
        self._interface()
        self._virtual_mac()
        self._addresses()
        self._version()
        self._priority()
        self._owner_mac()
        self._interval()
        self._preemption()
        self._transport()
        self._authentication()
        self._common()
        for key, (value, statement) in self.instance.values.items():
            section.put(key, value, statement.place)
        section.entries = {key: section.entries[key] for key in ORDER if key in section.entries}
        self._announce(name)
        self._can_run(section)

    def _say(self, statement: Statement, kind: Kind, why: str) -> None:
        self.router.report.add(statement.place, statement.text, kind, why)

    def _set(self, key: str, value: Value, statement: Statement | None = None) -> None:
        self.instance.values[key] = (value, statement or self.instance.statement)

    def _interface(self) -> None:
        instance = self.instance
        if instance.interface:
            return
        first = next((each for each in [*instance.addresses, *instance.excluded] if each.on("")), None)
        found = self.settings.interface or (first.on("") if first else "")
        if not found:
            return
        self._set("interface", found)
        self._say(
            instance.statement, "changed", f"has no interface: adverts are sent on {found}, where its addresses are"
        )

    def _virtual_mac(self) -> None:
        """With it all addresses are on the device that hafw makes for that MAC, and have no labels."""
        instance = self.instance
        if "virtual_mac" not in instance.values:
            return
        line = instance.values["virtual_mac"][1]
        devices = {"", instance.interface, *line.arguments[:1]}
        both = [*instance.addresses, *instance.excluded]
        elsewhere = [each for each in both if each.on("") not in devices]
        if elsewhere:
            del instance.values["virtual_mac"]
            why = "hafw has all addresses of such an instance on one device, and some are on other interfaces: left out"
            self._say(line, "decide", why)
            return
        for each in both:
            each.value.pop("interface", None)
            if each.value.pop("label", None):
                self._say(each.statement, "changed", "on the device of a virtual MAC an address has no label")

    def _owner_mac(self) -> None:
        if "owner" in self.instance.values and "virtual_mac" in self.instance.values:
            _, line = self.instance.values.pop("virtual_mac")
            self._say(line, "decide", "an owner's addresses answer with the MAC of its interface: left out")

    def _addresses(self) -> None:
        instance, interface = self.instance, self.instance.interface
        if not instance.addresses and instance.excluded:
            instance.addresses, instance.excluded = instance.excluded[:1], instance.excluded[1:]
            why = "an advert has to carry an address at least: the first of these is advertised"
            self._say(instance.addresses[0].statement, "changed", why)
        instance.family = instance.addresses[0].ip.version if instance.addresses else 4
        both = complete_addresses(self.router, [*instance.addresses, *instance.excluded], interface, 0)
        instance.addresses = [each for each in both if each in instance.addresses]
        instance.excluded = [each for each in both if each not in instance.addresses]
        complete_addresses(self.router, instance.addresses, interface, instance.family)
        if instance.family == 6:
            self._link_local_first()
        self._not_too_many()
        for key, some in (("virtual_addresses", instance.addresses), ("excluded_addresses", instance.excluded)):
            if some:
                self._set(key, [each.written(interface) for each in some], some[0].statement)

    def _link_local_first(self) -> None:
        """RFC 9568 section 5.2.9 (C-PKT-12)."""
        instance = self.instance
        if instance.addresses[0].ip.is_link_local:
            return
        first = instance.addresses[0].statement
        rule = "the first IPv6 address must be link-local (RFC 9568)"
        other = next((each for each in instance.addresses if each.ip.version == 6 and each.ip.is_link_local), None)
        if other is not None:
            instance.addresses.remove(other)
            instance.addresses.insert(0, other)
            self._say(other.statement, "changed", f"{rule}: it comes first now")
            return
        vrid = instance.values.get("vrid", (1, first))[0]
        address = IPv6Address((0xFE80 << 112) + (vrid if isinstance(vrid, int) else 1))
        instance.addresses.insert(0, Address(address, {"address": str(address)}, first))
        why = f"{rule}: {address} is added; a keepalived beside it needs it too: before 2.3.3 it drops other adverts"
        self._say(first, "decide", why)

    def _not_too_many(self) -> None:
        instance = self.instance
        advertised = [each for each in instance.addresses if each.ip.version == instance.family]
        for each in advertised[_ADVERTISED_MAX:]:
            instance.addresses.remove(each)
            instance.excluded.append(each)
            self._say(each.statement, "changed", "an advert carries 255 addresses: not advertised, as with keepalived")

    def _version(self) -> None:
        instance = self.instance
        given = instance.values.pop("version", None)
        version = given[0] if given else self.settings.version
        if instance.family == 6:
            if given and given[0] == 2:
                self._say(given[1], "changed", "version 2 has no IPv6: 3, as with keepalived")
            return
        if version == 2:
            self._set("version", 2, given[1] if given else None)

    @property
    def _is_version_2(self) -> bool:
        return "version" in self.instance.values

    def _priority(self) -> None:
        instance = self.instance
        if "owner" in instance.values or "priority" in instance.values:
            return
        if instance.is_master and instance.first_state is not None:
            self._set("owner", value=True)
            why = (
                "without a priority keepalived makes a MASTER the owner of the addresses, priority 255. Keep "
                "`owner = true` only if they are always on its interface; otherwise set a priority below 255"
            )
            self._say(instance.first_state, "decide", why)

    def _interval(self) -> None:
        if self.instance.interval is None:
            return
        seconds, statement = self.instance.interval
        if self._is_version_2:
            found = float(max(1, int(seconds + 0.5)))
            why = "version 2 has whole seconds only, and keepalived rounds too"
        else:
            found = min(max(round(seconds, 2), 0.01), 40.95)
            why = "version 3 has steps of 10 ms up to 40.95 s"
        if found != seconds:
            self._say(statement, "changed", f"{why}: {format_duration(found)}")
        if found != 1.0:
            self._set("advertisement_interval", format_duration(found), statement)

    def _preemption(self) -> None:
        instance = self.instance
        delay = instance.preempt_delay
        if instance.nopreempt is not None:
            self._set("preempt", value=False, statement=instance.nopreempt)
            if instance.is_master:
                why = (
                    "keepalived ignores it beside `state MASTER`; hafw has no state, and here it holds as it was meant"
                )
                self._say(instance.nopreempt, "changed", why)
            if delay is not None:
                del instance.values["preempt_delay"]
                self._say(delay, "dropped", "has no effect beside nopreempt")
        elif delay is not None and instance.is_master:
            why = "keepalived ignores it beside `state MASTER`; hafw has no state, and here it holds as it was meant"
            self._say(delay, "changed", why)

    def _transport(self) -> None:
        instance = self.instance
        if instance.source is not None:
            self._source(*instance.source)
        if instance.peers is not None and instance.peer_block is not None:
            self._peers(instance.peers, instance.peer_block)
        group = instance.group
        if group is not None and "unicast_peers" in instance.values:
            self._say(group[1], "dropped", "has no meaning beside unicast_peer")
        elif group is not None and (group[0].version != instance.family or not group[0].is_multicast):
            self._say(group[1], "decide", f"must be a multicast address of IPv{instance.family}: left out")
        elif group is not None:
            self._set("multicast_group", str(group[0]), group[1])
        elif instance.family in self.settings.groups and "unicast_peers" not in instance.values:
            self._set("multicast_group", self.settings.groups[instance.family])

    def _source(self, address: IPAddress, statement: Statement) -> None:
        instance = self.instance
        virtual = {each.ip for each in [*instance.addresses, *instance.excluded]}
        if address.version != instance.family:
            self._say(statement, "decide", f"must be IPv{instance.family}, as the first virtual address: left out")
        elif address in virtual and "owner" not in instance.values:
            self._say(statement, "decide", "is a virtual address: name one that this router always has; left out")
        elif address.version == 6 and not instance.peers and not address.is_link_local:
            why = "must be link-local for multicast (RFC 9568): left out, and the interface's own one is taken"
            self._say(statement, "changed", why)
        else:
            self._set("source_address", str(address), statement)

    def _peers(self, peers: list[tuple[IPAddress, Statement]], block: Statement) -> None:
        instance, kept = self.instance, dict[str, None]()
        own = instance.source[0] if instance.source else None
        virtual = {each.ip for each in [*instance.addresses, *instance.excluded]}
        for address, statement in peers:
            if address == own:
                self._say(statement, "changed", "is this router's own address: it does not write to itself")
            elif address.version != instance.family:
                self._say(statement, "decide", f"must be IPv{instance.family}, as the first virtual address: left out")
            elif address in virtual:
                self._say(statement, "decide", "is a virtual address: name the address that a router always has")
            elif str(address) in kept:
                self._say(statement, "dropped", "stands there already")
            else:
                kept[str(address)] = None
        if kept:
            self._set("unicast_peers", list(kept), block)
        else:
            why = "names no other router, so that keepalived sends by multicast or stays in FAULT: by multicast"
            self._say(block, "decide", why)

    def _authentication(self) -> None:
        instance = self.instance
        if instance.password is None:
            return
        auth, statement = instance.password
        strict = instance.strict if instance.strict is not None else self.settings.strict is not None
        if "auth" in instance.values:
            self._say(statement, "dropped", "the adverts are signed: a password has no place beside that")
        elif not self._is_version_2:
            self._say(
                statement, "dropped", "version 3 has no password, and keepalived sends none: `auth` can sign instead"
            )
        elif strict:
            self._say(statement, "dropped", "vrrp_strict made keepalived ignore it: it was never sent")
        else:
            self._set("auth", auth, statement)

    def _common(self) -> None:
        instance, settings = self.instance, self.settings
        if "down_timer_adverts" not in instance.values and settings.down_timer_adverts != 3:
            self._set("down_timer_adverts", settings.down_timer_adverts)
        if instance.values.get("down_timer_adverts", (0,))[0] == 3:
            del instance.values["down_timer_adverts"]
        if settings.checksum and "checksum" not in instance.values:
            self._set("checksum", "rfc9568")
        if "checksum" in instance.values and (self._is_version_2 or instance.family == 6):
            del instance.values["checksum"]

    def _announce(self, name: str) -> None:
        common = dict(self.settings.garp)
        if self.instance.interface in self.rates:
            common["interval"] = self.rates[self.instance.interface]
        found = self.instance.announcing.over(common)
        if not found:
            return
        place = (self.instance.announcing.statement or self.instance.statement).place
        section = self.router.draft.section("instance", name, "announce", place=place)
        section.entries = {key: Entry(value, place) for key, value in found.items()}

    def _can_run(self, section: Section) -> None:
        """What nobody but the operator can add; without it the instance stands there as a comment."""
        missing = [key for key in ("interface", "vrid", "virtual_addresses") if key not in section.entries]
        if not missing:
            return
        words = {"interface": "interface", "vrid": "virtual_router_id", "virtual_addresses": "virtual_ipaddress"}
        names = " and ".join(words[key] for key in missing)
        if missing == ["virtual_addresses"]:
            way_out = "hafw needs an address to move: give it one, or keep keepalived for it"
        else:
            way_out = "keepalived does not start it either: add what is missing"
        why = f"has no {names}: {way_out}; it stands there as a comment"
        self._say(self.instance.statement, "decide", why)
        section.why_off = f"Incomplete, without {' and '.join(missing)}:"
