"""A whole config.toml for the plugin under test, and which router of it is meant."""

from __future__ import annotations

import pytest

from hafw.testing import PluginRefused

PLUGIN = """
from dataclasses import dataclass

from hafw.api import hookimpl, refuse


@dataclass
class Options:
    peer: str
    port: int = 6379
    tls: str = ""


@hookimpl
def options():
    return Options


@hookimpl
def configure(options):
    global peer
    peer = options.peer
    wrong = [("port", f"= {options.port}: must be 1 to 65535")] if options.port > 65535 else []
    refuse([*wrong, ("peer", "must not be itself"), ("tls", "is missing")] if peer == "self" else wrong)


@hookimpl
def became_master(router):
    return {"output": f"{router.name} {router.priority} {peer}", "exit": 0}
"""
CONFIG = """
[instance.VI_9]
interface = "eth0"
vrid = 9
priority = { lb1 = 150, lb2 = 100 }
virtual_addresses = ["192.0.2.9/24"]

[plugin.notify_script]
notify_master = "/nowhere"

[plugin.redis]
file = "redis.py"
peer = { lb1 = "of lb1", lb2 = "of lb2" }

[plugin.vip]
enabled = false

[plugin.arp]
enabled = false
"""
LB2 = '[node]\nname = "lb2"\n' + CONFIG
TOLD = {"lb1": "VI_9 150 of lb1", "lb2": "VI_9 100 of lb2"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Where the file of the plugin is."""
    (tmp_path / "redis.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "node", "router"),
    [(LB2, "", "lb2"), (LB2, "lb1", "lb1"), (CONFIG, "lb2", "lb2"), (CONFIG, "", "lb1")],
)
def test_the_router_is_the_one_that_the_file_names_unless_the_test_says_another(hafw_plugin, text, node, router):
    plugin = hafw_plugin("redis", config=text, node=node)
    assert plugin.become("MASTER").output == TOLD[router]


def test_a_reload_of_a_file_of_another_router_is_that_router(hafw_plugin, tmp_path):
    plugin = hafw_plugin("redis", config=CONFIG)
    (tmp_path / "lb2.toml").write_text(LB2)
    plugin.reload(tmp_path / "lb2.toml")
    assert plugin.become("MASTER").output == TOLD["lb2"]


def test_without_a_file_the_router_may_be_chosen_too(hafw_plugin, tmp_path):
    peer = {"lb1": "of lb1", "lb2": "of lb2"}
    instance = {"VI_9": {"priority": {"lb1": 150, "lb2": 100}}}
    plugin = hafw_plugin(file=tmp_path / "redis.py", options={"peer": peer}, instances=instance, node="lb2")
    assert plugin.become("MASTER").output == TOLD["lb2"]


def test_a_router_that_the_file_does_not_name_is_refused(hafw_plugin):
    with pytest.raises(PluginRefused, match=r'node\.name = "lb3": is no node of this file, which names lb1 and lb2'):
        hafw_plugin("redis", config=CONFIG, node="lb3")


def test_a_file_may_be_given_by_its_path_and_what_it_names_is_beside_it(hafw_plugin, tmp_path, monkeypatch):
    (tmp_path / "lb2.toml").write_text(LB2)
    monkeypatch.chdir("/")
    assert hafw_plugin("redis", config=tmp_path / "lb2.toml").become("MASTER").output == TOLD["lb2"]
    (tmp_path / "lb2.toml").write_text(LB2.replace("of lb2", "self"))
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin("redis", config=tmp_path / "lb2.toml")
    assert caught.value.lines[1] == "lb2.toml:15: plugin.redis.peer: must not be itself"


def test_the_file_of_a_plugin_is_added_to_a_table_that_has_none(hafw_plugin, tmp_path):
    text = LB2.replace('file = "redis.py"\n', "")
    assert hafw_plugin(file=tmp_path / "redis.py", config=text).become("MASTER").output == TOLD["lb2"]
    assert hafw_plugin(file="redis.py", config=LB2, options={"port": 1}).become("MASTER").output == TOLD["lb2"]


def test_what_is_missing_or_said_twice_is_told_in_words(hafw_plugin):
    with pytest.raises(
        TypeError, match=r'name the plugin of config= that is to be tested: hafw_plugin\("NAME", config'
    ):
        hafw_plugin(config=CONFIG)
    with pytest.raises(TypeError, match="instances= beside config=: that file says it: leave one of them out"):
        hafw_plugin("redis", config=CONFIG, instances=("A",))
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin("reddis", config=CONFIG)
    mistake = "plugin.reddis: is to be tested, and this file has another: notify_script, redis"
    assert caught.value.mistakes == [mistake]


def test_mistakes_come_in_the_order_of_the_lines_and_on_one_line_in_that_of_the_calls(hafw_plugin, tmp_path):
    """A key that is not in the file stands where its table begins."""
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin(file=tmp_path / "redis.py", options={"peer": "self", "port": 70000})
    assert caught.value.mistakes == [
        "plugin.redis.tls: is missing",
        "plugin.redis.peer: must not be itself",
        "plugin.redis.port = 70000: must be 1 to 65535",
    ]
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin(file=tmp_path / "redis.py", options={"port": 70000, "peer": "self"})
    assert [each.split()[0] for each in caught.value.mistakes] == [
        "plugin.redis.tls:", "plugin.redis.port", "plugin.redis.peer:",
    ]  # fmt: skip
