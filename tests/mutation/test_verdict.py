"""What mutmut finds: nothing that survives is passed over, and no justification outlives its mutant."""

import pytest

from mutation.__main__ import JUSTIFIED
from mutation.mutants import mutated_files
from mutation.verdict import Change, judge, read_justified

FILE = "hafw/vrrp/peer.py"
CHANGE = Change(FILE, "Peer.live", "return now < 3", "return now <= 3")
OTHER = Change(FILE, "Peer.live", "return now < 3", "return now < 4")


def judged(mutants, justified=(), files=(FILE,)):
    return judge(mutants, justified, files)


@pytest.mark.parametrize("status", ["killed", "endless"])
def test_a_mutant_that_a_test_noticed_is_no_work(status):
    assert judged([(CHANGE, status)]).good


@pytest.mark.parametrize("status", ["survived", "reached by no test", "ended with status 70"])
def test_whatever_else_became_of_it_has_to_be_justified(status):
    verdict = judged([(CHANGE, status)])
    assert (verdict.unjustified, verdict.idle, verdict.good) == ([(status, CHANGE)], [], False)
    assert judged([(CHANGE, status)], [CHANGE]).good


@pytest.mark.parametrize("mutants", [[], [(CHANGE, "killed")], [(OTHER, "killed")]])
def test_a_justification_without_a_survivor_is_to_be_deleted(mutants):
    verdict = judged(mutants, [CHANGE])
    assert (verdict.idle, verdict.good) == ([CHANGE], False)


def test_one_justification_excuses_one_mutant():
    twins = [(CHANGE, "survived"), (CHANGE, "survived")]
    assert judged(twins, [CHANGE]).unjustified == [("survived", CHANGE)]
    assert judged(twins, [CHANGE, CHANGE]).good


def test_a_justification_of_a_file_that_was_not_asked_for_waits():
    assert judged([], [CHANGE], ["hafw/node/host.py"]).good


def test_the_table_counts_what_is_justified_apart():
    mutants = [(CHANGE, "survived"), *[(OTHER, "killed")] * 6, (OTHER, "survived")]
    assert judged(mutants, [CHANGE], [FILE, "hafw/vrrp/events.py"]).table.splitlines() == [
        "| file | mutants | killed | justified | left | score |",
        "|---|---|---|---|---|---|",
        "| `hafw/vrrp/peer.py` | 8 | 6 | 1 | 1 | 75.0 % |",
        "| all | 8 | 6 | 1 | 1 | 75.0 % |",
    ]


def written(tmp_path, **changes):
    row = {"why": "because", "file": FILE, "function": "Peer.live", "before": "a", "after": ["b", "c"]} | changes
    path = tmp_path / "justified.toml"
    path.write_text("[[justified]]\n" + "\n".join(f"{key} = {value!r}" for key, value in row.items() if value))
    return path


def test_one_reason_may_hold_for_several_mutants_of_a_line(tmp_path):
    assert read_justified(written(tmp_path)) == [Change(FILE, "Peer.live", "a", each) for each in "bc"]


@pytest.mark.parametrize("change", [{"why": ""}, {"why": " "}, {"before": ""}, {"line": 7}])
def test_a_justification_gives_its_reason_and_nothing_that_does_not_count(tmp_path, change):
    with pytest.raises(ValueError, match=r"justified\.toml: why, file, function, before and after are required"):
        read_justified(written(tmp_path, **change))


def test_every_justification_is_of_a_file_that_is_mutated():
    assert {each.file for each in read_justified(JUSTIFIED)} <= set(mutated_files())
