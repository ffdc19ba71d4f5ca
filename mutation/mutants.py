"""The mutants of the election: each is one function with one small mistake, as mutmut makes them.

mutmut leaves decorated functions alone, and so every property, in which half of the protocol's arithmetic is written:
so it is shown the source without those decorators.
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from difflib import ndiff
from hashlib import sha256
from pathlib import Path
from textwrap import indent
from types import FunctionType
from typing import TYPE_CHECKING, cast

from mutation.verdict import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libcst

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: ``source`` is the whole function with it."""

    change: Change
    source: str

    @property
    def fingerprint(self) -> str:
        """Of the function with the mistake: another one when anything in the function changes."""
        return sha256(f"{self.change}\n{self.source}".encode()).hexdigest()

    def put_in_place(self) -> None:
        """Let the function do what ``source`` says, whoever has a reference to it. There is no way back."""
        owner, _, name = self.change.function.rpartition(".")
        target, made = function(self.change.file, self.change.function), dict[str, object]()
        cell = "\n    __class__\n" if target.__closure__ else ""  # of super(), which may be what the mistake takes away
        source = f"class {owner}:\n{indent(self.source + cell, '    ')}" if owner else self.source
        flags = "from __future__ import annotations\n"
        exec(compile(flags + source, self.change.file, "exec", dont_inherit=True), target.__globals__, made)  # noqa: S102
        mutated = cast("FunctionType", vars(made[owner])[name] if owner else made[name])
        target.__code__ = mutated.__code__
        target.__defaults__, target.__kwdefaults__ = mutated.__defaults__, mutated.__kwdefaults__


def mutated_files() -> list[str]:
    """Of these, relative to ``ROOT``, mutants are made."""
    rooms = (ROOT / "hafw" / "vrrp", ROOT / "hafw" / "node")
    return [str(path.relative_to(ROOT)) for room in rooms for path in sorted(room.glob("*.py"))]


def function(file: str, name: str) -> FunctionType:
    """The living function that is written there, ``Class.method`` or a function; of a property that which reads it."""
    found: object = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = vars(found)[part]
    found = found.fget if isinstance(found, property) else found
    assert isinstance(found, FunctionType), f"{file}: {name} is no plain function"
    return found


def undecorated(source: str) -> str:
    """Make plain methods of properties."""
    lines = source.splitlines(keepends=True)
    marks = [
        node.decorator_list[0].lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and [ast.unparse(each) for each in node.decorator_list] == ["property"]
    ]
    return "".join(line for number, line in enumerate(lines, 1) if number not in marks)


def mutants(file: str) -> Iterator[Mutant]:
    """All of one file."""
    import libcst as cst  # noqa: PLC0415 - make mutation installs them
    from mutmut.mutation.file_mutation import create_mutations, deep_replace  # noqa: PLC0415

    module, mutations, *_ = create_mutations(file, undecorated((ROOT / file).read_text(encoding="utf-8")))
    names = dict(_names(module))
    for each in mutations:
        home = each.contained_by_top_level_function
        if home not in names:  # a constant of a module or a default of a class
            continue
        before = cst.Module([home]).code
        after = cst.Module([cast("libcst.FunctionDef", deep_replace(home, each.original_node, each.mutated_node))]).code
        yield Mutant(Change(file, names[home], *_differences(before, after)), after)


def _names(module: libcst.Module) -> Iterator[tuple[libcst.CSTNode, str]]:
    import libcst as cst  # noqa: PLC0415

    for node in module.body:
        if isinstance(node, cst.FunctionDef):
            yield node, node.name.value
        elif isinstance(node, cst.ClassDef):
            methods = [each for each in node.body.body if isinstance(each, cst.FunctionDef)]
            yield from ((each, f"{node.name.value}.{each.name.value}") for each in methods)


def _differences(before: str, after: str) -> tuple[str, str]:
    """The lines that are gone and those that are new, without their indentation."""
    old, new = ([line.strip() for line in text.splitlines()] for text in (before, after))
    differing = list(ndiff(old, new))
    gone, come = (" ".join(line[2:] for line in differing if line.startswith(sign)) for sign in ("- ", "+ "))
    return gone, come
