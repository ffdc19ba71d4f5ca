"""Whatever octets come: no crash, valid TOML that hafw accepts, and a word about every statement that is not in it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import Shelf, objections

from hafw.keepalived.importing import Imported, Source, convert
from hafw.keepalived.words import WORDS

if TYPE_CHECKING:
    from hafw.keepalived.language import Statement

CORPUS = Path(__file__).parent / "corpus"
LONG = ("many_addresses", "every_global_keyword")
TEXTS = [path.read_bytes().decode(errors="replace") for path in sorted(CORPUS.rglob("*.conf")) if path.stem not in LONG]
TOKENS = [
    *(keyword for words in WORDS.values() for keyword in words),
    *(
        "{",
        "}",
        '"',
        "'",
        "#",
        "!",
        "\\",
        "$A",
        "${A}",
        "$A=",
        "@lb1",
        "@^lb2",
        "~SEQ(A,1,3)",
        "~LST(A,x,y)",
        "include a",
    ),
    *(
        "51",
        "255",
        "0",
        "-1",
        "1.5",
        "99999999999",
        "MASTER",
        "eth0",
        "192.0.2.1",
        "192.0.2.1/24",
        "fe80::1",
        "::",
        "on",
    ),
    *(
        "weight",
        "dev",
        "label",
        "reverse",
        "file:/k",
        "hex:00",
        "x|y",
        "a/b",
        "\u00e9\u4e2d",
        "\u202e",
        "\ufffd",
        "\x07",
    ),
]


def promised(*texts: str) -> Imported:
    """Everything that an import promises, whatever it is given."""
    sources = [Source(f"lb{number}.conf", text) for number, text in enumerate(texts, 1)]
    imported = convert(sources, Shelf({"a": "priority 3\n}", "b": "include a"}))
    document = tomllib.loads(imported.text)
    assert imported.text.encode()
    if imported.usable:
        assert document["instance"]
        assert objections(imported.text, imported.nodes) == []
    todo: list[Statement] = [each for tree in imported.trees for each in tree]
    while todo:
        each = todo.pop()
        assert each.told, each
        todo += each.body or ()
    notes = imported.report.lines()
    assert len({note.place for note in notes}) == len(notes)
    assert all(note.render().isprintable() for note in notes)
    return imported


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    promised(octets.decode(errors="replace"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TOKENS), st.sampled_from([" ", " ", "\n", "\t", "\n\n"])), max_size=60))
def test_any_order_of_what_keepalived_knows(parts: list[tuple[str, str]]) -> None:
    promised("".join(word + space for word, space in parts))


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A file of the corpus with lines lost, doubled, moved and words replaced."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del lines[at : at + draw(st.integers(1, 3))]
            case 1:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 2:
                lines.insert(at, " ".join(draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=4))))
            case 3:
                words = lines[at].split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(TOKENS))
                lines[at] = " ".join(words)
            case _:
                lines[at : at + 2] = [" ".join(lines[at : at + 2])]
        lines = lines or [""]
    return "\n".join(lines)


@settings(max_examples=40, deadline=None)
@given(damaged())
def test_a_damaged_file(text: str) -> None:
    promised(text)


@settings(max_examples=20, deadline=None)
@given(damaged(), damaged())
def test_two_damaged_files_together(one: str, other: str) -> None:
    promised(one, other)
