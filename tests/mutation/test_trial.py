"""How mutants are tried: in place of the living function, each in a process of its own, by the tests that reach it."""

import ast
import subprocess
import sys
from ipaddress import ip_address
from textwrap import dedent

import pytest

from hafw.vrrp.peer import Peer
from mutation.mutants import ROOT, Mutant, function, mutated_files, undecorated
from mutation.verdict import Change

FILE = "hafw/vrrp/peer.py"
PEER = Peer(ip_address("10.77.0.1"), priority=100, interval=1.0, heard_at=0.0)


def test_a_mutant_takes_the_place_of_the_function_for_all_who_have_a_reference_to_it(monkeypatch):
    living, reference = function(FILE, "Peer.live"), PEER.live
    monkeypatch.setattr(living, "__code__", living.__code__)  # and is taken away again
    assert reference(0.0)
    Mutant(Change(FILE, "Peer.live", "", ""), "def live(self, now: float) -> bool:\n    return False\n").put_in_place()
    assert not reference(0.0)


def test_a_mutant_may_have_lost_the_super_of_its_function(monkeypatch):
    living = function("hafw/vrrp/member.py", "Member.go_on")
    monkeypatch.setattr(living, "__code__", living.__code__)
    Mutant(
        Change("hafw/vrrp/member.py", "Member.go_on", "", ""), "def go_on(self, now):\n    return now"
    ).put_in_place()
    assert living(None, 7.0) == 7.0


def test_a_property_is_the_function_that_reads_it():
    assert function("hafw/vrrp/listener.py", "Listener.skew_time").__name__ == "skew_time"


def test_only_the_decorators_of_properties_are_taken_away():
    source = "class Circle:\n    @property\n    def width(self): ...\n    @staticmethod\n    def sides(): ...\n"
    assert undecorated(source) == source.replace("    @property\n", "")


@pytest.mark.parametrize("file", mutated_files())
def test_no_decorator_hides_a_function_from_the_mutants(file):
    """mutmut passes by what is decorated."""
    tree = ast.parse(undecorated((ROOT / file).read_text(encoding="utf-8")))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if node.decorator_list] == []


def trial(tmp_path, tests, *mutants):
    """What became of mutants of ``Peer``, by a pytest of its own that does not know this project's settings."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_peer.py").write_text(dedent(tests))
    program = f"""
from pathlib import Path
import pytest
from mutation.mutants import Mutant
import mutation.trial
from mutation.trial import Trial
from mutation.verdict import Change
mutation.trial.GRACE = 1
mutants = [Mutant(Change({FILE!r}, "Peer." + name, "", ""), source) for name, source in {mutants!r}]
trial = Trial(mutants, 2, Path({str(tmp_path)!r}, "killed"))
pytest.main(["-s", "-q", "-pno:xdist", {str(tmp_path)!r}], plugins=[trial])
print([trial.broken, *sorted(how for _, how in trial.outcome)])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return ast.literal_eval(run.stdout.splitlines()[-1])


LIVES = """
    from hafw.vrrp.peer import Peer

    def test_live():
        assert Peer(None, 100, 1.0, 0.0).live(0.0)
"""


def test_what_becomes_of_a_mutant(tmp_path):
    assert trial(
        tmp_path,
        LIVES,
        ("live", "def live(self, now):\n    return False"),
        ("live", "def live(self, now):\n    return now < 5.0"),
        ("live", "def live(self, now):\n    raise SystemExit"),
        ("live", "def live(self, now):\n    while True:\n        pass"),
        ("outranks", "def outranks(self, priority, primary):\n    return None"),
    ) == ["", "endless", "killed", "killed", "reached by no test", "survived"]


def test_what_was_killed_is_not_tried_again_until_its_function_changes(tmp_path):
    mutants = [("live", f"def live(self, now):\n    return {each}") for each in ("False", "0")]
    assert trial(tmp_path, LIVES, mutants[0]) == ["", "killed"]
    assert trial(tmp_path, LIVES.replace("assert", ""), *mutants) == ["", "killed", "survived"]


@pytest.mark.parametrize("always", [True, False])
def test_tests_that_fail_by_themselves_or_the_second_time_judge_nobody(tmp_path, always):
    tests = f"""
    import itertools
    runs = itertools.count()

    def test_that_fails():
        assert next(runs) < {0 if always else 1}
    """
    [broken, *outcome] = trial(tmp_path, tests, ("live", "def live(self, now):\n    return False"))
    assert broken.endswith("test_that_fails")
    assert outcome == []
