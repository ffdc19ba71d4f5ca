"""The package of a new plugin, complete: what ``hafw plugins new`` writes.

``render`` is pure; ``write`` puts all of it on the disk, or nothing. What the files say lies in ``templates`` and
``licences``, where ``@word@`` is replaced, and for each hook in ``hooks.py``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import hafw
from hafw.scaffold.code import module_words, options_of, test_words
from hafw.scaffold.hooks import HOOKS
from hafw.scaffold.kinds import KINDS, Kind
from hafw.scaffold.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LICENCES: Final = ("MIT", "Apache-2.0", "BSD-3-Clause", "GPL-3.0-or-later", "none")
"""By their SPDX names; ``none``: nobody else may use it, and nothing is published."""
PROMISED: Final = 3
"""Minor releases that work with what was written for the first of them: a deprecated hook warns for two more."""
_FOLDER: Final = Path(__file__).parent
_PLACEHOLDER: Final = re.compile(r"@([a-z_]+)@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted. Everything has been checked."""

    name: str
    hooks: tuple[str, ...]
    """Empty: of a ``kind``, which brings its own."""
    licence: str
    kind: str = ""
    """Of ``KINDS``; empty: those of ``hooks``."""
    author: str = ""
    email: str = ""
    year: int
    """Of the copyright."""


def render(order: Order) -> dict[str, str]:
    """Every file of the package, by its path within it."""
    names = Names(order.name)
    words = _words(order, names)
    files = {
        "pyproject.toml": _template("pyproject.toml", words),
        "README.md": _template("README.md", words),
        ".gitignore": _template("gitignore", words),
        ".github/workflows/release.yml": _template("release.yml", words),
        "config.toml": _template("config.toml", words),
        f"{names.module}/py.typed": "",
    }
    module, test = _code(order, words)
    files |= {f"{names.module}/__init__.py": module, f"tests/test_{names.plugin}.py": test}
    if order.licence != "none":
        files["LICENSE"] = fill((_FOLDER / f"licences/{order.licence}.txt").read_text("utf-8"), words)
    return files


def write(files: Mapping[str, str], folder: Path) -> None:
    """All of it at once, under a name that appears when everything is there.

    Raises ``FileExistsError`` when anything has this name already, and ``OSError`` as the disk has it; neither leaves
    anything behind.
    """
    if os.path.lexists(folder):
        raise FileExistsError(folder)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        beside.chmod(0o777 & ~_umask())
        for name, text in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def compatible(version: str) -> str:
    """The versions of hafw that a plugin written for this one works with, as pip has it: ``>=0.1,<0.4``."""
    major, minor = version.split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + PROMISED}"


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with its placeholders replaced. Raises ``KeyError`` for one that nobody knows."""
    return _PLACEHOLDER.sub(lambda found: words[found[1]], text)


def _template(name: str, words: Mapping[str, str]) -> str:
    return fill((_FOLDER / f"templates/{name}.in").read_text("utf-8"), words).rstrip("\n") + "\n"


def _code(order: Order, words: dict[str, str]) -> tuple[str, str]:
    """The plugin and its test."""
    if order.kind:
        return _template(f"{order.kind}.py", words), _template(f"{order.kind}_test.py", words)
    module, test = _filled(module_words(order.hooks), words), _filled(test_words(order.hooks), words)
    return _template("module.py", words | module), _template("test.py", words | test)


def _filled(pieces: Mapping[str, str], words: Mapping[str, str]) -> dict[str, str]:
    return {name: fill(text, words) for name, text in pieces.items()}


def _umask() -> int:
    """There is no asking without setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _words(order: Order, names: Names) -> dict[str, str]:
    """What the placeholders of all files stand for."""
    kind = KINDS.get(order.kind) or _of_hooks(order.hooks)
    holder = order.author or f"the authors of {names.distribution}"
    known = {
        "name": names.name,
        "plugin": names.plugin,
        "distribution": names.distribution,
        "module": names.module,
        "class_name": names.class_name,
        "wheel": names.distribution.replace("-", "_"),
        "api": str(hafw.API),
        "range": compatible(hafw.__version__),
        "year": str(order.year),
        "holder": holder,
        "metadata": _metadata(order),
        "sentence": kind.sentence,
        "keys": kind.rows.rstrip("\n"),
        "licence": _licence(order, holder),
    }
    known["example"] = fill(kind.example, known)
    return known | _publication(order, known) | _configuration(order, names)


def _of_hooks(hooks: Sequence[str]) -> Kind:
    options = options_of(hooks)
    return Kind(
        sentence=HOOKS[hooks[0]].sentence,
        example="".join(each.example for each in options),
        rows="".join(each.rows for each in options),
    )


def _metadata(order: Order) -> str:
    """The lines of pyproject.toml that depend on who writes it; JSON's strings are TOML's."""
    who = {"name": order.author, "email": order.email}
    pairs = ", ".join(f"{key} = {json.dumps(each, ensure_ascii=False)}" for key, each in who.items() if each)
    author = f"authors = [{{ {pairs} }}]\n" if pairs else ""
    if order.licence == "none":
        return f'{author}classifiers = ["Private :: Do Not Upload"]\n'
    return f'license = "{order.licence}"\nlicense-files = ["LICENSE"]\n{author}'


def _licence(order: Order, holder: str) -> str:
    notice = f"Copyright (c) {order.year} {holder}."
    if order.licence == "none":
        return f"{notice} All rights reserved."
    return f"{notice} {order.licence}: see [LICENSE](LICENSE)."


def _publication(order: Order, known: Mapping[str, str]) -> dict[str, str]:
    """The part of the workflow that publishes, and what the page says of it."""
    if order.licence == "none":
        said = "There is no licence, so nothing is published: `python -m build` makes a wheel for your own machines."
        return {"publish": "", "published": "", "release": said}
    said = (
        "Once, on the package index: add a trusted publisher for your repository, workflow `release.yml`, environment\n"
        "`pypi`. Then, for each release: raise `version` in `pyproject.toml`, commit, and push the tag `v` with the "
        "same\nversion, such as `v0.1.0`. It is built, tested, and published from there; no password is stored."
    )
    published = " A tag such as v0.1.0 is published, if it is the version in pyproject.toml."
    return {"publish": _template("publish.yml", known).rstrip(), "published": published, "release": said}


def _configuration(order: Order, names: Names) -> dict[str, str]:
    """The parts of config.toml that depend on the hooks."""
    grouped = "group_changed" in order.hooks
    checked = bool({"check", "monitor"} & set(order.hooks))
    owner = "group.site" if grouped else "instance.VI_1"
    return {
        "instances": "\n".join(_instance(number, grouped=grouped) for number in ((1, 2) if grouped else (1,))),
        "checks": f"[{owner}.check.{names.plugin}]\nweight = -50\n\n" if checked else "",
        "others": "\n[plugin.vip]\nenabled = false\n" if "takeover" in order.hooks else "",
    }


def _instance(number: int, *, grouped: bool) -> str:
    group = 'group = "site"\n' if grouped else ""
    return (
        f'[instance.VI_{number}]\ninterface = "eth0"\nvrid = {50 + number}\npriority = 100\n{group}'
        f'virtual_addresses = ["192.0.2.{249 + number}"]\n'
    )
