"""docs/plugins/api.md from the docstrings of the API, so that nobody has to write the same twice."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args, get_origin, is_typeddict

from surface import default_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES: Final = {
    "hafw.api": "What every plugin imports. The hooks have [pages of their own](README.md#the-hooks).",
    "hafw.command": "For plugins that run programs of the operator's, as `notify_script` and `script` do.",
    "hafw.notification": "For plugins that tell somebody, as `notify_email` and `webhook` do.",
    "hafw.role": "For plugins that make the machine fit the role, as `service` does.",
}
"""``hafw.testing`` has a page of its own."""
HOMES: Final = ("hafw", "hafw.hookspecs")
"""Where constants live that ``hafw.api`` hands on."""
START: Final = "\n## hafw.api\n"


def written(page: str) -> str:
    """The page with everything from the first module on as the code has it."""
    return page.partition(START)[0] + "".join(f"\n{line}\n" for line in sections())


def sections() -> Iterator[str]:
    for module, what in MODULES.items():
        yield f"## {module}"
        yield what
        home = import_module(module)
        for name in home.__all__:
            yield f"### {name}"
            yield from of_name(module, name, getattr(home, name))


def of_name(module: str, name: str, value: object) -> Iterator[str]:
    if inspect.isclass(value):
        yield from of_class(value)
    elif inspect.isfunction(value):
        yield from of_function(value)
    else:
        for each in (module, *HOMES):
            if text := docs_of(each, "").get(name):
                yield prose(text)
                break
        if get_origin(value) is Literal:
            yield ", ".join(f"`{word}`" for word in get_args(value))


def of_class(kind: type) -> Iterator[str]:
    yield prose(inspect.getdoc(kind) or "")
    rows = []
    if dataclasses.is_dataclass(kind):
        rows = [(each.name, f"{each.type}{default_of(each)}") for each in dataclasses.fields(kind)]
        if any(not each.kw_only for each in dataclasses.fields(kind)):
            yield f"`{kind.__name__}({', '.join(each.name for each in dataclasses.fields(kind))})`"
    elif is_typeddict(kind):
        rows = [(name, shown(wanted)) for name, wanted in kind.__annotations__.items()]
    if rows:
        told = field_docs(kind)
        cells = [
            f"| `{name}` | `{wanted}` | {prose(told.get(name, '')).replace(chr(10), ' ')} |" for name, wanted in rows
        ]
        yield "\n".join(["| field | type | |", "|---|---|---|", *cells]).replace("` | `int | None", "` | `int \\| None")
    for name, method in vars(kind).items():
        if isinstance(method, property) and not name.startswith("_"):
            yield f"`{name}: {method.fget.__annotations__['return']}`"
            yield prose(inspect.getdoc(method) or "")
        if inspect.isfunction(method) and not name.startswith("_") and not hasattr(method, "hafw_impl"):
            yield from of_function(method)


def of_function(function: object) -> Iterator[str]:
    signature = re.sub(r"(: |-> )'([^']+)'", r"\1\2", str(inspect.signature(function)))
    yield f"```python\ndef {function.__name__}{signature}\n```"
    yield prose(inspect.getdoc(function) or "")


def field_docs(kind: type) -> dict[str, str]:
    """Those of its bases too."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("hafw"):
            found |= docs_of(each.__module__, each.__name__)
    return found


@cache
def docs_of(module: str, owner: str) -> dict[str, str]:
    """The texts below the assignments of a class, or of the module itself."""
    tree = ast.parse(Path(import_module(module).__file__ or "").read_text("utf-8"))
    body = tree.body
    if owner:
        (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner]
    found = {}
    for node, below in pairwise(body):
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[target.id] = inspect.cleandoc(str(below.value.value))
    return found


def prose(text: str) -> str:
    """A docstring as Markdown: code in single quotation marks, pages of this tree as links."""
    plain = re.sub(r"``(.+?)``", r"`\1`", text)
    plain = re.sub(r"`docs/plugins/(\w+)\.md`", r"[\1](\1.md)", plain)
    return re.sub(r"`docs/(\w+)\.md`", r"[\1](../\1.md)", plain)
