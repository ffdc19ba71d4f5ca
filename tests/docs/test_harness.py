"""The harness itself: every kind of mistake that a page can have is made, and found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import configurations
import consoles
import labs
import pages
import pytest
from click.testing import CliRunner
from pages import ROOT

from hafw.cli.verbs import cli

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'


def toml(tmp_path: Path, text: str, mark: str = "") -> list[str]:
    page = f"{mark}\n```toml\n{text}\n```\n"
    blocks = pages.blocks_of(tmp_path / "page.md", page)
    return configurations.complaints(blocks[0], tmp_path, blocks)


def console(tmp_path: Path, text: str, mark: str = "") -> list[str]:
    (block,) = pages.blocks_of(tmp_path / "page.md", f"{mark}\n```console\n{text}\n```\n")
    return consoles.complaints(block, tmp_path)


# -- configurations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        WHOLE,
        "version = 2",
        "[instance.VI_1]\npriority = { lb1 = 150, lb2 = 100 }\n[instance.VI_2]\npriority = { lb1 = 50, lb2 = 60 }",
        '[instance.web.check.nginx]\ncritical = true\n[plugin.nginx]\nurl = "http://127.0.0.1/"',
        "[process]\nrealtime = true\n",
        '# a comment\n\n[journal]\npath = "/var/lib/hafw/journal.jsonl"',
    ],
)
def test_a_good_part_of_a_file_is_completed(tmp_path, part):
    assert toml(tmp_path, part) == []


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (f"{WHOLE}virtual_adresses = []", "virtual_adresses: unknown key (did you mean virtual_addresses?)"),
        ("vrid = 300", "must be 1 to 255"),
        ("[instance.VI_1]\nprority = 100", "prority: unknown key"),
        ("[instanse.VI_1]\nvrid = 51", "instanse: unknown key"),
        ('[plugin.nginx]\nuri = "http://127.0.0.1/"\n[instance.VI_1.check.nginx]\ncritical = true', "plugin.nginx.uri"),
        ("[instance.VI_1.check.ngnix]\ncritical = true", "ngnix"),
        ('[instance.VI_1.check.web]\nplugin = "script"\ncritical = true', "plugin.script"),
        ("[instance.VI_1]\nvrid == 51", "config.toml:"),
        ("[instance.VI_1.check.nginx]\nweight = -1\n[instance.VI_1]\npriority = { lb1 = 150, lb2 = 100 }", "never"),
    ],
)
def test_a_mistake_in_a_configuration_is_found(tmp_path, part, words):
    assert words in "\n".join(toml(tmp_path, part))


def test_the_complaints_are_those_of_the_real_command(tmp_path):
    """The harness asks the plugins in its own process, to be quick; ``hafw check`` says the same."""
    text = f"{WHOLE}nonsense = 1\n[instance.VI_1.check.nginx]\ncritical = true\n[plugin.nginx]\nurl = 7\n"
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    done = CliRunner().invoke(cli, ["check", "--no-system", "--node", "lb1", str(file)])
    own = {each.message for each in configurations.problems_of(text, tmp_path)}
    assert len(own) == 2
    assert [each for each in own if each not in done.output] == []


def test_what_a_mark_adds_counts(tmp_path):
    part = '[instance.VI_1.check.db]\nplugin = "script"\ncritical = true'
    assert toml(tmp_path, part, '<!-- docs: with\n[plugin.script]\ncommand = "/bin/true"\n-->') == []


def test_a_configuration_that_should_be_refused_is_looked_at_too(tmp_path):
    mark = "<!-- docs: refused must be 1 to 255 -->"
    assert toml(tmp_path, "vrid = 300", mark) == []
    assert toml(tmp_path, "vrid = 30", mark) != []
    assert toml(tmp_path, "vrid = 30\nfoo = 1", mark) != []


def test_a_file_of_another_program_is_still_toml_and_says_whose_it_is(tmp_path):
    assert toml(tmp_path, "[project]", "<!-- docs: other pyproject.toml -->") == []
    assert toml(tmp_path, "[project]", "<!-- docs: other -->") != []
    with pytest.raises(ValueError, match="Expected"):
        toml(tmp_path, "[project", "<!-- docs: other pyproject.toml -->")


def test_a_plugin_that_the_page_shows_is_loaded(tmp_path):
    plugin = "```python\n# /etc/hafw/mine.py\nfrom hafw.api import Verdict, hookimpl\n{}\n```\n"
    part = '```toml\n[plugin.mine]\nfile = "/etc/hafw/mine.py"\n[instance.VI_1.check.mine]\ncritical = true\n```\n'
    good = plugin.format("@hookimpl\ndef check(): return Verdict(True)")
    blocks = pages.blocks_of(tmp_path / "page.md", good + part)
    assert configurations.complaints(blocks[1], tmp_path, blocks) == []


# -- commands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("$ hafw stauts", "did you mean status?"),
        ("# sudo hafw status --jsn", "--jsn"),
        ("$ hafw history VI_1 VI_2", "unexpected extra argument"),
        ("$ hafw run", "Missing argument 'CONFIG'"),
        ("lb1# hafw maintenance maybe", "'maybe' is not one of 'on', 'off'"),
        ("$ hafw explain --depth zero config.toml", "--depth"),
        ("$ cd /tmp && hafw frobnicate | tail -1", "no such command: frobnicate"),
        ("# ip netns exec lb1 hafw rum config.toml", "did you mean run?"),
        ("# HAFW_RUN_DIR=/run/x hafw cleanup --all", "--all"),
        ("$ make tests", "make tests: no such target"),
        ("$ systemctl begin hafw", "systemctl begin: no such verb"),
        ("$ systemctl start haffw", "unknown unit"),
        ("$ frobnicate --now", "frobnicate: unknown here"),
        ("$ echo 'never ended", "the shell would not read it"),
        ("$ python -m hafw.nothing", "not here"),
    ],
)
def test_a_command_that_cannot_be_is_found(tmp_path, line, words):
    (found,) = console(tmp_path, line)
    assert words in found


@pytest.mark.parametrize(
    "line",
    [
        "$ hafw status --json VI_1 | jq .instances",
        "# hafw run config.toml --node lb1 &",
        "$ make demo      # a word about it",
        "$ sudo systemctl daemon-reload && sudo systemctl restart hafw",
        "lb1# hafw maintenance on --for 30m --reason 'new kernel'",
        "$ ping -i 0.1 192.168.161.250 >/dev/null 2>&1",
        "$ hafw --socket /run/x.sock events -n 5 --no-follow",
    ],
)
def test_a_good_command_is_not(tmp_path, line):
    assert console(tmp_path, line) == []


def test_what_a_command_prints_is_compared(tmp_path):
    (tmp_path / "config.toml").write_text(WHOLE, "utf-8")
    good = "$ hafw check --no-system --node lb1 config.toml\nok: 1 instance, node {}"
    assert console(tmp_path, good.format("lb1")) == []
    assert console(tmp_path, good.format("...")) == []
    assert "prints something else" in console(tmp_path, good.format("lb2"))[0]


def test_a_command_that_fails_without_a_word_about_it_is_a_mistake(tmp_path):
    (tmp_path / "config.toml").write_text("vrid = 1", "utf-8")
    assert "fails with 3" in console(tmp_path, "$ hafw check --no-system config.toml")[0]


def test_output_that_nothing_compares_is_a_mistake(tmp_path):
    assert "nothing compares it" in console(tmp_path, "$ hafw status\nVI_1 MASTER")[0]
    assert console(tmp_path, "$ hafw status\nVI_1 MASTER", "<!-- docs: shown a picture of it -->") == []


@pytest.mark.parametrize(
    ("lab", "prompt", "compared"),
    [
        ("tutorial", "#", True),
        ("pair", "lb1#", True),
        ("pair", "#", False),
        ("serves", "lb1#", False),
        ("", "#", False),
    ],
)
def test_output_that_no_lab_compares_is_a_mistake_too(tmp_path, lab, prompt, compared):
    """A lab of two machines has no shell without a name, and one that serves types nothing."""
    assert (console(tmp_path, f"{prompt} hafw status\nVI_1", f"<!-- docs: lab {lab} -->") == []) is compared


def test_a_mark_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(pages.MarkError, match="no such mark: there is"):
        console(tmp_path, "$ hafw status", "<!-- docs: skip -->")


@pytest.mark.parametrize(
    ("shown", "printed", "so"),
    [
        ("a\nb", "a\nb\n", True),
        ("a   b", "a b", True),
        ("a", "a\nb", False),
        ("a\n...", "a\nb\nc", True),
        ("...\nc", "a\nb\nc", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("up ... s", "up 4m 10 s", True),
        ("up ... s", "up 4m", False),
    ],
)
def test_three_dots_stand_for_anything(shown, printed, so):
    assert consoles.same(tuple(shown.splitlines()), printed) is so


def test_commands_go_on_behind_a_backslash_and_to_the_end_of_a_document():
    (block,) = pages.blocks_of(
        ROOT / "x.md", "```console\n# cat >x <<'END'\nok = 1\nEND\n# ip link \\\n>   show\n```\n"
    )
    assert [each.text for each in consoles.commands_of(block)] == ["cat >x <<'END'\nok = 1\nEND", "ip link show"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("ask `hafw status` or `sudo hafw events -n 5`", 0),
        ("ask `hafw stats`", 1),
        ("ask `hafw status --follow`", 1),
        ("ask `hafw maintenance on --for 30m`", 0),
        ("ask `hafw check --no-sytem x.toml`", 1),
    ],
)
def test_a_command_in_the_text_is_looked_up(text, wrong):
    assert len(consoles.inline_mistakes(text)) == wrong


# -- labs --------------------------------------------------------------------------------------------------------


class Typewriter:
    """A host that prints what it is told to, and keeps what was typed."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers, self.typed, self.files = list(answers), [], {}

    def shell(self, command: str) -> tuple[int, str]:
        self.typed.append(command)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def write(self, name: str, text: str) -> None:
        self.files[name] = text


