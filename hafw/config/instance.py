"""One ``[instance.NAME]`` as one node sees it: from its table to checked values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hafw.config.addresses import Vip, parse_ip, parse_unicast, parse_vips
from hafw.config.cluster import DEFAULT_PRIORITY, OWNER_PRIORITY, is_ranking, known_priorities
from hafw.config.convert import FAILED
from hafw.config.model import CheckConfig, InstanceConfig
from hafw.config.problem import Problem, did_you_mean
from hafw.config.rules import broken_rules
from hafw.config.tables import INTERVAL, CheckTable, InstanceTable
from hafw.config.types import keys_of
from hafw.config.values import format_duration
from hafw.node import CheckSettings
from hafw.secret import key_octets
from hafw.vrrp.settings import AntiReplay, Checksum, HmacMode, HmacSettings, RouterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hafw.config.nodes import NodeReader
    from hafw.config.tables import AuthTable
    from hafw.vrrp.settings import IPAddress

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
_CHECK_TIMEOUT = 0.8
_WINDOW_INTERVALS, _WINDOW_LEAST = 3, 5.0
"""Of signed adverts: how many intervals, and at least how many seconds, clocks may differ."""


class InstanceReading:
    """What could be read of one instance: the good values by key, and the whole where all are good."""

    def __init__(self, name: str, table: dict[str, Any], reader: NodeReader) -> None:
        self.name = name
        self.path = f"instance.{name}"
        self.plugins: dict[str, str] = {}
        """The plugin of each check, by the key path that names it."""
        self.weights: dict[str, int | None] = {}
        """The weight of each check that has one; ``None``: it cannot be read."""
        self.config: InstanceConfig | None = None
        self._reader = reader
        errors = self._errors()
        self.values = self._read(table)
        self._derive()
        for key, message, severity in broken_rules(self.values):
            self.blame(key, message, severity)
        checks = self._checks(table.get("check", {}))
        if self._errors() == errors and reader.is_current:
            self.config = self._build(checks)

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

    def blame(self, key: str, message: str, severity: Any = "error") -> None:  # noqa: ANN401
        """Report a mistake in a key of this instance."""
        place = self._reader.place(f"{self.path}.{key}")
        self._reader.problems.append(Problem(place, message, severity=severity))

    def _errors(self) -> int:
        return sum(each.severity == "error" for each in self._reader.problems)

    def _read(self, table: dict[str, Any]) -> dict[str, Any]:
        """The good values, defaults included, by key; a wrong one is missing."""
        if not _NAME.fullmatch(self.name):
            message = "an instance's name must be letters, digits, _ . : and -, at most 64"
            self._reader.problems.append(Problem(self.path, message))
        own = {key: value for key, value in table.items() if key != "check"}
        found = self._reader.read_keys(own, InstanceTable, self.path)
        defaults = {
            key.name: key.default for key in keys_of(InstanceTable) if key.key not in table and not key.required
        }
        priorities = known_priorities(own)
        known = {} if priorities is None else {"priorities": priorities}
        return {**defaults, **found, **known, "given": set(own)}

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

    def _parse(self, key: str, name: str, parse: Callable[[str], IPAddress]) -> None:
        text = self.values.get(key, FAILED)
        if text is FAILED:
            return
        try:
            self.values[name] = None if text is None else parse(text)
        except ValueError as error:
            self.blame(key, f'= "{text}": {error}')

    def _checks(self, tables: Any) -> tuple[CheckConfig, ...]:  # noqa: ANN401
        if not isinstance(tables, dict):
            self.blame("check", f"must be tables: [{self.path}.check.NAME]")
            return ()
        found = [self._check(name, table) for name, table in tables.items()]
        return tuple(each for each in found if each is not None)

    def _check(self, name: str, table: Any) -> CheckConfig | None:  # noqa: ANN401
        path, before = f"{self.path}.check.{name}", self._errors()
        if not isinstance(table, dict):
            known = [key.key for key in keys_of(CheckTable)]
            self.blame(f"check.{name}", f"must be a table: [{path}]{did_you_mean(name, known)}")
            return None
        if not _NAME.fullmatch(name):
            self.blame(f"check.{name}", "a check's name must be letters, digits, _ . : and -, at most 64")
        values = self._reader.read_keys(table, CheckTable, path)
        self.plugins[f"{path}.plugin" if "plugin" in table else path] = values.get("plugin") or name
        if "weight" in table:
            self.weights[name] = values.get("weight") or None
        self._check_rules(name, table, values)
        if self._errors() > before:
            return None
        interval = float(values.get("interval", INTERVAL))
        return CheckConfig(
            settings=CheckSettings(
                name=name,
                critical=values.get("critical", False),
                weight=values.get("weight") or 0,
                rise=values.get("rise", 2),
                fall=values.get("fall", 2),
            ),
            plugin=values.get("plugin") or name,
            reverse=values.get("reverse", False),
            interval=interval,
            timeout=float(values.get("timeout", min(_CHECK_TIMEOUT, _CHECK_TIMEOUT * interval))),
        )

    def _check_rules(self, name: str, table: dict[str, Any], values: dict[str, Any]) -> None:
        key = f"check.{name}"
        unread = {"critical", "weight"} & set(table) - set(values)
        if not unread and not values.get("critical") and "weight" not in values:
            self.blame(key, "critical = true or weight = N is required: what shall its failure do?")
        if values.get("critical") and "weight" in values:
            self.blame(f"{key}.weight", f"= {values['weight']}: has no meaning with critical = true: leave one out")
        if values.get("weight") == 0:
            self.blame(f"{key}.weight", "= 0: must be -253 to 253 and not 0, which changes nothing")
        elif "weight" in values and self.values.get("owner"):
            self.blame(f"{key}.weight", f"= {values['weight']}: has no effect: 255 never changes", "warning")
        interval, timeout = values.get("interval", INTERVAL), values.get("timeout", 0)
        if timeout > interval and ("interval" in values or "interval" not in table):
            shown = f'= "{format_duration(timeout)}": is longer than the interval of {format_duration(interval)}'
            self.blame(f"{key}.timeout", f"{shown}: a hanging check delays the next one", "warning")

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
            down_timer_adverts=values["down_timer_adverts"],
            rank=self.rank,
            last_resort=values["last_resort"],
            password=_password(values["auth"]),
            hmac=_hmac(values["auth"], values["advertisement_interval"]),
            unicast_peers=tuple(peer for _, peer in values["peers"]),
            goodbye=tuple(address for node, address in values["goodbyes"].items() if node != self._reader.node),
            source_address=values["source"],
            multicast_group=values["group_address"],
            checksum=Checksum(values["checksum"]),
            announce_repeat=tuple(map(float, values["announce"].repeat)),
            announce_refresh=float(values["announce"].refresh),
        )
        return InstanceConfig(
            router=router,
            addresses=tuple(vip.address(interface, advertised=vip in advertised) for vip in self.vips),
            checks=checks,
            announce_rate=values["announce"].rate,
            keys=tuple(self._reader.place(f"{self.path}.{vip.key}") for vip in self.vips),
            priorities=values.get("priorities", {}),
        )


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
