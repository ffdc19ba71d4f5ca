"""From a name or a file to a registered plugin: found, imported, validated by pluggy."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import pluggy

from hafw import hookspecs
from hafw.api import API

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Loaded:
    """One plugin, ready to be called."""

    plugin: object
    package: str
    version: str
    implementations: dict[str, frozenset[str]]
    """The arguments that each hook takes, by its name."""
    call: dict[str, Callable[..., Any]]
    """Called with every argument of the hookspec, by keyword; pluggy leaves out what is not taken."""

    def declared(self, name: str, otherwise: Any) -> Any:  # noqa: ANN401 - whatever the plugin says
        """An attribute of the plugin, or else of the module that it comes from."""
        module = sys.modules.get(type(self.plugin).__module__)
        return getattr(self.plugin, name, getattr(module, name, otherwise))


def load(name: str, file: str) -> Loaded:
    """Import the plugin; whatever its import raises passes through."""
    plugin, package, version = _from_file(name, file) if file else _from_entry_point(name)
    if inspect.isclass(plugin):
        raise TypeError(f"{package}: plugin {name} is a class: offer an instance of it, or a module")
    registry = pluggy.PluginManager(hookspecs.PROJECT)
    registry.add_hookspecs(hookspecs)
    registry.register(plugin, name)
    registry.check_pending()
    found = {each.name: each for each in registry.get_hookcallers(plugin) or ()}
    arguments = {hook: frozenset(caller.get_hookimpls()[0].argnames) for hook, caller in found.items()}
    loaded = Loaded(plugin, package, version, arguments, dict(found))
    if not found:
        raise TypeError(f"{package}: plugin {name} has no hook: mark its functions with @hookimpl of hafw.api")
    if (wanted := loaded.declared("api", API)) != API:
        raise TypeError(f"{package}: plugin {name} is written for hafw API {wanted}, this hafw has {API}")
    return loaded


def _from_entry_point(name: str) -> tuple[object, str, str]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - 25 ms that a one-file plugin need not pay

    found = entry_points(group=hookspecs.PROJECT, name=name)
    packages = sorted({each.dist.name if each.dist else each.value for each in found})
    if not packages:
        raise LookupError(f"no installed package offers plugin {name}: install it, or name its file")
    if len(packages) > 1:
        raise LookupError(f"{' and '.join(packages)} both offer plugin {name}: uninstall all but one")
    entry = next(iter(found))
    return entry.load(), packages[0], entry.dist.version if entry.dist else ""


def _from_file(name: str, file: str) -> tuple[object, str, str]:
    """A file's plugin is its ``plugin``, or the module itself."""
    spec = spec_from_file_location(f"hafw_local_{name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file: its name must end with .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, "plugin", module), file, str(getattr(module, "__version__", ""))
