"""``vrrp_instance``: one virtual router."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.config.addresses import parse_ip, parse_unicast
from hafw.config.rules import interface_mistake
from hafw.config.values import format_duration
from hafw.keepalived.announce import Announcing
from hafw.keepalived.auth import read_hmac, read_password
from hafw.keepalived.vips import Address, AddressReading, read_peers, say_of_vmac

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router
    from hafw.keepalived.settings import Settings
    from hafw.vrrp.settings import IPAddress

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
ORDER = (
    *("interface", "version", "vrid", "priority", "owner", "advertisement_interval", "down_timer_adverts", "preempt"),
    *("preempt_delay", "unicast_peers", "source_address", "multicast_group", "checksum", "auth", "virtual_mac"),
    *("track_primary", "group", "virtual_addresses", "excluded_addresses"),
)
"""In which its keys stand in config.toml."""


@dataclass
class Instance:
    """What a block says, until it is known how it fits together."""

    name: str
    statement: Statement
    values: dict[str, tuple[Value, Statement]] = field(default_factory=dict)
    """Keys of config.toml, with the statement of each."""
    first_state: Statement | None = None
    nopreempt: Statement | None = None
    preempt_delay: Statement | None = None
    peers: list[tuple[IPAddress, Statement]] | None = None
    peer_block: Statement | None = None
    source: tuple[IPAddress, Statement] | None = None
    group: tuple[IPAddress, Statement] | None = None
    password: tuple[dict[str, Value], Statement] | None = None
    interval: tuple[float, Statement] | None = None
    strict: bool | None = None
    addresses: list[Address] = field(default_factory=list)
    excluded: list[Address] = field(default_factory=list)
    address_block: Statement | None = None
    tracks: list[Statement] = field(default_factory=list)
    notifies: list[Statement] = field(default_factory=list)
    routes: list[Statement] = field(default_factory=list)
    announcing: Announcing = field(default_factory=Announcing)
    family: int = 4

    @property
    def interface(self) -> str:
        """Where it runs; empty: not known."""
        return str(self.values["interface"][0]) if "interface" in self.values else ""

    @property
    def is_master(self) -> bool:
        """Whether ``state MASTER`` stands there."""
        return self.first_state is not None and self.first_state.arguments[:1] == ("MASTER",)


class InstanceReading:
    """Reads the blocks of instances."""

    def __init__(self, router: Router, settings: Settings) -> None:
        self.found: dict[str, Instance] = {}
        self._router = router
        self._settings = settings
        self._readers: dict[str, Callable[[Instance, Statement], None]] = {
            "state": self._state,
            "interface": self._interface,
            "virtual_router_id": self._vrid,
            "priority": self._priority,
            "advert_int": self._interval,
            "version": self._version,
            "nopreempt": self._nopreempt,
            "preempt": self._preempt,
            "preempt_delay": self._preempt_delay,
            "authentication": self._authentication,
            "auth_type": self._loose_password,
            "auth_pass": self._loose_password,
            "auth_hmac": self._hmac,
            "virtual_ipaddress": self._addresses,
            "virtual_ipaddress_excluded": self._addresses,
            "unicast_peer": self._peers,
            "unicast_src_ip": self._source,
            "mcast_src_ip": self._source,
            "mcast_dst_ip": self._group,
            "down_timer_adverts": self._down_timer,
            "v3_checksum_as_v2": self._checksum,
            "strict_mode": self._strict,
            "use_vmac": self._vmac,
            "dont_track_primary": self._track_primary,
        }

    def read(self, statement: Statement, body: list[Statement]) -> None:
        """One block, whose statements are known to belong there."""
        name = self._name(statement)
        if name in self.found:
            why = f"`{name}` is defined before: keepalived ignored this one, and so does hafw"
            self._router.note(statement, "decide", why)
            return
        instance = self.found[name] = Instance(name, statement)
        states = [each for each in body if each.word == "state"]
        for each in states[1:]:
            self._router.note(each, "dropped", "there is a state before it, and hafw has none at all")
        for each in body:
            if each not in states[1:]:
                self.take(instance, each)

    def take(self, instance: Instance, statement: Statement) -> None:
        """One statement of an instance."""
        word = statement.word
        if word.startswith("notify") or word == "smtp_alert":
            instance.notifies.append(statement)
        elif word.startswith("track_"):
            instance.tracks.append(statement)
        elif word in ("virtual_routes", "virtual_rules"):
            instance.routes.append(statement)
        elif word.startswith(("garp_", "gna_")):
            instance.announcing.read(self._router, statement)
        elif word in self._readers:
            self._readers[word](instance, statement)
        else:
            self._router.note(statement, "decide", "belongs into a block of its own")

    def _name(self, statement: Statement) -> str:
        given = " ".join(statement.arguments)
        if not given:
            number = next(n for n in range(1, 10**6) if f"VI_{n}" not in self.found)
            self._router.report.add(
                statement.place,
                statement.text,
                "changed",
                f"has no name, and keepalived ignored all of it; here it is called VI_{number}",
            )
            return f"VI_{number}"
        if _NAME.fullmatch(given):
            return given
        name = re.sub(r"[^A-Za-z0-9_.:-]+", "_", given).lstrip("-.:")[:60] or "VI"
        why = f"a name has letters, digits, _ . : and - only: {name}, which scripts are told too"
        self._router.report.add(statement.place, statement.text, "changed", why)
        return name

    def _put(self, instance: Instance, key: str, value: Value, statement: Statement) -> None:
        instance.values[key] = (value, statement)

    def _state(self, instance: Instance, statement: Statement) -> None:
        given = self._router.only(statement)
        instance.first_state = statement
        why = "hafw has no first state: the priorities elect, and did so with keepalived too"
        if given and given[0] not in ("MASTER", "BACKUP"):
            why = f"keepalived knows MASTER and BACKUP only and took BACKUP; {why}"
        self._router.note(statement, "dropped", why)

    def _interface(self, instance: Instance, statement: Statement) -> None:
        given = next(iter(self._router.only(statement)), "")
        if mistake := interface_mistake(given):
            self._router.note(statement, "decide", f"{mistake}: left out")
        else:
            self._put(instance, "interface", given, statement)

    def _vrid(self, instance: Instance, statement: Statement) -> None:
        found = self._router.whole(statement, 1, 255)
        if found is not None:
            self._put(instance, "vrid", found, statement)

    def _priority(self, instance: Instance, statement: Statement) -> None:
        found = self._router.whole(statement, 1, 255)
        if found == 255:
            self._owner(instance, statement, "priority 255 is for the owner of the addresses")
        elif found is not None:
            instance.values.pop("owner", None)
            self._put(instance, "priority", found, statement)

    def _owner(self, instance: Instance, statement: Statement, why: str) -> None:
        instance.values.pop("priority", None)
        self._put(instance, "owner", value=True, statement=statement)
        way_out = (
            "keep `owner = true` only if they are always on its interface; otherwise take it out and set priority = 254"
        )
        self._router.report.add(statement.place, statement.text, "decide", f"{why}: {way_out}")

    def _interval(self, instance: Instance, statement: Statement) -> None:
        found = self._router.number(statement, 0.01, 255)
        if found is not None:
            instance.interval = (found, statement)

    def _version(self, instance: Instance, statement: Statement) -> None:
        found = self._router.whole(statement, 2, 3)
        if found is not None:
            self._put(instance, "version", found, statement)

    def _nopreempt(self, instance: Instance, statement: Statement) -> None:
        self._router.only(statement, 0)
        instance.nopreempt = statement

    def _preempt(self, instance: Instance, statement: Statement) -> None:
        self._router.only(statement, 0)
        instance.nopreempt = None

    def _preempt_delay(self, instance: Instance, statement: Statement) -> None:
        found = self._router.number(statement, 0, 1000)
        if found:
            instance.preempt_delay = statement
            self._put(instance, "preempt_delay", format_duration(found), statement)

    def _authentication(self, instance: Instance, statement: Statement) -> None:
        body = list(self._router.block(statement, "vrrp_instance"))
        for each in [each for each in body if each.word == "auth_hmac"]:
            self._hmac(instance, each)
            body.remove(each)
        found, line = read_password(self._router, body)
        if found and line:
            instance.password = (found, line)

    def _loose_password(self, instance: Instance, statement: Statement) -> None:
        """``auth_pass`` without its block, which keepalived knows not."""
        why = "belongs into authentication { }; keepalived ignored it, and here it counts"
        self._router.report.add(statement.place, statement.text, "changed", why)
        if statement.word == "auth_pass":
            found, line = read_password(self._router, [statement])
            if found and line:
                instance.password = (found, line)

    def _hmac(self, instance: Instance, statement: Statement) -> None:
        found = read_hmac(self._router, list(self._router.block(statement, "vrrp_instance")))
        if found is None:
            self._router.report.add(statement.place, statement.text, "decide", "has no key: adverts are not signed")
        else:
            self._put(instance, "auth", dict(found), statement)

    def _addresses(self, instance: Instance, statement: Statement) -> None:
        reading = AddressReading(self._router)
        if statement.arguments:
            from_line = type(statement)(statement.arguments, statement.place, statement.quoted[1:])
            why = "addresses belong into { }; keepalived ignored them, and here they count"
            self._router.report.add(statement.place, statement.text, "changed", why)
            reading.read(from_line)
        for each in statement.body or ():
            reading.read(each)
        if statement.word.endswith("excluded"):
            instance.excluded += reading.found
        else:
            instance.addresses += reading.found
            instance.address_block = statement

    def _peers(self, instance: Instance, statement: Statement) -> None:
        instance.peers = (instance.peers or []) + read_peers(self._router, statement)
        instance.peer_block = statement

    def _source(self, instance: Instance, statement: Statement) -> None:
        given = next(iter(self._router.only(statement)), "")
        try:
            instance.source = (parse_unicast(given.partition("/")[0]), statement)
        except ValueError as error:
            self._router.note(statement, "decide", f"{error}: left out")

    def _group(self, instance: Instance, statement: Statement) -> None:
        given = next(iter(self._router.only(statement)), "")
        try:
            instance.group = (parse_ip(given), statement)
        except ValueError as error:
            self._router.note(statement, "decide", f"{error}: left out")

    def _down_timer(self, instance: Instance, statement: Statement) -> None:
        found = self._router.whole(statement, 1, 100)
        if found is not None:
            self._put(instance, "down_timer_adverts", found, statement)

    def _checksum(self, instance: Instance, statement: Statement) -> None:
        if self._router.switch(statement):
            self._put(instance, "checksum", "rfc9568", statement)

    def _strict(self, instance: Instance, statement: Statement) -> None:
        instance.strict = self._router.switch(statement)
        why = "hafw has no such mode: what it changed is said where it changed it"
        self._router.note(statement, "dropped", why)

    def _vmac(self, instance: Instance, statement: Statement) -> None:
        say_of_vmac(self._router, statement)
        self._put(instance, "virtual_mac", value=True, statement=statement)

    def _track_primary(self, instance: Instance, statement: Statement) -> None:
        if self._router.switch(statement) is not True:
            return
        self._put(instance, "track_primary", value=False, statement=statement)
