"""Completion in the real shells: an operator types the beginning of a word and presses TAB."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from hafw.cli.verbs import VERBS

PATIENCE = 30.0
PROMPT = "ready> "
TYPED = [
    ("hafw maint", "hafw maintenance "),
    ("hafw status --js", "hafw status --json "),
    ("hafw completion z", "hafw completion zsh "),
    ("hafw maintenance of", "hafw maintenance off "),
    ("hafw plugins n", "hafw plugins new "),
    ("hafw plugins new --hook before_", "hafw plugins new --hook before_release "),
    ("hafw check conf", "hafw check config.toml "),
]
"""What is typed, and what stands there after TAB: a verb, an option, a choice, a sub-command, a file."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a configuration, and with hafw on the path."""
    (tmp_path / "bin").mkdir()
    hafw = tmp_path / "bin/hafw"
    hafw.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m hafw "$@"\n')
    hafw.chmod(0o755)
    (tmp_path / "config.toml").touch()
    for shell in ("bash", "zsh", "fish"):
        script = subprocess.run([hafw, "completion", shell], capture_output=True, text=True, check=True, timeout=60)
        (tmp_path / f"completion.{shell}").write_text(script.stdout)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "PS1": PROMPT,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


class Terminal:
    """A shell that believes somebody types."""

    def __init__(self, argv: list[str], home: Path) -> None:
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.chdir(home)
            os.execvpe(argv[0], argv, environment(home))
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        os.kill(self._pid, 9)
        os.waitpid(self._pid, 0)

    def type(self, keys: str) -> None:
        self.seen = ""
        os.write(self._master, keys.encode())

    def expect(self, text: str) -> None:
        """Read until it is on the screen."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} does not appear, only {self.seen!r}")
            if select.select([self._master], [], [], 0.1)[0]:
                self.seen += os.read(self._master, 4096).decode(errors="replace")


def complete(terminal: Terminal) -> None:
    for typed, completed in TYPED:
        terminal.type(f"{typed}\t")
        terminal.expect(completed)
        terminal.type("\x15\n")  # ^U: the line is empty again
        terminal.expect(PROMPT)


def test_bash_completes(home):
    with Terminal(["bash", "--norc", "--noprofile", "-i"], home) as terminal:
        terminal.type("bind 'set enable-bracketed-paste off'; source completion.bash; echo loa''ded\n")
        terminal.expect("loaded")
        terminal.expect(PROMPT)
        complete(terminal)


@pytest.mark.peer("zsh")
def test_zsh_completes_from_a_folder_of_completions_as_a_package_has_it(home):
    (home / "functions").mkdir()
    (home / "completion.zsh").rename(home / "functions/_hafw")
    with Terminal(["zsh", "-f", "-i"], home) as terminal:
        terminal.type(
            f"PS1='{PROMPT}'; fpath=(functions $fpath); autoload -U compinit; compinit -D -u; echo loa''ded\n"
        )
        terminal.expect("loaded")
        terminal.expect(PROMPT)
        complete(terminal)


@pytest.mark.peer("fish")
def test_fish_completes(home):
    for typed, completed in TYPED[:-1]:
        script = f"source completion.fish; complete --do-complete '{typed}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", script],
            cwd=home,
            env=environment(home),
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        words = [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert words == [completed.split()[-1]]


def test_all_verbs_are_offered_without_loading_any_of_them(home):
    script = "import sys\nfrom hafw.cli import main\ntry: main([])\nfinally: print(*sys.modules, file=sys.stderr)"
    asked = {"_HAFW_COMPLETE": "bash_complete", "COMP_WORDS": "hafw ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment(home), **asked},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == list(VERBS)
    loaded = set(done.stderr.split())
    assert "hafw.cli.verbs" in loaded
    assert not loaded & {module for module, _ in VERBS.values()}
