"""One file for every router: a value may be a table keyed by node name, and one node's view is read."""

from __future__ import annotations

from typing import Any

from hafw.config.convert import FAILED
from hafw.config.foreign import FileReader
from hafw.config.problem import enumerate_words
from hafw.config.types import is_table, keys_of, shape_of


class NodeReader(FileReader):
    """Reads what one node sees, and remembers which tables are keyed by node."""

    def __init__(self, node: str, *, is_current: bool, machine: bool) -> None:
        super().__init__(machine=machine and is_current)
        self.node = node
        self.is_current = is_current
        """Another node's lack of a value is that node's business."""
        self.node_tables: dict[str, tuple[str, ...]] = {}
        """The nodes that each table keyed by node names, by key path."""
        self._places: dict[str, str] = {}

    def chosen(self, value: object, type_: Any, path: str) -> tuple[object, str]:  # noqa: ANN401
        """The value of this node, where the value is a table and the key's type is none."""
        if not isinstance(value, dict) or not value or not _is_by_node(value, type_):
            return value, path
        return self.of_this_node(value, path)

    def of_this_node(self, table: dict[str, Any], path: str) -> tuple[object, str]:
        """The value of this node from a table keyed by node, and its path."""
        self.node_tables[path] = tuple(table)
        if self.node in table:
            self._places[path] = f"{path}.{self.node}"
            return table[self.node], self._places[path]
        if self.is_current:
            there = enumerate_words(table)
            self._refuse(path, f"has no value for node {self.node}, only for {there}: add {self.node} = ...")
        return FAILED, path

    def place(self, path: str) -> str:
        """Where the value of a key path really stands: ``instance.VI_1.priority.lb1``."""
        if path in self._places:
            return self._places[path]
        cut = max(path.rfind("."), path.rfind("["))
        return path if cut < 0 else f"{self.place(path[:cut])}{path[cut:]}"


def _is_by_node(value: dict[str, Any], type_: Any) -> bool:  # noqa: ANN401
    """A table's type decides: one that reads key by key is by node only if it holds tables and none of its own keys."""
    kind = shape_of(type_).kind
    if kind is dict:
        return False
    if not is_table(kind):
        return True
    return all(isinstance(each, dict) for each in value.values()) and not {key.key for key in keys_of(kind)} & set(
        value
    )
