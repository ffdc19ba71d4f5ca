"""One command raises the version wherever it stands, or says why not and changes nothing."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
import version

ROOT = Path(__file__).parents[2]

DAY = "2027-01-31"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Every file that has it."""
    plugins = [path.relative_to(ROOT) for path in ROOT.glob("plugins/*/pyproject.toml")]
    for name in (version.CODE, version.CHANGES, version.PACKAGE_PAGE, "pyproject.toml", *version.PAGES, *plugins):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def following(old: str) -> str:
    major, minor, _ = old.split(".")
    return f"{major}.{int(minor) + 1}.0"


def test_all_of_them_carry_the_new_one_and_none_the_old_one(tree: Path):
    old = version.current(tree)
    new = following(old)
    changed = version.raised(tree, new, DAY)
    plugins = {name: tomllib.loads(text)["project"] for name, text in changed.items() if name.startswith("plugins/")}
    assert len(plugins) == len(list(ROOT.glob("plugins/*/pyproject.toml"))) > 5
    assert {each["version"] for each in plugins.values()} == {new}
    assert all(f"hafw=={new}" in each["dependencies"] for each in plugins.values())
    extras = tomllib.loads(changed["pyproject.toml"])["project"]["optional-dependencies"]
    assert {each["name"]: f"=={new}" for each in plugins.values()} == {
        name: f"=={pin}" for pins in extras.values() for name, _, pin in (each.partition("==") for each in pins) if pin
    }
    assert f'__version__ = "{new}"' in changed[version.CODE]
    holding = [
        name for name, text in changed.items() if f"={old}" in text or f'"{old}"' in text or f"hafw {old}" in text
    ]
    assert holding == []


def test_the_changelog_gets_its_heading_below_unreleased(tree: Path):
    text = version.raised(tree, "0.9.0", DAY)[version.CHANGES]
    assert f"## [Unreleased]\n\n## [0.9.0] - {DAY}\n\n### Added\n" in text


def test_a_patch_leaves_the_range_that_plugins_ask_for(tree: Path):
    major, minor, patch = version.current(tree).split(".")
    assert version.PACKAGE_PAGE not in version.raised(tree, f"{major}.{minor}.{int(patch) + 1}", DAY)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("0.1", "0.1 must be like 0.2.0 or 0.2.0rc1"),
        ("v1.0.0", "v1.0.0 must be like 0.2.0 or 0.2.0rc1"),
        ("0.0.9", r"0\.0\.9 must be greater than "),
    ],
)
def test_what_is_no_greater_version_is_refused(tree: Path, new: str, said: str):
    with pytest.raises(ValueError, match=said):
        version.raised(tree, new, DAY)


def test_a_pre_release_comes_before_its_release():
    order = ["0.2.0a1", "0.2.0b1", "0.2.0rc1", "0.2.0rc2", "0.2.0", "0.2.1", "0.10.0"]
    assert sorted(order, key=version._key) == order


def test_a_plugin_that_has_lost_step_is_named_before_anything_is_written(tree: Path):
    file = tree / "plugins/vip/pyproject.toml"
    file.write_text(file.read_text().replace('"hafw==', '"hafw>='))
    with pytest.raises(
        ValueError, match=r'plugins/vip/pyproject\.toml: "hafw==[0-9.]+" does not stand there: mend it first'
    ):
        version.raised(tree, "9.0.0", DAY)
