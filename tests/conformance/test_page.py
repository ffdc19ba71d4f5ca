"""docs/conformance.md says what the tests show, no more and no less."""

import ast
import re
from textwrap import dedent

import pytest

from conformance import page as pages
from conformance.claims import ROOT, BadClaim, Function, Place, claims
from conformance.page import PAGE, BadRequirements, Requirement, load, mistakes

CLAIMED = claims()
HELD = Requirement("C-RX-07", "MUST", "A wrong checksum is discarded", "RFC 9568 7.1")
SHOWN = {"C-RX-07": [Place("tests/test_rx.py", "test_c_rx_07_wrong_checksum_is_discarded")]}


def test_the_page_is_what_make_conformance_writes():
    sections, requirements = load()
    assert PAGE.read_text("utf-8") == pages.page(sections, requirements, CLAIMED), "out of date: make conformance"


def test_what_is_held_is_shown_and_what_is_not_has_its_reason():
    assert mistakes(load()[1], CLAIMED) == []


def test_every_requirement_that_anything_mentions_is_in_the_list():
    known = {each.id for each in load()[1]}
    wrong = []
    for folder in ("hafw", "tests", "plugins", "examples", "docs", "fuzz", "bench", "conformance"):
        for path in (path for kind in ("py", "md", "txt", "toml") for path in (ROOT / folder).rglob(f"*.{kind}")):
            if path.name != "test_page.py":
                wrong += [(str(path), name) for name in mentioned(path.read_text("utf-8")) - known]
    assert wrong == []


def mentioned(text):
    return set(re.findall(r"\bC-(?:PKT|RX|FSM|SIM|TMR|ARP|ND|FWD|RED|IOP?|SEC|OPS)-\d+\b", text))


def test_a_test_that_claims_a_requirement_asserts_something():
    claiming = {place for places in CLAIMED.values() for place in places if place.name}
    empty = set(claiming)
    for path in {place.path for place in claiming}:
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, Function) and any(map(judges, ast.walk(node))):
                empty.discard(Place(path, node.name))
    assert empty == set()


def judges(node):
    if isinstance(node, ast.Assert | ast.Raise):
        return True
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises"


# -- mistakes are found -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "shown", "said"),
    [
        ({}, {}, "C-RX-07: no test shows it: write one, or say in requirements.toml why it is absent"),
        ({}, SHOWN | {"C-RX-77": [Place("tests/test_rx.py", "test_c_rx_77")]}, "test_c_rx_77 claims C-RX-77, which"),
        ({}, SHOWN | {"C-RX-77": [Place("tests/scenarios/a.txt")]}, "a.txt: its first comment claims C-RX-77, which"),
        ({"absent": "not built"}, SHOWN, "C-RX-07: absent, and yet shown by test_c_rx_07_wrong_checksum_is_discarded:"),
        ({"absent": "not built", "deviates": "so"}, {}, "C-RX-07: deviates or absent, not both"),
    ],
)
def test_what_does_not_fit_together_is_said(more, shown, said):
    requirement = Requirement(HELD.id, HELD.level, HELD.says, HELD.source, **more)
    (found,) = mistakes([requirement], shown)
    assert said in found


def test_what_fits_together_is_no_mistake():
    assert mistakes([HELD], SHOWN) == []
    assert mistakes([Requirement("C-RX-07", "MUST", "", "", absent="not built")], {}) == []
    assert mistakes([Requirement("C-RX-07", "MUST", "", "", deviates="so")], {}) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('["C-RX-07"]\nlevel = "MUST"\nsays = "a"', "C-RX-07: .*source"),
        ('["C-RX-07"]\nlevel = "WILL"\nsays = "a"\nsource = "b"', "C-RX-07.level = 'WILL': must be one of MUST,"),
        ('["C-RX-07"]\nlevel = "MAY"\nsays = "a"\nsource = "b"\nsince = 1', "C-RX-07: .*since"),
        ('["C-TX-07"]\nlevel = "MAY"\nsays = "a"\nsource = "b"', r"C-TX-07: \[sections\] has no TX"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(tmp_path, row, said):
    path = tmp_path / "requirements.toml"
    path.write_text(f'[sections]\nRX = "What is received"\n{row}\n', encoding="utf-8")
    with pytest.raises(BadRequirements, match=said):
        load(path)


# -- claims -------------------------------------------------------------------------------------------------------


def claimed(tmp_path, text, name="tests/a/test_it.py"):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(dedent(text), encoding="utf-8")
    return {name: [place.name or place.path for place in places] for name, places in claims(tmp_path).items()}


def test_a_claim_is_in_the_name_in_a_marker_or_in_the_first_comment_of_a_scenario(tmp_path):
    found = claimed(
        tmp_path,
        """
        @pytest.mark.parametrize("ttl", [254])
        @pytest.mark.requirement("C-IO-05", "C-SEC-01")
        async def test_c_pkt_16_c_pkt_17_it_leaves(): ...

        class Router:
            @invariant()
            def c_fsm_31_one_timer(self): ...

            def test_c_fsm_32_it_speaks(self): ...

        def c_rx_01_is_no_test(): ...
        def test_abc_rx_02_is_another_word(): "C-RX-03 is mentioned only"
        """,
    )
    assert found == {
        **{name: ["test_c_pkt_16_c_pkt_17_it_leaves"] for name in ("C-PKT-16", "C-PKT-17", "C-IO-05", "C-SEC-01")},
        "C-FSM-31": ["c_fsm_31_one_timer"],
        "C-FSM-32": ["test_c_fsm_32_it_speaks"],
    }


def test_a_scenario_claims_by_its_first_comment(tmp_path):
    scenario = "# Hazard C-SEC-04: a goodbye\n# that is late (C-FSM-12)\n\n# C-RX-01\nhost a\n"
    path = "tests/scenarios/late.txt"
    assert claimed(tmp_path, scenario, path) == {"C-SEC-04": [path], "C-FSM-12": [path]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@pytest.mark.requirement('C-RX-01')\ndef fixture(): ...", "test_it.py:2: fixture is no test"),
        ("pytestmark = [pytest.mark.requirement('C-RX-01')]", "test_it.py:1: .* decorator of a test only"),
        ("@pytest.mark.requirement(ID)\ndef test_it(): ...", r"test_it.py:1: .* takes ids: requirement\("),
        ("@pytest.mark.requirement()\ndef test_it(): ...", "takes ids"),
    ],
)
def test_a_claim_that_cannot_be_read_is_refused(tmp_path, text, said):
    with pytest.raises(BadClaim, match=said):
        claimed(tmp_path, text)
