"""A whole configuration as one node sees it, and the rules between its instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hafw.config.groups import GroupsReading
from hafw.config.instance import InstanceReading
from hafw.config.model import Config, JournalConfig, ProcessConfig
from hafw.config.plugins import PluginReading
from hafw.config.problem import Problem, show
from hafw.config.tables import ControlTable, JournalTable, NodeTable, ProcessTable
from hafw.vrrp.device import device_of

if TYPE_CHECKING:
    from hafw.config.nodes import NodeReader
    from hafw.config.plugins import Ground
    from hafw.vrrp.settings import IPAddress

_REALTIME = 50
"""What ``realtime = true`` means: above every ordinary process, below the kernel's own threads."""
_SOCKET_PATH_MAX = 107
"""``sun_path`` without the zero at its end."""


class View:
    """What one node makes of the file: its problems and, as far as it is right, its configuration."""

    def __init__(self, document: dict[str, Any], reader: NodeReader, ground: Ground) -> None:
        self.node = reader.node
        self._reader = reader
        self._path = ground.path
        self._misnamed = ground.misnamed
        self._control = self._read_control(document.get("control", {}))
        self._node = self._read_node(document.get("node", {}))
        self._process = self._read_process(document.get("process", {}))
        self._journal = self._read_journal(document.get("journal", {}))
        self._instances = self._read_instances(document.get("instance", {}))
        self._clashes_of_vrids()
        self._clashes_of_devices()
        self._clashes_of_addresses()
        self._groups = GroupsReading(self._table(document, "group"), self._instances, reader)
        self._plugins = PluginReading(self._table(document, "plugin"), reader, ground)
        for instance in self._instances:
            self._plugins.require(instance.plugins)
        self._plugins.require(self._groups.plugins)

    @property
    def problems(self) -> list[Problem]:
        """Every mistake that shows on this node."""
        return self._reader.problems

    @property
    def node_tables(self) -> dict[str, tuple[str, ...]]:
        """The nodes that each table keyed by node names, by key path."""
        return self._reader.node_tables

    @property
    def instances(self) -> dict[str, InstanceReading]:
        """What could be read of each instance, by name."""
        return {each.name: each for each in self._instances}

    @property
    def groups(self) -> dict[str, list[InstanceReading]]:
        """The members of each sync group, by its name."""
        return self._groups.members

    @property
    def config(self) -> Config:
        """What is right in it; all of it when there is no problem."""
        return Config(
            path=str(self._path),
            node_name=self.node,
            startup_delay=float(self._node.startup_delay),
            delay_after_boot=float(self._node.delay_after_boot),
            instances={each.name: each.config for each in self._instances if each.config is not None},
            plugins=self._plugins.configs,
            control_socket=self._control.socket,
            control_group=self._control.group,
            process=self._process,
            journal=self._journal,
        )

    def _blame(self, path: str, message: str) -> None:
        self._reader.problems.append(Problem(self._reader.place(path), message))

    def _table(self, document: dict[str, Any], key: str) -> dict[str, Any]:
        table = document.get(key, {})
        if isinstance(table, dict):
            return table
        self._blame(key, f"must be tables: [{key}.NAME]")
        return {}

    def _read_control(self, table: Any) -> ControlTable:  # noqa: ANN401
        control = self._reader.read(table, ControlTable, "control")
        if not isinstance(control, ControlTable):
            return ControlTable()
        path = control.socket
        if not Path(path).is_absolute() or len(path.encode()) > _SOCKET_PATH_MAX or "\0" in path:
            rule = f"must be an absolute path of at most {_SOCKET_PATH_MAX} characters"
            self._blame("control.socket", f"= {show(path)}: {rule}")
        return control

    def _read_node(self, table: Any) -> NodeTable:  # noqa: ANN401
        """All but its name, by which this view was chosen."""
        others = {key: value for key, value in table.items() if key != "name"} if isinstance(table, dict) else {}
        node = self._reader.read(others, NodeTable, "node")
        return node if isinstance(node, NodeTable) else NodeTable()

    def _read_process(self, table: Any) -> ProcessConfig:  # noqa: ANN401
        process = self._reader.read(table, ProcessTable, "process")
        if not isinstance(process, ProcessTable):
            return ProcessConfig()
        realtime = _REALTIME if process.realtime is True else int(process.realtime)
        return ProcessConfig(realtime=realtime, cpus=process.cpus, lock_memory=process.lock_memory)

    def _read_journal(self, table: Any) -> JournalConfig:  # noqa: ANN401
        journal = self._reader.read(table, JournalTable, "journal")
        if not isinstance(journal, JournalTable):
            return JournalConfig()
        path = journal.path
        if path and (not Path(path).is_absolute() or "\0" in path or path.endswith("/")):
            self._blame("journal.path", f"= {show(path)}: must be the absolute path of a file")
        return JournalConfig(path=path, max_size=journal.max_size)

    def _read_instances(self, tables: Any) -> list[InstanceReading]:  # noqa: ANN401
        if not isinstance(tables, dict):
            self._blame("instance", "must be tables: [instance.NAME]")
            return []
        if not tables and "instance" not in self._misnamed:
            self._blame("instance", "is missing: at least one [instance.NAME] is required")
        found = []
        for name, table in tables.items():
            if isinstance(table, dict):
                found.append(InstanceReading(name, table, self._reader))
            else:
                self._blame(f"instance.{name}", f"must be a table: [instance.{name}]")
        return found

    def _clashes_of_vrids(self) -> None:
        """One VRID, interface and family name one virtual router (RFC 9568 section 5.2.3)."""
        seen: dict[tuple[Any, ...], str] = {}
        for instance in self._instances:
            values = instance.values
            if not {"vrid", "interface", "family"} <= values.keys():
                continue
            interface, vrid, family = values["interface"], values["vrid"], values["family"]
            first = seen.setdefault((interface, vrid, family), instance.name)
            if first != instance.name:
                message = f"= {vrid}: instance {first} has it on {interface} for IPv{family} already: choose another"
                instance.blame("vrid", message)

    def _clashes_of_devices(self) -> None:
        """Their names are digests: one of 65536 pairs of interfaces has the same."""
        seen: dict[str, str] = {}
        for each in self._instances:
            settings = each.config.router if each.config else None
            first = seen.setdefault(device_of(settings), each.name) if settings and settings.virtual_mac else each.name
            if settings and first != each.name:
                message = f"= {settings.vrid}: its device {device_of(settings)} is that of instance {first}, by chance"
                each.blame("vrid", f"{message}: choose another VRID")

    def _clashes_of_addresses(self) -> None:
        seen: dict[tuple[IPAddress, str], str] = {}
        for instance in self._instances:
            for vip in instance.vips:
                on = vip.bound_on(instance.values.get("interface", ""))
                first = seen.setdefault((vip.ip, on), instance.name)
                if on and first != instance.name:
                    message = f'= "{vip.ip}": instance {first} has it on {on} already: an address has one owner'
                    instance.blame(vip.key, message)
