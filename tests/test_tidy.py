"""The style rules and the walls of ARCHITECTURE.md, as tests instead of a wiki.

Independent of import-linter on purpose: that one sees the graph of one package, this one knows the rooms by name,
reads imports inside functions too, and stays true when a contract in pyproject.toml is loosened.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import re
import sys
import tomllib
from pathlib import Path

import pytest

from hafw.config.plugins import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400

PURE_STDLIB = {
    *("__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "enum", "functools", "hashlib"),
    *("heapq", "hmac", "ipaddress", "itertools", "math", "operator", "re", "struct", "types", "typing"),
}
"""No clock, socket, thread, log or chance among them."""

PURE = ("hafw.vrrp", "hafw.node")
CORE = (*PURE, "hafw.pipe", "hafw.records", "hafw.journal", "hafw.config", "hafw.wire")
ROOMS = {
    "hafw.vrrp": ("hafw.vrrp",),
    "hafw.node": PURE,
    "hafw.pipe": (),
    "hafw.wire": ("hafw.vrrp", "hafw.wire"),
    "hafw.records": (*PURE, "hafw.pipe"),
    "hafw.journal": PURE,
    "hafw.secret": (),
    "hafw.deprecation": (),
    "hafw.config": ("hafw.vrrp", "hafw.node", "hafw.pipe", "hafw.secret", "hafw.config"),
    "hafw.hookspecs": ("hafw.pipe",),
    "hafw.notification": ("hafw.hookspecs", "hafw.pipe"),
    "hafw.patience": ("hafw.notification",),
    "hafw.role": ("hafw.hookspecs", "hafw.pipe"),
    "hafw.command": ("hafw.config", "hafw.deprecation"),
    "hafw.api": ("hafw.hookspecs", "hafw.pipe", "hafw.config", "hafw.secret", "hafw.deprecation"),
    "hafw.plugin": ("hafw.api", "hafw.hookspecs", "hafw.pipe", "hafw.config", "hafw.deprecation"),
    "hafw.will": (),
    "hafw.lifeline": ("hafw.wire", "hafw.will"),
    "hafw.footprint": ("hafw.wire", "hafw.will"),
    "hafw.seal": ("hafw.vrrp", "hafw.secret", "hafw.will"),
    "hafw.guard": (
        *("hafw.vrrp.packet", "hafw.vrrp.auth", "hafw.vrrp.settings", "hafw.wire", "hafw.will", "hafw.lifeline"),
        *("hafw.seal", "hafw.footprint"),
    ),
    "hafw.daemon": (*CORE, "hafw.will", "hafw.lifeline", "hafw.seal", "hafw.footprint", "hafw.daemon"),
    "hafw.sim": (*CORE, "hafw.sim"),
    "hafw.listen": ("hafw.vrrp", "hafw.config", "hafw.wire.frames", "hafw.listen"),
    "hafw.keepalived": (*CORE, "hafw.keepalived"),
    "hafw.lab": (*CORE, "hafw.lab"),
    "hafw.doctor": (*CORE, "hafw.doctor"),
    "hafw.scaffold": ("hafw.config", "hafw.scaffold"),
    "hafw.testing": (*CORE, "hafw.daemon", "hafw.sim", "hafw.lab", "hafw.testing"),
    "hafw.cli": ("hafw",),
    "hafw.__main__": ("hafw.cli",),
}
"""Which rooms a room may enter. ``hafw`` itself, where only the version is, is open to all."""

FORBIDDEN_WORDS = {"slave", "handler", "manager", "util", "helper"}


def is_ours(path: Path) -> bool:
    """Whether git would carry it: no virtual environment, no cache, no build."""
    parts = path.relative_to(ROOT).parts
    if any(part in {"__pycache__", "build", "dist", "node_modules"} or part.endswith(".egg-info") for part in parts):
        return False
    return not any(part.startswith(".") for part in parts if part not in {".ci", ".gitignore", ".github"})


@functools.cache
def files(*suffixes: str) -> list[Path]:
    found, folders = [], [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if not is_ours(path) or path.is_symlink():
                continue
            if path.is_dir():
                if not (path / "pyvenv.cfg").exists():
                    folders.append(path)
            elif not suffixes or path.suffix in suffixes:
                found.append(path)
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_test(path: Path) -> bool:
    return "tests" in path.relative_to(ROOT).parts or path.name == "conftest.py"


def product() -> list[Path]:
    """The Python that is installed: hafw and its plugins, without their tests."""
    return [path for path in files(".py") if name_of(path).startswith(("hafw/", "plugins/")) and not is_test(path)]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def modules() -> dict[str, Path]:
    return {module_of(path): path for path in files(".py") if name_of(path).startswith("hafw/")}


def typing_only(module: ast.Module) -> set[ast.AST]:
    """Every node under ``if TYPE_CHECKING``: read by mypy, never imported."""
    blocks = (
        node
        for node in ast.walk(module)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


@functools.cache
def imports(path: Path, *, at_run_time: bool = False) -> frozenset[str]:
    """Every module that the file imports, at whatever depth; names from a package count where they are modules."""
    module = tree(path)
    left_out = typing_only(module) if at_run_time else set()
    found: set[str] = set()
    for node in ast.walk(module):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import hides which wall it crosses"
            source = node.module or ""
            found.update(f"{source}.{alias.name}" for alias in node.names if f"{source}.{alias.name}" in modules())
            if any(f"{source}.{alias.name}" not in modules() for alias in node.names):
                found.add(source)
    return frozenset(found)


def is_within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def room_of(module: str) -> str:
    return next((room for room in ROOMS if is_within(module, (room,))), "")


def reachable(module: str) -> set[str]:
    """Everything that importing this module may bring into the process, functions' own imports included."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in modules():
            todo += imports(modules()[name], at_run_time=True)
            todo += [name.rpartition(".")[0]] if "." in name else []
    return seen


