"""One ``[instance.NAME]`` as one node sees it: from its table to checked values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hafw.config.addresses import Vip, parse_ip, parse_unicast, parse_vips
from hafw.config.checks import NAME, ChecksReading
from hafw.config.cluster import DEFAULT_PRIORITY, is_ranking, known_priorities
from hafw.config.convert import FAILED
from hafw.config.model import InstanceConfig
from hafw.config.problem import Problem
from hafw.config.rules import broken_rules
from hafw.config.tables import InstanceTable
from hafw.config.types import keys_of
from hafw.config.weights import OWNER_PRIORITY
from hafw.secret import key_octets
from hafw.vrrp.device import device_of
from hafw.vrrp.settings import AntiReplay, Checksum, HmacMode, HmacSettings, RouterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hafw.config.model import CheckConfig
    from hafw.config.nodes import NodeReader
    from hafw.config.tables import AuthTable
    from hafw.pipe import Address
    from hafw.vrrp.settings import IPAddress

VERIFY_GATEWAY, VERIFY_OFF = "gateway", "off"
_HOST_LENGTH, _LINK_LENGTH = 128, 64
_WINDOW_INTERVALS, _WINDOW_LEAST = 3, 5.0
"""Of signed adverts: how many intervals, and at least how many seconds, clocks may differ."""


class InstanceReading:
    """What could be read of one instance: the good values by key, and the whole where all are good."""

    def __init__(self, name: str, table: dict[str, Any], reader: NodeReader) -> None:
        self.name = name
        self.path = f"instance.{name}"
        self.config: InstanceConfig | None = None
        self._reader = reader
        errors = self._errors()
        self.values = self._read(table)
        self._derive()
        for key, message, severity in broken_rules(self.values):
            self.blame(key, message, severity)
        owner = bool(self.values.get("owner"))
        checks = ChecksReading(table.get("check", {}), self.path, reader, owner=owner, group=self.group)
        self.plugins, self.weights, self.check_names = checks.plugins, checks.weights, frozenset(checks.names)
        self.checked_by = checks.checked_by
        self.weight_paths = dict.fromkeys(self.weights, self.path)
        """The table of each of these checks: its own, or the group's."""
        if self._errors() == errors and reader.is_current:
            self.config = self._build(checks.configs)

    @property
    def vips(self) -> list[Vip]:
        """Every address that could be read, advertised or not."""
        return [*self.values["vips"], *self.values["excluded"]]

    @property
    def priority(self) -> int | None:
        """The configured one; ``None``: it could not be read."""
        if self.values.get("owner"):
            return OWNER_PRIORITY
        priority = self.values.get("priority", 0)
        return None if priority == 0 else priority or DEFAULT_PRIORITY

    @property
    def rank(self) -> int | None:
        """The place among all configured priorities, nobody left out, 0 the highest; ``None`` for the RFC's skew."""
        priorities = self.values.get("priorities", {})
        if self.values["skew"] == "rfc" or not is_ranking(priorities):
            return None
        return sorted(priorities.values(), reverse=True).index(self.priority)

    @property
    def group(self) -> str:
        """The sync group; empty: none."""
        return str(self.values.get("group") or "")

    def join(self, checks: ChecksReading) -> None:
        """Know the weights of the group's checks, too."""
        self.weights = {**self.weights, **checks.weights}
        self.checked_by = {**self.checked_by, **checks.checked_by}
        self.weight_paths |= dict.fromkeys(checks.weights, checks.path)

    def blame(self, key: str, message: str, severity: Any = "error") -> None:  # noqa: ANN401
        """Report a mistake in a key of this instance."""
        place = self._reader.place(f"{self.path}.{key}")
        self._reader.problems.append(Problem(place, message, severity=severity))

    def _errors(self) -> int:
        return sum(each.severity == "error" for each in self._reader.problems)

    def _read(self, table: dict[str, Any]) -> dict[str, Any]:
        """The good values, defaults included, by key; a wrong one is missing."""
        if not NAME.fullmatch(self.name):
            message = "an instance's name must be letters, digits, _ . : and -, at most 64"
            self._reader.problems.append(Problem(self.path, message))
        own = {key: value for key, value in table.items() if key != "check"}
        found = self._reader.read_keys(own, InstanceTable, self.path)
        defaults = {
            key.name: key.default for key in keys_of(InstanceTable) if key.key not in table and not key.required
        }
        priorities = known_priorities(own)
        known = {} if priorities is None else {"priorities": priorities}
        return {**defaults, **found, **known}

    def _derive(self) -> None:
        """Parse the addresses, so that the rules can compare them."""
        values = self.values
        values["vips"] = self._vips("virtual_addresses")
        values["excluded"] = self._vips("excluded_addresses")
        first = next((vip for vip in values["vips"] if vip.key.endswith("[0]")), None)
        if first is not None:
            values["family"] = first.ip.version
            values["advertised"] = [vip for vip in values["vips"] if vip.ip.version == first.ip.version]
        values["peers"] = self._peers(values.get("unicast_peers") or ())
        values["goodbyes"] = self._goodbyes(values.get("goodbye") or {})
        self._parse("source_address", "source", parse_unicast)
        self._parse("multicast_group", "group_address", parse_ip)
        hold, longest = values.get("flap_hold", FAILED), values.get("flap_hold_max", FAILED)
        if FAILED not in {hold, longest} and hold > longest:
            self.blame("flap_hold_max", f'= "{longest}": must not be less than flap_hold, which is "{hold}"')
        values["verify"] = self._verify(getattr(values.get("announce"), "verify", VERIFY_GATEWAY))

    def _vips(self, key: str) -> list[Vip]:
        vips, mistakes = parse_vips(key, self.values.get(key, ()))
        for place, message in mistakes:
            self.blame(place, message)
        return vips

    def _peers(self, texts: Iterable[str]) -> list[tuple[str, IPAddress]]:
        peers = []
        for number, text in enumerate(texts):
            key = f"unicast_peers[{number}]"
            try:
                peers.append((key, parse_unicast(text)))
            except ValueError as error:
                self.blame(key, f'= "{text}": {error}')
        return peers

    def _goodbyes(self, texts: Mapping[str, str]) -> dict[str, IPAddress]:
        """By node; this router's own is of use to the others only."""
        found = {}
        for node, text in texts.items():
            try:
                found[node] = parse_unicast(text)
            except ValueError as error:
                self.blame(f"goodbye.{node}", f'= "{text}": {error}')
        return found

    def _verify(self, text: str) -> IPAddress | str:
        """Who is asked whether an announcement has arrived."""
        if text in {VERIFY_GATEWAY, VERIFY_OFF}:
            return text
        try:
            found = parse_unicast(text)
        except ValueError:
            self.blame("announce.verify", f'= "{text}": must be "gateway", "off", or the address of a host')
            return VERIFY_OFF
        if any(vip.ip == found for vip in self.vips):
            self.blame("announce.verify", f'= "{text}": must be another host, not a virtual address of its own')
        return found

    def _parse(self, key: str, name: str, parse: Callable[[str], IPAddress]) -> None:
        text = self.values.get(key, FAILED)
        if text is FAILED:
            return
        try:
            self.values[name] = None if text is None else parse(text)
        except ValueError as error:
            self.blame(key, f'= "{text}": {error}')

    def _build(self, checks: tuple[CheckConfig, ...]) -> InstanceConfig:
        values = self.values
        advertised, interface = values["advertised"], values["interface"]
        other = [vip for vip in self.vips if vip not in advertised]
        router = RouterSettings(
            name=self.name,
            interface=interface,
            vrid=values["vrid"],
            version=values["version"],
            priority=self.priority or DEFAULT_PRIORITY,
            owner=values["owner"],
            advertisement_interval=round(values["advertisement_interval"], 2),
            virtual_addresses=tuple(vip.ip for vip in advertised),
            excluded_addresses=tuple(vip.ip for vip in other),
            preempt=values["preempt"],
            preempt_delay=float(values["preempt_delay"]),
            flap_hold=float(values["flap_hold"]),
            flap_hold_max=float(values["flap_hold_max"]),
            down_timer_adverts=values["down_timer_adverts"],
            rank=self.rank,
            last_resort=values["last_resort"],
            group=values["group"],
            password=_password(values["auth"]),
            hmac=_hmac(values["auth"], values["advertisement_interval"]),
            track_primary=values["track_primary"],
            unicast_peers=tuple(peer for _, peer in values["peers"]),
            min_ttl=values["min_ttl"],
            goodbye=tuple(address for node, address in values["goodbyes"].items() if node != self._reader.node),
            source_address=values["source"],
            multicast_group=values["group_address"],
            checksum=Checksum(values["checksum"]),
            virtual_mac=values["virtual_mac"],
            announce_repeat=tuple(map(float, values["announce"].repeat)),
            announce_refresh=float(values["announce"].refresh),
        )
        addresses = (vip.address(interface, advertised=vip in advertised) for vip in self.vips)
        return InstanceConfig(
            router=router,
            addresses=tuple(_on_device(each, router) for each in addresses) if router.virtual_mac else tuple(addresses),
            checks=checks,
            announce_rate=values["announce"].rate,
            verify=values["verify"],
            keys=tuple(self._reader.place(f"{self.path}.{vip.key}") for vip in self.vips),
            priorities=values.get("priorities", {}),
        )


def _on_device(address: Address, router: RouterSettings) -> Address:
    """On a device without link-local addresses but this nobody on the link could be answered, were it a /128."""
    short = address.scope == "link" and address.prefixlen == _HOST_LENGTH
    return replace(address, interface=device_of(router), prefixlen=_LINK_LENGTH if short else address.prefixlen)


def _password(auth: AuthTable | None) -> bytes | None:
    return auth.password.reveal().encode() if auth is not None and auth.password is not None else None


def _hmac(auth: AuthTable | None, interval: float) -> HmacSettings | None:
    if auth is None or auth.type != "hmac":
        return None
    active = next(iter(auth.keys)) if auth.active is None else str(auth.active)
    return HmacSettings(
        keys={int(word): key_octets(secret.reveal()) if secret.known else b"" for word, secret in auth.keys.items()},
        active=int(active),
        source=auth.keys[active].source,
        mode=HmacMode(auth.mode),
        anti_replay=AntiReplay(auth.anti_replay),
        window=max(_WINDOW_INTERVALS * interval, _WINDOW_LEAST) if auth.window is None else float(auth.window),
    )
