"""`hafw import` as it is typed: where the result and the report go, names of routers, exit codes."""

from __future__ import annotations

import json
import stat
import tomllib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hafw.cli.importing import Disk, braces
from hafw.cli.verbs import cli

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {
        192.0.2.51
    }
}
"""
UNDECIDED = GOOD.replace("priority 150", "priority 255")


def run(*words: str, stdin: str | None = None):
    return CliRunner().invoke(cli, ["import", *words], input=stdin)


@pytest.fixture
def lb1(tmp_path: Path) -> Path:
    file = tmp_path / "lb1.conf"
    file.write_text(GOOD)
    return file


def test_the_result_goes_to_stdout_and_the_report_to_stderr(lb1: Path):
    done = run(str(lb1))
    assert done.exit_code == 0
    assert tomllib.loads(done.stdout)["instance"]["VI_1"]["vrid"] == 51
    assert done.stderr == "all carried over; next: `hafw check`\n"


def test_what_needs_a_decision_is_4_and_what_is_unusable_3(lb1: Path):
    lb1.write_text(UNDECIDED)
    assert run(str(lb1)).exit_code == 4
    lb1.write_text("global_defs {\n}\n")
    done = run(str(lb1))
    assert (done.exit_code, done.stderr) == (3, "nothing usable: there is no vrrp_instance\n")


def test_standard_input_is_a_file_too():
    done = run("-", stdin=UNDECIDED)
    assert done.exit_code == 4
    assert done.stderr.startswith("stdin:4: decide: `priority 255`")


def test_an_output_file_is_private_and_overwritten_by_force_only(lb1: Path, tmp_path: Path):
    output, report = tmp_path / "config.toml", tmp_path / "report"
    words = (str(lb1), "--output", str(output), "--report", str(report))
    done = run(*words)
    assert (done.exit_code, done.output) == (0, "")
    assert tomllib.loads(output.read_text())["instance"]["VI_1"]
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert report.read_text() == "all carried over; next: `hafw check`\n"
    refused = run(*words)
    assert refused.exit_code == 2
    assert f"{output} exists: --force overwrites it" in refused.stderr
    assert run(*words, "--force").exit_code == 0


def test_nothing_is_written_where_nothing_is_usable(lb1: Path, tmp_path: Path):
    lb1.write_text("")
    assert run(str(lb1), "--output", str(tmp_path / "config.toml")).exit_code == 3
    assert not (tmp_path / "config.toml").exists()


def test_an_output_that_cannot_be_written_is_1(lb1: Path, tmp_path: Path):
    done = run(str(lb1), "--output", str(tmp_path / "absent" / "config.toml"))
    assert done.exit_code == 1
    assert "absent/config.toml: no such file or directory" in done.stderr


def test_the_report_as_json(lb1: Path):
    lb1.write_text(UNDECIDED)
    found = json.loads(run(str(lb1), "--json").stderr)
    assert found["exit"] == 4
    assert found["counts"] == {"decide": 1}
    assert found["nodes"] == ["lb1"]
    (line,) = found["lines"]
    assert (line["line"], line["kind"], line["words"]) == (4, "decide", "priority 255")


def test_routers_are_named_by_node_or_by_their_files(lb1: Path, tmp_path: Path):
    lb2 = tmp_path / "lb2.conf"
    lb2.write_text(GOOD.replace("150", "100"))
    by_file = tomllib.loads(run(str(lb1), str(lb2)).stdout)["instance"]["VI_1"]
    assert by_file["priority"] == {"lb1": 150, "lb2": 100}
    named = tomllib.loads(run("--node", f"a={lb1}", "--node", f"b={lb2}").stdout)["instance"]["VI_1"]
    assert named["priority"] == {"a": 150, "b": 100}


def test_router_id_names_a_router_when_all_differ(lb1: Path, tmp_path: Path):
    lb2 = tmp_path / "lb2.conf"
    lb1.write_text(f"global_defs {{\n router_id one\n}}\n{GOOD}")
    lb2.write_text(f"global_defs {{\n router_id two\n}}\n{GOOD}")
    assert list(tomllib.loads(run(str(lb1), str(lb2)).stdout)["instance"]["VI_1"]["priority"]) == ["one", "two"]


def test_id_takes_the_lines_of_one_router(lb1: Path):
    lb1.write_text(GOOD.replace("    priority 150", "@lb1 priority 150\n@lb2 priority 100"))
    assert tomllib.loads(run(str(lb1)).stdout)["instance"]["VI_1"]["priority"] == {"lb1": 150, "lb2": 100}
    assert tomllib.loads(run(str(lb1), "--id", "lb2").stdout)["instance"]["VI_1"]["priority"] == 100


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "name at least one file"),
        (("/absent.conf",), "/absent.conf: no such file"),
        (("/",), "/: must be a file"),
        (("--node", "lb1"), "must be NAME=FILE"),
    ],
)
def test_wrong_usage_is_2_and_says_why(words: tuple[str, ...], complaint: str):
    done = run(*words)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_includes_and_braces_are_found_on_disk(tmp_path: Path):
    for name in ("a.conf", "b.conf", "c.txt"):
        (tmp_path / name).write_text("x")
    assert Disk().glob(f"{tmp_path}/{{b,a}}.conf") == [f"{tmp_path}/b.conf", f"{tmp_path}/a.conf"]
    assert Disk().read("/dev/zero") is None
    assert Disk().read("\0") is None
    assert braces("x{a,b{c,d}}y") == ["xay", "xbcy", "xbdy"]
    assert len(braces("{a,b}" * 30)) < 3000


def test_a_folder_of_includes_is_read_from_where_the_file_is(tmp_path: Path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "vi.conf").write_text(GOOD)
    (tmp_path / "keepalived.conf").write_text("include conf.d/*.conf\n")
    done = run(str(tmp_path / "keepalived.conf"))
    assert (done.exit_code, tomllib.loads(done.stdout)["instance"]["VI_1"]["vrid"]) == (0, 51)
