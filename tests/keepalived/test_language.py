"""keepalived's language, read: block shapes, quotes, comments, includes, macros, conditions, sequences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import Shelf

from hafw.keepalived.language import Reader, Statement

Tree = list[object]


def tree(statements: list[Statement]) -> Tree:
    return [each.words if each.body is None else (each.words, tree(each.body)) for each in statements]


def read(text: str, node: str = "lb1", **texts: str) -> tuple[Tree, list[str]]:
    reader = Reader(node, Shelf({f"etc/{name}": each for name, each in texts.items()}))
    found = tree(reader.read("etc/k.conf", text))
    return found, [note.render() for note in reader.report.notes()]


@pytest.mark.parametrize(
    "text",
    ["a x {\n b 1\n}", "a x\n{\n b 1\n}", "a x { b 1\n}", "a x { b 1 }", "a x {\r\n b 1 ! no\r\n} # no", "a x{b 1}"],
)
def test_every_shape_of_a_block(text: str) -> None:
    assert read(text) == ([(("a", "x"), [("b", "1")])], [])


def test_an_empty_block_and_its_neighbour() -> None:
    assert read("a {\n}\nb 1") == ([(("a",), []), ("b", "1")], [])


def test_quotes_group_and_keep_comment_signs_and_braces() -> None:
    assert read('n "/a/b # c" \\#d "{" # e') == ([("n", "/a/b # c", "#d", "{")], [])


def test_a_stray_quote_and_stray_braces_are_named() -> None:
    found, notes = read('n "a\n}\nb {')
    assert found == [("n", "a"), (("b",), [])]
    assert [note.split(": ")[0] for note in notes] == ["etc/k.conf:1", "etc/k.conf:2", "etc/k.conf:3"]


def test_an_include_is_relative_to_its_file_and_ends_when_it_loops() -> None:
    found, notes = read("include *.inc", **{"b.inc": "y 2\ninclude b.inc", "a.inc": "x 1"})
    assert found == [("x", "1"), ("y", "2")]
    assert notes == ["etc/b.inc:2: dropped: `include b.inc`: etc/b.inc includes itself: not read again"]


def test_an_include_of_nothing_is_named() -> None:
    assert read("include no.inc")[1] == [
        "etc/k.conf:1: decide: `include no.inc`: includes no file that can be read here"
    ]


@pytest.mark.parametrize(("node", "seen"), [("high", ["1", "3"]), ("low", ["2"])])
def test_conditions(node: str, seen: list[str]) -> None:
    found, _ = read("@high p 1\n@low p 2\n@^low p 3", node)
    assert found == [("p", each) for each in seen]


def test_macros_bind_late_and_hold_several_lines() -> None:
    text = "$A=${B}2\n$B=1\n$M= x $A\\\n y ${B}\nz $A $UNKNOWN\n$M"
    assert read(text) == ([("z", "12", "$UNKNOWN"), ("x", "12"), ("y", "1")], [])


def test_a_macro_that_names_itself_ends() -> None:
    assert "a macro that names itself" in read("$A=$A\ny $A\n$A=1$A\nx $A")[1][0]
    assert "left out" in read("$A=$A $A\nx $A")[1][0]
    assert "left out" in read("$A=" + "${B}" * 2000 + "\n$B=" + "b" * 2000 + "\nx $A")[1][0]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("~SEQ(i, 1, 2, 5) p $i", ["1", "3", "5"]),
        ("~SEQ(i, 3) p ${i}", ["1", "2", "3"]),
        ("~SEQ(i, 2, 1) p $i", ["2", "1"]),
        ("~SEQx(i, 9, 1, 11) p $i", ["9", "a", "b"]),
        ("~LST(i, a, b) p $i", ["a", "b"]),
        ("~LST({i, j}, {1,2},{3, 4}) p ${i}${j}", ["12", "34"]),
        ("~SEQ(i, -2) p $i", ["-1", "-2"]),
        ("~SEQx(i, 0x90, 0x10, 0xa0) p $i", ["90", "a0"]),
        ("~SEQ(i, 1, 2) ~SEQ(j, 1, 2) p ${i}$j", ["11", "12", "21", "22"]),
    ],
)
def test_sequences(line: str, values: list[str]) -> None:
    assert read(line) == ([("p", each) for each in values], [])


def test_a_sequence_without_numbers_or_without_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hafw.keepalived.macros.LINES_MAX", 1000)
    assert "needs a name and what it stands for" in read("~SEQ(i, a) p $i")[1][0]
    found, notes = read("~SEQ(i, 1, 1, 999999999) p $i")
    assert len(found) == 1000
    assert "the rest was not read" in notes[0]


def test_a_password_stays_out_of_the_report() -> None:
    (statement,) = Reader("lb1", Shelf()).read("k.conf", "auth_type PASS auth_pass geheim12")
    assert statement.text == "auth_type PASS auth_pass ***"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list('ab1 \n\t"\\{}$@~#!=(),^_\0SEQLTinclude')), max_size=200))
def test_no_text_crashes_it(text: str) -> None:
    reader = Reader("a", Shelf({"a": text, "b": "include a"}))
    assert all(each.words for each in reader.read("a", text))