def play(tmp_path: Path, text: str, host: Typewriter) -> int:
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    return labs.play(page, {"lb1": host})


def test_a_lab_asks_again_until_it_sees_what_the_page_shows(tmp_path):
    host = Typewriter((6, "not yet"), (0, "VI_1 BACKUP"), (0, "VI_1 MASTER"))
    assert play(tmp_path, "```console\nlb1# hafw status\nVI_1 MASTER\n```\n", host) == 1
    assert len(host.typed) == 3


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("lb1# hafw status\nVI_1 MASTER", (0, "VI_1 BACKUP")),
        ("lb1# hafw status", (6, "not reachable")),
        ("lb1# hafw reload", (1, "refused")),
        ("both# ip link show", (1, "no such device")),
    ],
)
def test_a_lab_notices_what_is_not_as_the_page_says(tmp_path, monkeypatch, typed, answer):
    monkeypatch.setattr(labs, "PATIENCE", 0.2)
    with pytest.raises(AssertionError, match="page:1: line 2"):
        play(tmp_path, f"```console\n{typed}\n```\n", Typewriter(answer))


def test_a_lab_leaves_out_what_it_cannot_do_and_other_hosts_and_writes_the_files(tmp_path):
    host = Typewriter((0, ""))
    saved = "<!-- docs: save x.toml -->\n```toml\na = 1\n```\n"
    text = f"{saved}```console\nlb1# reboot\nlb2# hafw status\n# hafw status\n```\n"
    assert play(tmp_path, text, host) == 0
    assert (host.typed, host.files) == ([], {"x.toml": "a = 1\n"})


