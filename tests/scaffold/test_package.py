"""What `hafw plugins new` writes, for every hook, licence and kind of name: it parses, is tidy, and says what is so.

Its own tests are run in tests/packages, where it is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import hafw
from hafw import hookspecs
from hafw.cli.verbs import cli
from hafw.config import load
from hafw.config.plugins import DEFAULT_PLUGINS, installed_plugins
from hafw.daemon.plugins.visiting import examine
from hafw.scaffold import LICENCES, Order, compatible, fill, render, write
from hafw.scaffold.hooks import HOOKS
from hafw.scaffold.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.testing import Result

NAMES = ("disk", "disk-space", "disk_space", "none", "options", "router", "a1-b2_c3")
SPECS = [name for name, each in vars(hookspecs).items() if hasattr(each, f"{hookspecs.PROJECT}_spec")]


def order(name: str = "disk-space", hooks: Sequence[str] = ("check",), licence: str = "MIT", **more: str) -> Order:
    return Order(name=name, hooks=tuple(hooks), licence=licence, year=2026, **more)


ORDERS = [
    *(order(f"only-{hook}", (hook,)) for hook in HOOKS),
    *(order(name) for name in NAMES),
    *(order(f"under-{licence.lower().replace('.', '-')}", licence=licence) for licence in LICENCES),
    *(order(f"of-kind-{kind}", (), kind=kind) for kind in KINDS),
    order("all-of-them", tuple(HOOKS), author='Jürgen "J" O\'Neil \\', email="j@example.com"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, side by side."""
    folder = tmp_path_factory.mktemp("packages")
    for each in ORDERS:
        write(render(each), folder / each.name)
    return folder


def test_every_hook_that_a_plugin_may_have_can_be_asked_for():
    assert sorted(HOOKS) == sorted({*SPECS} - {"options", "configure"}), "a piece in hafw/scaffold/hooks.py"


def test_every_package_is_formatted_and_without_a_complaint_of_ruff(folder: Path):
    for words in (["check", "--select=E,F,I,B,UP,SIM,RET,ARG"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", "--quiet", folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("wanted", ORDERS, ids=lambda each: each.name)
def test_the_project_names_the_same_things_as_its_files(wanted: Order):
    files = render(wanted)
    whole = tomllib.loads(files["pyproject.toml"])
    project = whole["project"]
    ((plugin, target),) = project["entry-points"]["hafw"].items()
    module = target.removesuffix(":plugin")
    assert re.fullmatch(r"hafw(-[a-z0-9]+)+", project["name"])
    assert whole["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [module]
    assert {f"{module}/__init__.py", f"{module}/py.typed", f"tests/test_{plugin}.py"} <= files.keys()
    (needed,) = map(Requirement, project["dependencies"])
    assert (needed.name, needed.specifier.contains(hafw.__version__)) == ("hafw", True)
    assert tomllib.loads(files["config.toml"])["plugin"][plugin]


def test_what_its_configuration_needs_comes_with_what_its_author_installs():
    files = render(order())
    (ours,) = (
        each
        for each in map(Requirement, tomllib.loads(files["pyproject.toml"])["project"]["optional-dependencies"]["dev"])
        if each.name == "hafw"
    )
    assert {*DEFAULT_PLUGINS, "testing"} <= ours.extras


@pytest.mark.long
def test_its_tests_may_lack_annotations_and_its_package_may_not(tmp_path: Path):
    """As the pages write tests; mypy is strict about the package."""
    for name, text in render(order()).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    test = tmp_path / "tests/test_disk_space.py"
    test.write_text(
        f"{test.read_text()}\n\ndef folder(tmp_path):\n    return tmp_path\n\n\ndef test_it():\n    folder(1)\n"
    )
    assert mypy(tmp_path).startswith("Success: no issues found in 2 source files")
    with (tmp_path / "hafw_disk_space/__init__.py").open("a") as module:
        module.write("\n\ndef bare(x):\n    return x\n")
    assert "__init__.py" in (said := mypy(tmp_path))
    assert "Function is missing a type annotation" in said


def mypy(folder: Path) -> str:
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(Path(__file__).parents[2] / ".mypy_cache/scaffold")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60).stdout


def test_no_placeholder_is_left_and_every_file_ends_with_one_line_break():
    for wanted in ORDERS:
        for name, text in render(wanted).items():
            assert not re.search(r"(?<!\w)@?[a-z_]+@(?!\w)|@[a-z]+_[a-z]+\b(?!\()", text), f"{wanted.name}: {name}"
            assert text == "" or re.search(r"[^\n]\n\Z", text), f"{wanted.name}: {name}"


def test_a_placeholder_that_nobody_knows_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        fill("x @nobody@ y", {})


@pytest.mark.parametrize(
    ("version", "said"), [("0.1.0", ">=0.1,<0.4"), ("0.9.3", ">=0.9,<0.12"), ("2.4.0rc1", ">=2.4,<2.7")]
)
def test_it_asks_for_the_releases_that_keep_what_it_was_written_for(version: str, said: str):
    assert compatible(version) == said
    assert SpecifierSet(said).contains(version, prereleases=not version.endswith("rc1")) != version.endswith("rc1")


def test_the_author_stands_in_the_project_and_in_the_licence_as_given():
    files = render(ORDERS[-1])
    (author,) = tomllib.loads(files["pyproject.toml"])["project"]["authors"]
    assert author == {"name": 'Jürgen "J" O\'Neil \\', "email": "j@example.com"}
    assert 'Copyright (c) 2026 Jürgen "J" O\'Neil \\\n' in files["LICENSE"]


def test_without_an_author_the_licence_speaks_of_the_authors():
    files = render(order())
    assert "authors" not in tomllib.loads(files["pyproject.toml"])["project"]
    assert "Copyright (c) 2026 the authors of hafw-disk-space\n" in files["LICENSE"]


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("MIT", "Permission is hereby granted, free of charge"),
        ("Apache-2.0", "Version 2.0, January 2004"),
        ("BSD-3-Clause", "Neither the name of the copyright holder"),
        ("GPL-3.0-or-later", "Version 3, 29 June 2007"),
    ],
)
def test_the_licence_of_ones_choice_comes_along(licence: str, words: str):
    files = render(order(licence=licence))
    assert words in files["LICENSE"]
    assert tomllib.loads(files["pyproject.toml"])["project"]["license"] == licence


