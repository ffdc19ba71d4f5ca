"""Everything that a plugin may rely on, as lines: what is stored in ``api.txt``, and what may change how.

A line that appears is an addition, a line that goes is a removal, and a change is both. So each parameter and each
field has a line of its own.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, ForwardRef, Literal, get_args, get_origin, is_typeddict

import hafw
from hafw import hookspecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.deprecation import Deprecation

MODULES: Final = ("hafw.api", "hafw.command", "hafw.notification", "hafw.role", "hafw.testing")
"""Those that authors import from."""
STORED: Final = Path(__file__).with_name("api.txt")
HEAD: Final = """\
# What a plugin may rely on: every name, parameter, field, default, hook and attribute. A test compares it with the
# code; make api writes it anew, if the policy of docs/plugins/versions.md allows the change. A line that appears is an
# addition. What goes or changes breaks plugins: it needs a deprecation that is due, and hafw.API has to grow. Only what
# is new since the last release is free to change."""
NEW: Final = "new "
TO_UPDATE: Final = "make api writes tests/plugins/api.txt anew; read the difference before you commit it"
MINORS: Final = 2
"""Minor releases that warn before anything goes."""


def lines() -> list[str]:
    """The API as it is."""
    found = [f"API = {hafw.API}"]
    for name in MODULES:
        found += of_module(name)
    for name, spec in vars(hookspecs).items():
        if hasattr(spec, "hafw_spec"):
            found += of_function(f"hook {name}", spec)
    return [*found, *(f"attribute {name}" for name in attributes())]


def of_module(module: str) -> Iterator[str]:
    home = import_module(module)
    for name in sorted(home.__all__):
        value = getattr(home, name)
        place = f"name {module}.{name}"
        if inspect.isclass(value):
            yield from of_class(place, value)
        elif inspect.isfunction(value):
            yield from of_function(place, value)
        elif get_origin(value) is Literal:
            yield from (f"{place}: {word!r}" for word in get_args(value))
        else:
            yield f"{place}: {type(value).__name__}"


def of_class(place: str, kind: type) -> Iterator[str]:
    bases = [base.__name__ for base in kind.__bases__ if base is not object and not base.__module__.startswith("hafw")]
    yield f"{place}: class({', '.join(bases)})"
    if dataclasses.is_dataclass(kind):
        for number, field in enumerate(dataclasses.fields(kind)):
            how = "" if field.kw_only else f" [{number}]"  # a place that a caller may count on
            yield f"{place}.{field.name}{how}: {field.type}{default_of(field)}"
    elif is_typeddict(kind):
        yield from (f"{place}.{name}: {shown(wanted)}" for name, wanted in kind.__annotations__.items())
    elif "__init__" in vars(kind) and not place.startswith("name hafw.testing."):  # a harness makes its own values
        yield from of_function(f"{place}()", kind.__init__)
    for name, value in sorted(vars(kind).items()):
        if (name.startswith("_") and name != "__call__") or (
            dataclasses.is_dataclass(kind) and name in kind.__dataclass_fields__
        ):
            continue
        if inspect.isfunction(value):
            yield from of_function(f"{place}.{name}()", value)
        else:
            yield f"{place}.{name}: {type(value).__name__}"


def default_of(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {field.default!r}"
    return "" if field.default_factory is dataclasses.MISSING else f" = {field.default_factory.__name__}()"


def of_function(place: str, function: object) -> Iterator[str]:
    signature = inspect.signature(function)
    yield f"{place} -> {shown(signature.return_annotation)}"
    for number, each in enumerate(signature.parameters.values()):
        if each.name == "self":
            continue
        by_name = place.startswith("hook ") or each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD, each.VAR_POSITIONAL)
        how = "" if by_name else f" [{number}]"
        star = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        default = "" if each.default is each.empty else f" = {each.default!r}"
        yield f"{place}.{star}{each.name}{how}: {shown(each.annotation)}{default}"


