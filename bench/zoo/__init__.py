"""Fifteen plugins that nobody wants, each with the words by which hafw has to name what it does.

They are shown to a MASTER all at once by ``bench/hostile.py`` and by ``tests/service/test_zoo.py``. Each of them is
bounded by itself as well, so that a hafw that fails to hold it does not take the machine down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CAGE = Path(__file__).parent
TIMEOUT = 0.4
"""Seconds, of each check."""


@dataclass(frozen=True)
class Animal:
    """One of them."""

    name: str
    """Of its file, and of the plugin."""
    named: str
    """A pattern of what ``hafw plugins`` and the log say of it."""
    is_failure: bool = True
    """Otherwise it is a remark: what it does harms nobody."""
    limits: str = ""

    @property
    def file(self) -> Path:
        """Its source."""
        return CAGE / f"{self.name}.py"

    def config(self, instance: str, folder: Path) -> str:
        """Its tables: a plugin in ``folder``, and a check of the instance, if it has one."""
        watches = re.search(r"^def (check|monitor)\b", self.file.read_text(), re.MULTILINE)
        check = f'[instance.{instance}.check.{self.name}]\nweight = 1\ninterval = "500ms"\ntimeout = "400ms"\n'
        limits = f"[plugin.{self.name}.limits]\n{self.limits}\n" if self.limits else ""
        return f'{check if watches else ""}\n[plugin.{self.name}]\nfile = "{folder / self.file.name}"\n{limits}\n'


LATE = re.escape(f"check took longer than {TIMEOUT:g}s")
ZOO = (
    Animal("hangs", LATE),
    Animal("spins", LATE),
    Animal(
        "forks",
        r"has more processes than it may: at most 32 \(plugin\.forks\.limits\.processes\)",
        limits="processes = 32",
    ),
    Animal(
        "fills_memory",
        r"became_master raised MemoryError \(.*fills_memory\.py:\d+ in became_master\)",
        limits='memory = "128MiB"',
    ),
    Animal("fills_pipe", r"reported more than 100 verdicts in a second"),
    Animal(
        "lies",
        r"answered call 4711, which nobody made|sent a line of more than 65536 octets|sent what is no answer: b'",
    ),
    Animal("closes_descriptors", r"exited with \d|closed its pipe"),
    Animal("ignores_sigterm", r"ignores SIGTERM: hafw ends it by SIGKILL all the same", is_failure=False),
    Animal("raises", r"\w+ raised RuntimeError: whatever it is, no \(.*raises\.py:\d+ in \w+\)"),
    Animal("prints", r"prints too much: \d+ lines were not logged", is_failure=False),
    Animal("exits", r"exited with 3"),
    Animal("imports_for_ever", r"loading it took longer than 10s|exited with 0"),
    Animal("changes_directory", r"has left / for /usr: that file system stays busy", is_failure=False),
    Animal(
        "blocks_signals",
        r"blocks SIGHUP, SIGINT, SIGQUIT, SIGTERM: so do the programs that it starts",
        is_failure=False,
    ),
    Animal("replies_late", LATE),
)