def test_what_has_no_licence_is_not_published():
    files = render(order(licence="none"))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert "LICENSE" not in files
    assert "license" not in project
    assert "Private :: Do Not Upload" in project["classifiers"]
    assert workflow(files)["jobs"].keys() == {"test", "build"}
    assert "All rights reserved." in files["README.md"]


def workflow(files: dict[str, str]) -> dict:
    return yaml.safe_load(files[".github/workflows/release.yml"])


def test_the_workflow_tests_on_every_python_and_publishes_tags_without_a_password():
    jobs = workflow(render(order()))["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    publish = jobs["publish"]
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert publish["needs"] == ["test", "build"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["steps"][-1]["uses"] == "pypa/gh-action-pypi-publish@release/v1"
    assert not any("password" in each.get("with", {}) for each in publish["steps"])


@pytest.mark.parametrize(("tag", "status"), [("v0.1.0", 0), ("v0.2.0", 1), ("0.1.1", 1)])
def test_a_tag_that_is_not_the_version_is_not_published(tmp_path: Path, tag: str, status: int):
    (command,) = [each["run"] for each in workflow(render(order()))["jobs"]["publish"]["steps"] if "run" in each]
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/hafw_disk_space-0.1.0.tar.gz").touch()
    done = subprocess.run(["bash", "-ec", command], cwd=tmp_path, env={"GITHUB_REF_NAME": tag}, check=False)
    assert done.returncode == status


@pytest.mark.parametrize("wanted", [order("only-check"), *ORDERS[-1 - len(KINDS) :]], ids=lambda each: each.name)
def test_its_configuration_is_fine_and_its_plugin_loads_in_a_process_of_its_own(folder: Path, wanted: Order):
    """As an installed package it is tried in tests/packages; here its file is named."""
    package = folder / wanted.name
    (module,) = (each.parent.name for each in package.glob("hafw_*/__init__.py"))
    text = (package / "config.toml").read_text()
    plugin = module.removeprefix("hafw_")
    named = text.replace(f"[plugin.{plugin}]\n", f'[plugin.{plugin}]\nfile = "{module}/__init__.py"\n')
    (package / "named.toml").write_text(named)
    config, warnings = load(str(package / "named.toml"), None, machine=False)
    assert [*warnings, *examine(config, with_system=False).problems] == []


# -- as it is typed -------------------------------------------------------------------------------------------------


def run(*words: str) -> Result:
    from click.testing import CliRunner  # noqa: PLC0415

    return CliRunner().invoke(cli, ["plugins", *words])


def test_the_first_steps_are_told(tmp_path: Path):
    done = run("new", "disk_space", "--into", str(tmp_path), "--author", "Jane <jane@example.com>")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == (
        f"{tmp_path}/hafw-disk-space: the package hafw-disk-space, which offers plugin disk_space"
    )
    assert f"  cd {tmp_path}/hafw-disk-space" in done.stdout.splitlines()
    assert {path.name for path in (tmp_path / "hafw-disk-space").iterdir()} == {
        *("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github", "config.toml"),
        *("hafw_disk_space", "tests"),
    }


def test_the_page_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs/plugins/package.md").read_text("utf-8")
    command, _, shown = page.partition("```console\n$ hafw plugins ")[2].partition("```")[0].partition("\n")
    assert run(*command.split()).stdout == shown
    asked = tomllib.loads((tmp_path / "hafw-disk-space/pyproject.toml").read_text())["project"]["dependencies"]
    assert f"`{asked[0]}`" in page
    named = {name for name in re.findall(r"`([^`]+)`", page) if "/" in name or name in {"LICENSE", "config.toml"}}
    there = {str(path.relative_to(tmp_path / "hafw-disk-space")) for path in tmp_path.rglob("*")}
    assert {name for name in named if name.startswith(("hafw_", "tests/", ".github"))} <= there


def test_several_hooks_may_be_asked_for_each_once(tmp_path: Path):
    asked = ("--hook", "event", "--hook", "check", "--hook", "event")
    assert run("new", "x", "--into", str(tmp_path), *asked).exit_code == 0
    text = (tmp_path / "hafw-x/hafw_x/__init__.py").read_text()
    assert re.findall(r"@hookimpl\n    def (\w+)", text) == ["options", "configure", "event", "check"]


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "dangling link"])
def test_what_exists_is_never_overwritten(tmp_path: Path, kind: str):
    there = tmp_path / "hafw-x"
    if kind == "file":
        there.write_text("mine")
    elif kind == "dangling link":
        there.symlink_to("nowhere")
    else:
        there.mkdir()
        if kind == "folder":
            (there / "README.md").write_text("mine")
    before = [(path.name, path.lstat().st_ino) for path in tmp_path.rglob("*")]
    done = run("new", "x", "--into", str(tmp_path))
    assert done.exit_code == 2
    assert f"NAME: {there} exists, and nothing is overwritten: choose another name" in done.stderr
    assert [(path.name, path.lstat().st_ino) for path in tmp_path.rglob("*")] == before


