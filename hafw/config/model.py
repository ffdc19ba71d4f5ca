"""What a checked configuration is: frozen values, every default filled in, for one node of the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hafw.node import InstanceSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.node import CheckSettings
    from hafw.pipe import Address
    from hafw.vrrp.settings import IPAddress, RouterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfig:
    """One ``[instance.X.check.NAME]``."""

    settings: CheckSettings
    """Name, critical or weight, rise, fall: what the Node needs."""
    plugin: str
    interval: float
    """Seconds between the starts of two runs."""
    timeout: float
    """Seconds one run may take."""
    reverse: bool = False
    """What the plugin calls healthy counts as failed. A check that cannot run has failed either way."""
    group: str = ""
    """The sync group whose check it is: run once, for all of its members; empty: the instance's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceConfig:
    """One ``[instance.NAME]``."""

    router: RouterSettings
    addresses: tuple[Address, ...]
    """Virtual addresses first, in configured order, then excluded ones; with length, interface, label, scope."""
    checks: tuple[CheckConfig, ...] = ()
    announce_rate: int = 50000
    """Announcement frames per second."""
    verify: IPAddress | str = "gateway"
    """Who is asked whether an announcement has arrived: ``gateway``, ``off``, or this host."""
    keys: tuple[str, ...] = field(default=(), compare=False)
    """The key path of each address: where a complaint about it belongs."""
    priorities: Mapping[str, int] = field(default_factory=dict, compare=False)
    """By node, where the file names more than one: what ``RouterSettings.rank`` is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginLimits:
    """What a plugin's process may take of the machine."""

    memory: int = 512 << 20
    """Octets."""
    files: int = 1024
    processes: int = 256
    """Its own, and all that it starts."""
    cpu_weight: int = 100
    """As in a cgroup v2, 1 to 100."""
    network: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginConfig:
    """One ``[plugin.NAME]``, or a plugin that is on by default."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """The plugin's own keys as TOML gave them, secrets resolved by the plugin process (``file:``, ``env:``)."""
    plugin: str = ""
    """The installed plugin that this is one of; empty: the one of its own name."""
    file: str = ""
    """A one-file local plugin instead of an installed one; absolute."""
    user: str = ""
    """The user of the plugin process; empty: the plugin's default (nobody for pure checks), else the daemon's."""
    delivery: str = ""
    """``every`` event or the ``latest``; empty: as the plugin declares."""
    replay: bool | None = None
    """Whether a new process is told how things are; ``None``: as the plugin declares."""
    limits: PluginLimits = PluginLimits()

    @property
    def kind(self) -> str:
        """The name that its package offers it by."""
        return self.plugin or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessConfig:
    """``[process]``: how the daemon is to be scheduled."""

    realtime: int = 0
    """SCHED_RR priority, 1 to 99; 0: the ordinary scheduler."""
    cpus: tuple[int, ...] = ()
    """The processors it may run on; empty: all."""
    lock_memory: bool = False
    """Never be paged out: mlockall with MCL_ONFAULT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalConfig:
    """``[journal]``: what the election hears and does, written down."""

    path: str = ""
    """The file; empty: there is none."""
    max_size: int = 16_000_000
    """Octets of this file and of the one before it, each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole ``config.toml`` as one node sees it."""

    path: str
    node_name: str
    startup_delay: float = 0.0
    """Seconds that a daemon waits before its routers take part; one that is resumed does not."""
    delay_after_boot: float = 0.0
    """The same, counted from the machine's boot."""
    instances: Mapping[str, InstanceConfig]
    plugins: Mapping[str, PluginConfig]
    """By name; contains ``vip`` and ``arp`` unless they are switched off."""
    control_socket: str = "/run/hafw/control.sock"
    control_group: str = ""
    process: ProcessConfig = field(default_factory=ProcessConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The sync groups, by name, with their members in configured order."""
        names = dict.fromkeys(each.router.group for each in self.instances.values() if each.router.group)
        return {
            group: tuple(name for name, each in self.instances.items() if each.router.group == group) for group in names
        }

    @property
    def settings(self) -> tuple[InstanceSettings, ...]:
        """What the Node is told."""
        return tuple(
            InstanceSettings(router=each.router, checks=tuple(check.settings for check in each.checks))
            for each in self.instances.values()
        )