def top(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_enters_only_the_rooms_below_it():
    wrong = []
    for module, path in modules().items():
        room = room_of(module)
        if module == "hafw":
            continue
        if not room:
            wrong.append(f"{name_of(path)}: a room that ROOMS does not know: say there what it may import")
            continue
        entered = [name for name in imports(path) if top(name) == "hafw" and name != "hafw"]
        allowed = (*ROOMS[room], room)
        wrong += [f"{name_of(path)} imports {name}" for name in entered if not is_within(name, allowed)]
    assert wrong == []


@pytest.mark.requirement("C-TMR-08")
def test_the_election_imports_pure_parts_of_the_standard_library_only():
    wrong = [
        f"{name_of(path)} imports {name}"
        for module, path in modules().items()
        if is_within(module, PURE)
        for name in imports(path)
        if top(name) not in PURE_STDLIB | {"hafw"}
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ["hafw.wire", "hafw.will", "hafw.lifeline", "hafw.footprint", "hafw.guard"])
def test_what_the_guard_runs_is_standard_library_only(room: str):
    wrong = [
        f"{name_of(path)} imports {name}"
        for module, path in modules().items()
        if is_within(module, (room,))
        for name in imports(path)
        if top(name) not in sys.stdlib_module_names | {"hafw"}
    ]
    assert wrong == []


def test_nothing_that_the_daemon_loads_reaches_a_plugin_or_what_only_plugins_need():
    plugins = {path.name for path in ROOT.glob("plugins/*/hafw_*")}
    wrong = {
        f"{module} reaches {name}"
        for module in modules()
        if room_of(module) == "hafw.daemon"
        for name in reachable(module)
        if top(name) in {"pluggy", "scapy", "pyroute2"} | plugins
        or is_within(name, ("hafw.api", "hafw.hookspecs", "hafw.plugin", "hafw.cli", "hafw.lab", "hafw.sim"))
    }
    assert wrong == set()


def test_a_plugin_process_loads_neither_the_daemon_nor_its_libraries():
    wrong = [
        f"{module} reaches {name}"
        for module in modules()
        if room_of(module) in {"hafw.plugin", "hafw.api"}
        for name in reachable(module)
        if top(name) in {"trio", "structlog", "click"} or is_within(name, ("hafw.daemon",))
    ]
    assert wrong == []


def test_scapy_stays_in_the_arp_plugin_and_in_tests():
    wrong = [
        name_of(path)
        for path in files(".py")
        if not is_test(path) and not name_of(path).startswith("plugins/arp/")
        if any(top(name) == "scapy" for name in imports(path))
    ]
    assert wrong == []


def test_every_function_fits_a_screen():
    too_long = [
        f"{name_of(path)}:{node.lineno}: {node.name} has {length} lines"
        for path in product()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_no_file_has_outgrown_its_room():
    too_long = [
        f"{name_of(path)} has {length} lines"
        for path in product()
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    ]
    assert too_long == []


@functools.cache
def words(identifier: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", identifier)
    return {word.lower().removesuffix("s") for word in re.split(r"[^A-Za-z]+", spaced) if word}


def names_given(path: Path) -> set[str]:
    """The names that this file makes up; those that a library wants to be called by are not its own."""
    given = {path.stem}
    for node in ast.walk(tree(path)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                given.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                given.add(name)
            case ast.alias(asname=str(name)):
                given.add(name)
    return given


def test_no_name_uses_a_word_that_says_nothing():
    wrong = [
        f"{name_of(path)}: {name}"
        for path in files(".py")
        if path != Path(__file__)
        for name in sorted(names_given(path))
        if words(name) & FORBIDDEN_WORDS
    ]
    assert wrong == []


@functools.cache
def texts() -> dict[str, str]:
    """What stands in every text file."""
    found = {}
    for path in files():
        with contextlib.suppress(UnicodeDecodeError):
            found[name_of(path)] = path.read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("no unfinished business", r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"),
        ("no folder of somebody's own machine", rf"{re.escape(str(ROOT))}\b|/home/\w+/|/User[s]/\w+/"),
        ("no package index: the user's own is used", r"--(?:extra-)?index[-]url|/simple[/]\b|trusted[-]host"),
        ("no conflict left", r"^(?:<{7}|>{7}) "),
    ],
)
def test_no_line_holds_what_does_not_belong_in_the_tree(rule: str, pattern: str):
    searched = re.compile(pattern, re.MULTILINE)
    wrong = [
        f"{place}:{len(text[: found.end()].splitlines())}: {found[0]}"
        for place, text in texts().items()
        for found in searched.finditer(text)
    ]
    assert wrong == [], rule


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9A-Za-z.]+", line)]
    assert wrong == []
    assert not (ROOT / "uv.lock").exists(), "uv.lock names registry hosts: pin in constraints.txt"


def test_no_test_sleeps():
    """It waits for the event itself: a pause inside a loop that looks again is such a wait, a bare one is a guess.

    A sleep inside a string is a program under test that misbehaves on purpose.
    """
    wrong = [
        f"{name_of(path)}:{call.lineno}"
        for path in files(".py")
        if is_test(path)
        for call in sleeps(tree(path)) - {inner for loop in loops(tree(path)) for inner in sleeps(loop)}
    ]
    assert wrong == []


def loops(parsed: ast.AST) -> list[ast.While]:
    return [node for node in ast.walk(parsed) if isinstance(node, ast.While)]


def sleeps(parsed: ast.AST) -> set[ast.Call]:
    calls = (node for node in ast.walk(parsed) if isinstance(node, ast.Call))
    return {call for call in calls if ast.unparse(call.func) in {"time.sleep", "sleep"}}


def pyprojects() -> dict[str, dict]:
    paths = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    return {name_of(path): tomllib.loads(path.read_text(encoding="utf-8")) for path in paths}


def required(project: dict) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in project["project"].get("dependencies", [])}


def test_every_dependency_is_justified_in_the_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.partition("### Dependencies")[2].partition("\n## ")[0]
    justified = set(re.findall(r"^\| `([\w.-]+)` \|", section, re.MULTILINE))
    needed = set().union(*map(required, pyprojects().values()))
    assert needed - {"hafw"} - {name for name in needed if name.startswith("hafw-plugin-")} == justified


def test_versions_are_in_lock_step():
    (assignment,) = re.findall(r'^__version__ = "(.+)"$', (ROOT / "hafw/__init__.py").read_text("utf-8"), re.MULTILINE)
    versions = {name: toml["project"]["version"] for name, toml in pyprojects().items() if "version" in toml["project"]}
    assert set(versions.values()) <= {assignment}, versions
    pins = [
        (name, line)
        for name, toml in pyprojects().items()
        for line in toml["project"].get("dependencies", [])
        if re.match(r"hafw\b", line) and line != "hafw" and not re.fullmatch(rf"hafw(-plugin-\w+)?=={assignment}", line)
    ]
    assert pins == []


def test_every_plugin_can_be_installed_together_with_hafw_by_a_word_in_brackets():
    projects = pyprojects()
    own = projects.pop("pyproject.toml")
    version = next(iter(projects.values()))["project"]["version"]
    names = sorted(each["project"]["name"].removeprefix("hafw-plugin-") for each in projects.values())
    wanted = {name: [f"hafw-plugin-{name}=={version}"] for name in names} | {"all": [f"hafw[{','.join(names)}]"]}
    extras = {name: each for name, each in own["project"]["optional-dependencies"].items() if name != "testing"}
    assert extras == wanted, "[project.optional-dependencies] of pyproject.toml"
    sources = {f"hafw-plugin-{name}": {"workspace": True} for name in names} | {"hafw": {"workspace": True}}
    assert own["tool"]["uv"]["sources"] == sources, "[tool.uv.sources] of pyproject.toml"


def test_every_distribution_carries_the_licence():
    licence = (ROOT / "LICENSE").read_bytes()
    without = [
        name_of(path.parent)
        for path in ROOT.glob("plugins/*/pyproject.toml")
        if not (path.parent / "LICENSE").is_file() or (path.parent / "LICENSE").read_bytes() != licence
    ]
    assert without == [], "cp LICENSE there"


def test_every_plugin_is_a_distribution_with_an_entry_point():
    folders = {path.name for path in ROOT.glob("plugins/*") if path.is_dir() and is_ours(path)}
    entries = {
        name.split("/")[1]: toml["project"].get("entry-points", {}).get("hafw", {})
        for name, toml in pyprojects().items()
        if name.startswith("plugins/")
    }
    assert entries.keys() == folders
    offered = {name: folder.replace("_", "-") for folder, names in entries.items() for name in names}
    assert offered == PACKAGES, "what the error about a plugin that is not installed names"


def headings(path: Path) -> list[int]:
    """The levels of a document's headings, without what looks like one inside a code block."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def test_both_readmes_have_the_same_headings():
    assert headings(ROOT / "README.md") == headings(ROOT / "README.zh-CN.md")