def test_when_the_disk_refuses_in_the_middle_nothing_is_left(tmp_path: Path):
    files = {"a": "first", "b/c": "second", "a/d": "a is a file, so this cannot be"}
    with pytest.raises(OSError, match="a"):
        write(files, tmp_path / "package")
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_what_the_umask_lets_them(folder: Path):
    assert (folder / "disk").stat().st_mode & 0o777 == (folder / "disk/tests").stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "nginx"), 'NAME: "nginx": hafw has a plugin of this name'),
        (("new", "x", "--hook", "chek"), "'chek' is not one of 'check', 'monitor'"),
        (("new", "x", "--kind", "mailer"), "'mailer' is not one of 'notifier', 'role'"),
        (("new", "x", "--kind", "role", "--hook", "check"), "--kind role brings its hooks: leave --hook out"),
        (("new", "x", "--license", "WTF"), "'WTF' is not one of 'MIT'"),
        (("new", "x", "--into", "/nowhere"), "'/nowhere' does not exist"),
        (("new", "x", "--author", "<j@example.com>"), '--author: "<j@example.com>": must be NAME or NAME <MAIL>'),
        (("new", "x", "--author", "J\nK"), "must be NAME or NAME <MAIL>"),
        (("nwe", "x"), "nwe x: one NAME shows a plugin; hafw plugins new NAME writes a new one"),
        (("--json", "new", "x"), "--json belongs to `hafw plugins`, without new"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path: Path, monkeypatch, words, said: str):
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_plugin_that_is_installed_here_already_is_not_written_again(tmp_path: Path):
    assert "state_file" in installed_plugins(), "examples/plugin"
    assert "hafw-plugin-state-file offers this plugin here already" in run("new", "state-file").stderr


def test_without_a_word_the_author_is_whom_git_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gitconfig").write_text('[user]\nname = "Jane Doe"\nemail = jane@example.com\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.chdir(tmp_path)
    assert run("new", "x").exit_code == 0
    project = tomllib.loads((tmp_path / "hafw-x/pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": "Jane Doe", "email": "jane@example.com"}]


def test_without_git_it_has_no_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("new", "x", "--into", str(tmp_path)).exit_code == 0
    assert "authors" not in tomllib.loads((tmp_path / "hafw-x/pyproject.toml").read_text())["project"]


def test_hafw_plugins_alone_still_asks_the_daemon():
    done = run("--socket", "/nowhere/control.sock", "--json")
    assert done.exit_code == 6
    assert "daemon not reachable on /nowhere/control.sock" in done.stderr