def shown(annotation: object) -> str:
    if annotation is inspect.Signature.empty:
        return "?"
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def attributes() -> list[str]:
    """What a plugin may declare: everything that its process asks it for, with what counts otherwise."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (Path(hafw.__file__).parent / "plugin").glob("*.py")]
    return sorted(
        {
            f"{name.value}: {ast.unparse(otherwise)}"
            for tree in trees
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "declared"
            for name, otherwise in [call.args[-2:]]
            if isinstance(name, ast.Constant)
        }
    )


# -- what may change how ------------------------------------------------------------------------------------------


def stored_lines(*, released: bool = False) -> list[str]:
    """Those of ``api.txt``; ``released``: without those that no release has had yet, which may still change."""
    lines = [line for line in STORED.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [line.removeprefix(NEW) for line in lines if not (released and line.startswith(NEW))]


def to_store(now: Sequence[str]) -> str:
    """The file as it should be: a line that no release has had is marked until one has it."""
    same = last_release() in STORED.read_text("utf-8").splitlines()
    released = stored_lines(released=True) if same else now
    marked = [line if line in released or line == now[0] else NEW + line for line in now]
    return "".join(f"{line}\n" for line in (HEAD, last_release(), *marked))


def last_release() -> str:
    """As the changelog has it."""
    found = re.search(r"^## \[(\d[\d.]*)\]", (STORED.parents[2] / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    return f"# Last release: {found[1] if found else 'none'}"


def api_of(surface: Sequence[str]) -> int:
    return int(surface[0].removeprefix("API = "))


def offences(before: Sequence[str], now: Sequence[str], known: Sequence[Deprecation], version: str) -> list[str]:
    """Why ``now`` may not follow ``before``: each line that breaks a plugin, with the rule and the way out."""
    eased = [line.partition(" = ")[0] for line in now if " = " in line]  # what may be left out now
    gone = [line for line in before[1:] if line not in now and line not in eased]
    new = [line for line in now[1:] if line not in before]
    breaking = [f"gone: {line}" for line in gone]
    breaking += [f"required: {line}" for line in new if is_required(line, before)]
    wrong = [
        f"gone: {line}: nothing goes without a warning in {MINORS} minor releases: "
        f"hafw/deprecation.py says {f'from {due} on' if due else 'nothing of it'}, and this is {version}"
        for line in gone
        if not (due := due_of(line, known)) or minor(due) > minor(version)
    ]
    if breaking and api_of(now) <= api_of(before):
        rule = f"this breaks plugins, so hafw.API has to grow to {api_of(before) + 1}"
        wrong += [f"{each}: {rule}" for each in breaking]
    return wrong


def is_required(line: str, before: Sequence[str]) -> bool:
    """A new parameter or field without a default, of what was there before; a hook's argument is never required."""
    owner = re.match(r"name (\S+?\(\)|\S+?)\.\*{0,2}(\w+)(?: \[\d+\])?: ", line)
    if owner is None or " = " in line or ".*" in line:
        return False
    whole = f"name {owner[1]}"
    return any(old.startswith((f"{whole} -> ", f"{whole}: ")) for old in before)


def due_of(line: str, known: Sequence[Deprecation]) -> str:
    """When the policy lets this line go: what ``removed_in`` of its deprecation says; empty: it has none."""
    for each in known:
        place = {
            "hook": rf"hook {re.escape(each.subject)}(?: |\.)",
            "argument": rf"hook {re.escape(each.subject)}: ",
            "field": rf"name hafw\.\w+\.{re.escape(each.subject)}(?: \[\d+\])?: ",
            "name": rf"name {re.escape(each.subject)}(?=[ :.(])",
        }[each.kind]
        if re.match(place, line):
            return each.removed_in
    return ""


def minor(version: str) -> tuple[int, int]:
    """``0.2`` and ``0.2.1``: (0, 2)."""
    major, second, *_ = version.split(".")
    return int(major), int(second)


def broken_promises(known: Sequence[Deprecation], surface: Sequence[str]) -> list[str]:
    """Deprecations that would go too early, or that are of nothing."""
    wrong = []
    for each in known:
        (major, since), (last, removed) = minor(each.since), minor(each.removed_in)
        later = last - major + removed if last > major else 0  # 0.9 to 1.0 is one release
        steps = removed - since if last == major else later
        if steps < MINORS:
            rule = f"it has to warn in {MINORS} minor releases at least"
            wrong.append(f"{each.subject}: since {each.since}, gone in {each.removed_in}: {rule}")
        if (
            each.kind != "name"
            and not any(due_of(line, [each]) for line in surface)
            and minor(each.removed_in) > minor(hafw.__version__)
        ):
            wrong.append(f"{each.kind} {each.subject}: there is no such thing, and it may not be gone yet")
        module, _, name = each.subject.rpartition(".")
        if each.kind == "name" and (
            name in vars(import_module(module)) or "__getattr__" not in vars(import_module(module))
        ):
            way_out = f"let {module}.__getattr__ find it by deprecation.name_of, and say in now_at where it is"
            wrong.append(f"{each.subject}: whoever imports it is not warned: {way_out}")
    return wrong
