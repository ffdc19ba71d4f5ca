"""What a new plugin may be called: every refusal says why and what to do."""

from __future__ import annotations

import pytest

from hafw.config.plugins import PACKAGES
from hafw.scaffold.names import Names, mistake

RULE = "must be lower-case letters, digits and single - or _ between them, and begin with a letter"


@pytest.mark.parametrize("name", ["disk", "disk-space", "disk_space", "x", "a2b", "none", "path", "class", "a" * 50])
def test_an_ordinary_name_is_taken(name: str):
    assert mistake(name, {}) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", f'"": {RULE}'),
        ("Disk Space!", f'"Disk Space!": {RULE}: try disk-space'),
        ("2disk", f'"2disk": {RULE}: try disk'),
        ("disk--space", f'"disk--space": {RULE}: try disk-space'),
        ("disk-", f'"disk-": {RULE}: try disk'),
        ("disk.space", f'"disk.space": {RULE}: try disk-space'),
        ("plätze", f'"plätze": {RULE}: try pl-tze'),
        ("../disk", f'"../disk": {RULE}: try disk'),
        ("disk\n", f'"disk\\n": {RULE}: try disk'),
        ("a" * 51, f'"{"a" * 51}": has 51 characters: must be at most 50'),
        ("hafw", '"hafw": the package is called hafw-NAME by itself: say NAME'),
        ("hafw-disk", '"hafw-disk": the package is called hafw-NAME by itself: leave hafw out: disk'),
        ("hafw_disk", '"hafw_disk": the package is called hafw-NAME by itself: leave hafw out: disk'),
        ("plugin", '"plugin": packages hafw-plugin-... are hafw\'s own: choose another'),
        ("plugin-nginx", '"plugin-nginx": packages hafw-plugin-... are hafw\'s own: leave plugin out: nginx'),
        ("new", '"new": `hafw plugins new` writes a package: choose another, or nobody can look at it by its name'),
        ("nginx", '"nginx": hafw has a plugin of this name: choose another, such as my-nginx'),
        ("notify-email", '"notify-email": hafw has a plugin of this name: choose another, such as my-notify-email'),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_way_out(name: str, said: str):
    assert mistake(name, {}) == said


def test_the_names_of_all_plugins_and_packages_of_hafw_are_refused():
    own = {*PACKAGES, *PACKAGES.values()}
    assert [name for name in own if "hafw has a plugin of this name" not in mistake(name, {})] == []


def test_a_name_that_another_installed_package_offers_is_refused():
    installed = {"disk_space": ("hafw-disk-space", "Their_Disk"), "other": ("x",)}
    assert mistake("disk-space", installed) == (
        '"disk-space": Their_Disk offers this plugin here already: choose another name'
    )


def test_a_package_that_is_installed_may_be_written_anew():
    assert mistake("disk-space", {"disk_space": ("Hafw_Disk.Space",)}) == ""


def test_dashes_and_underscores_give_the_same_names():
    dashed, underscored = Names("disk-space"), Names("disk_space")
    seen = [(each.plugin, each.distribution, each.module, each.class_name) for each in (dashed, underscored)]
    assert seen == [("disk_space", "hafw-disk-space", "hafw_disk_space", "DiskSpacePlugin")] * 2