# -- what is cut from tests --------------------------------------------------------------------------------------

EXAMPLE = 'A = """\\\nnew\n"""\nB = 7\n'


def test_what_is_cut_from_a_test_is_copied_and_nothing_else_of_the_page(tmp_path):
    (tmp_path / "test_it.py").write_text(EXAMPLE, "utf-8")
    page = tmp_path / "page.md"
    before, after = "```python\nold\n```\n<!-- docs: cut test_it.py A -->\n", "old\n"
    page.write_text(f"{before}```python\nold\n```\n{after}", "utf-8")
    assert pages.with_cuts(page, tmp_path) == f"{before}```python\nnew\n```\n{after}"


@pytest.mark.parametrize("name", ["B", "C", ""])
def test_a_cut_of_what_is_not_there_is_a_mistake(tmp_path, name):
    (tmp_path / "test_it.py").write_text(EXAMPLE, "utf-8")
    (block,) = pages.blocks_of(tmp_path / "page.md", f"<!-- docs: cut test_it.py {name} -->\n```python\n```\n")
    with pytest.raises(pages.MarkError, match=f"test_it.py has no text that is called {name}"):
        pages.cut(block, tmp_path)


# -- links -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](README.md)", 0),
        ("[a](READNE.md)", 1),
        ("[a](README.md#commands)", 0),
        ("[a](README.md#comands)", 1),
        ("## A `b_c`, and d\n[a](#a-b_c-and-d)", 0),
        ("## A\n[a](#b)", 1),
        ("```\n## A\n```\n[a](#a)", 1),
        ("## A\n## A\n[a](#a-1)", 0),
        ("[`code`](nowhere.md)", 1),
        ("`[a](nowhere.md)`", 0),
        ("![a](docs/images/nothing.svg)", 1),
        ("[a](https://example.com/nothing)", 0),
        ("[a](../outside.md)", 1),
        ("## 运行手册\n[a](#运行手册)", 0),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text, wrong):
    assert len(pages.broken_links(ROOT / "page.md", text)) == wrong
