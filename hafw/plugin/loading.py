"""From a name or a file to a registered plugin: found, imported, and every mistake told before pluggy would."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

import hafw.api
from hafw import API, deprecation, hookspecs
from hafw.config.problem import did_you_mean, enumerate_words
from hafw.pipe import DEADLINE_MAX, EVERY, LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hafw.pipe import Offer

_MARKED = f"{hookspecs.PROJECT}_impl"
"""What ``@hookimpl`` leaves on a function."""
FLAGS = ("replay", "needs_root", "needs_privileges")
"""Attributes that a plugin may have."""
_HOOKS = {name: spec for name, spec in vars(hookspecs).items() if hasattr(spec, f"{hookspecs.PROJECT}_spec")}


class CannotLoadError(Exception):
    """What is no plugin, in words for its author: what it is, the rule, the way out."""


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
        return declared(self.plugin, name, otherwise)


def load(name: str, file: str, offers: Sequence[Offer] = ()) -> Loaded:
    """Import the plugin; whatever its import raises passes through. Raises ``CannotLoadError`` for what is none."""
    plugin, package, version = _from_file(name, file) if file else _from_offers(name, offers)
    if wrong := _written_for_another(plugin):  # whose hooks may be unknown here
        raise CannotLoadError(f"{package}: {wrong}")
    if found := [*_mistakes(plugin)]:
        raise CannotLoadError("; ".join(f"{package}: {each}" for each in found))
    registry = pluggy.PluginManager(hookspecs.PROJECT)
    registry.add_hookspecs(hookspecs)
    registry.register(plugin, name)
    callers = {each.name: each for each in registry.get_hookcallers(plugin) or ()}
    arguments = {hook: frozenset(caller.get_hookimpls()[0].argnames) for hook, caller in callers.items()}
    loaded = Loaded(plugin, package, version, arguments, dict(callers))
    if found := [*wrong_attributes(plugin)]:
        raise CannotLoadError("; ".join(f"{package}: {each}" for each in found))
    deprecation.look_at_hooks(arguments)
    deprecation.watch_fields(hafw.api)
    return loaded


def _from_offers(name: str, offers: Sequence[Offer]) -> tuple[object, str, str]:
    packages = sorted({each.package for each in offers})
    if not packages:
        raise CannotLoadError(f"no installed package offers plugin {name}: install it, or name its file")
    if len(packages) > 1:
        raise CannotLoadError(f"{' and '.join(packages)} both offer plugin {name}: uninstall all but one")
    offer = offers[0]
    module, _, path = offer.value.partition(":")
    plugin: object = import_module(module.strip())
    for attribute in filter(None, path.split("[")[0].strip().split(".")):
        plugin = getattr(plugin, attribute)
    return plugin, offer.package, offer.version


def _from_file(name: str, file: str) -> tuple[object, str, str]:
    """A file's plugin is its ``plugin``, or the module itself."""
    spec = spec_from_file_location(f"hafw_local_{name}", file)
    if spec is None or spec.loader is None:
        raise CannotLoadError(f"{file} is no Python file: its name must end with .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, "plugin", module), file, str(getattr(module, "__version__", ""))


def declared(plugin: object, name: str, otherwise: Any) -> Any:  # noqa: ANN401 - whatever the plugin says
    """An attribute of the plugin, or else of the module that it comes from."""
    return getattr(plugin, name, getattr(_module_of(plugin), name, otherwise))


def _written_for_another(plugin: object) -> str:
    """Why it does not fit this hafw: ``api`` is a number, or a tuple of those that it works with."""
    wanted = declared(plugin, "api", API)
    numbers = wanted if isinstance(wanted, tuple) else (wanted,)
    if not all(type(each) is int for each in numbers):
        return f"api = {wanted!r:.100}: must be a number, or a tuple of those that it works with"
    if API in numbers:
        return ""
    way_out = "install a version of it that is, or the hafw that it wants"
    return f"it is written for hafw API {' or '.join(map(str, numbers))}, this hafw has {API}: {way_out}"


def wrong_attributes(plugin: object) -> Iterator[str]:
    """What the plugin says of itself, and what hafw would understand as something else; ``configure`` may change it."""
    if (policy := declared(plugin, "delivery", EVERY)) not in (EVERY, LATEST):
        yield f'delivery = {policy!r:.100}: must be "{EVERY}" or "{LATEST}"'
    for name in FLAGS:
        if not isinstance(said := declared(plugin, name, False), bool):  # "no" is true
            yield f"{name} = {said!r:.100}: must be True or False"
    said = declared(plugin, "deadline", 0.0)
    if type(said) not in (int, float) or not 0 <= said <= DEADLINE_MAX:  # NaN is in no range
        yield f"deadline = {said!r:.100}: must be seconds, a number from 0 to {DEADLINE_MAX:g}"


def _module_of(plugin: object) -> ModuleType | None:
    return plugin if isinstance(plugin, ModuleType) else sys.modules.get(type(plugin).__module__)


def _mistakes(plugin: object) -> Iterator[str]:
    """Why this is no plugin: a class, no hook, hooks or arguments that do not exist."""
    if inspect.isclass(plugin):
        yield f"plugin is the class {plugin.__name__}: make it an object, plugin = {plugin.__name__}()"
        return
    marked = {name: each for name, each in _functions(plugin) if hasattr(each, _MARKED)}
    if not marked:
        yield _no_hook(plugin)
    for name, function in marked.items():
        if name not in _HOOKS:
            near = did_you_mean(name, _HOOKS)
            yield f"{name} is no hook{near}: the hooks are {enumerate_words(_HOOKS)}"
        else:
            yield from _wrong_arguments(name, function)


def _functions(owner: object) -> Iterator[tuple[str, Any]]:
    """Public functions of a module or an object; nothing of it is executed, properties least of all."""
    for name in dir(owner):
        if not name.startswith("_"):
            try:
                found = inspect.getattr_static(owner, name)
            except AttributeError:
                continue
            if inspect.isfunction(found := getattr(found, "__func__", found)):
                yield name, found


def _no_hook(plugin: object) -> str:
    rule = "define hooks with @hookimpl at module level"
    for name, each in vars(plugin).items() if isinstance(plugin, ModuleType) else ():
        if inspect.isclass(each) and any(hasattr(method, _MARKED) for _, method in _functions(each)):
            return f"no plugin found: {name} has hooks, but there is no object of it: add plugin = {name}()"
    unmarked = sorted(name for name, _ in _functions(plugin) if name in _HOOKS)
    if unmarked:
        return f"no plugin found: {enumerate_words(unmarked)} must be marked: put @hookimpl of hafw.api above"
    if isinstance(plugin, ModuleType):
        return f"no plugin found: {rule}, or add plugin = YourClass()"
    return f"plugin is {plugin!r:.60}, which has no hook: mark its methods with @hookimpl, or {rule}"


def _wrong_arguments(hook: str, function: Any) -> Iterator[str]:  # noqa: ANN401 - any function
    known = inspect.signature(_HOOKS[hook]).parameters
    parameters = list(inspect.signature(function).parameters.values())
    for each in parameters:
        by_name = each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) and each.default is each.empty
        if by_name and each.name not in known and not (each is parameters[0] and each.name in ("self", "cls")):
            rule = f"it may take {enumerate_words(known)}" if known else "it takes none"
            yield f"{hook} has no argument {each.name}{did_you_mean(each.name, known)}: {rule}"
