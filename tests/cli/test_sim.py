"""``hafw sim``: what it prints and writes, and how it ends."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from hafw.cli.verbs import cli

ROOT = Path(__file__).resolve().parents[2]
ALONE = "# One router\nrouter lb1\nstart lb1\nat 5s\n"


@pytest.fixture
def story(tmp_path, monkeypatch):
    """Writes a scenario and plays it: exit code, what was printed, what was complained of."""
    monkeypatch.chdir(tmp_path)

    def run(text, *options):
        if text is not None:
            Path("story.txt").write_text(text, "utf-8")
        done = CliRunner().invoke(cli, ["sim", "story.txt", *options])
        return done.exit_code, done.stdout, done.stderr

    return run


def test_the_example_plays_through_the_real_command(tmp_path):
    picture = tmp_path / "failover.svg"
    command = [sys.executable, "-m", "hafw", "sim", "examples/scenarios/failover.txt", "--svg", picture]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Three routers: a power cut, a failing check, a planned handover\n")
    assert "192.0.2.100 was on nobody for 2.050s, from 8.000s to 10.050s" in done.stdout
    ET.parse(picture)


def test_a_scenario_without_recorded_output_is_shown_and_well(story):
    code, out, err = story(ALONE)
    assert (code, err) == (0, "")
    assert out.startswith("One router\n")


def test_an_expectation_that_fails_is_told_after_the_picture(story):
    code, out, err = story(ALONE + "expect lb1 is BACKUP\n", "--svg", "story.svg")
    assert (code, err) == (1, "hafw sim: story.txt:5: expect lb1 is BACKUP: lb1 is MASTER\n")
    assert out.startswith("One router\n")
    assert Path("story.svg").exists()


def test_a_mistake_ends_it_with_its_place(story):
    assert story(ALONE + "expext lb1 is BACKUP\n") == (
        2,
        "",
        "hafw sim: story.txt:5: expext: no such command (did you mean expect?)\n",
    )


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [("story.txt", None, "no such file or directory"), ("story.txt", b"\xff", "must be UTF-8 text")],
)
def test_a_file_that_cannot_be_read(story, name, content, why):
    if content is not None:
        Path(name).write_bytes(content)
    assert story(None) == (2, "", f"hafw sim: story.txt: cannot be read: {why}\n")


def test_update_writes_what_came_and_then_it_is_compared(story):
    assert story(ALONE, "--update")[0] == 0
    recorded = Path("story.txt").read_text("utf-8")
    assert "\n>     3.609s  lb1  BACKUP -> MASTER: no-response\n" in recorded
    assert story(None)[0] == 0
    code, _, err = story(recorded.replace("router lb1", "router lb1 priority=200"))
    assert code == 1
    assert err.startswith("hafw sim: story.txt:6: after `at 5s`\n")
    assert err.endswith("  (--update writes what came into the file)\n")


def test_nothing_is_written_into_a_scenario_that_fails(story):
    text = ALONE + "expect lb1 is BACKUP\n"
    assert story(text, "--update")[0] == 1
    assert Path("story.txt").read_text("utf-8") == text


def test_lines_prints_the_scenario_with_its_output(story):
    _, out, _ = story(ALONE, "--lines")
    assert out.startswith(
        "# One router\nrouter lb1\nstart lb1\n>     0.000s  lb1  INITIALIZE -> BACKUP: startup\nat 5s\n"
    )


def test_the_picture_that_cannot_be_written_is_told(story):
    code, _, err = story(ALONE, "--svg", "missing/story.svg")
    assert (code, err) == (1, "hafw sim: missing/story.svg: cannot be written: no such file or directory\n")


def test_the_routers_of_a_configuration_take_part(story):
    config = ROOT / "examples/classic/config.toml"
    text = f"config {config}\nstart all\nat 5s\nexpect lb1 is MASTER\nexpect 192.168.161.250 on lb1\n"
    code, _, err = story(text + "check nginx fails on lb1\nrun 1s\nexpect lb2 is MASTER\nexpect lb1 is FAULT\n")
    assert (code, err) == (0, "")


def test_a_configuration_that_cannot_run_is_told_with_both_places(story):
    Path("broken.toml").write_text('[instance.VI_1]\ninterface = "eth0"\nvirtual_addresses = ["192.0.2.1"]\n')
    code, _, err = story("config broken.toml\n")
    assert code == 2
    assert err.startswith("hafw sim: story.txt:1: config: broken.toml:1: instance.VI_1.vrid")
