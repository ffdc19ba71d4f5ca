"""What hafw.testing is to those who never use it: next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hafw.testing


def test_it_is_found_by_its_entry_point_and_offers_its_fixtures(pytester):
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--fixtures")
    shown = [line.split()[0] for line in done.outlines if "hafw/testing/fixtures.py" in line]
    assert shown == ["hafw_plugin", "hafw_sim", "hafw_lan", "smtp_server", "http_receiver"]


def test_importing_it_imports_nothing_else_of_hafw():
    words = "import sys, hafw.testing.fixtures; print(*sorted(each for each in sys.modules if each.startswith('hafw')))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["hafw", "hafw.testing", "hafw.testing.fixtures"]


def test_every_name_is_there_and_no_other():
    assert all(getattr(hafw.testing, name) for name in hafw.testing.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'harnes'"):
        hafw.testing.harnes  # noqa: B018 - it raises


def test_a_lab_is_only_built_for_who_asks_for_it(pytester):
    pytester.makepyfile("def test_it(hafw_lan): hafw_lan('vip').wait_for_master('lb1')")
    pytester.makeconftest("def pytest_configure(config): config.option.hafw_lan = False")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs", "--strict-markers")
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["*ask for it with --hafw-lan*"])


@pytest.mark.long
def test_pytest_starts_without_the_daemon_and_its_libraries(tmp_path):
    (tmp_path / "test_it.py").write_text("import sys\ndef test_it(): print('loaded', *sorted(sys.modules))")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "."],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if "loaded" in line]
    loaded = {each for each in line.split() if each.startswith("hafw")}
    assert loaded == {"hafw", "hafw.testing", "hafw.testing.fixtures"}
