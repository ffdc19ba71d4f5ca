"""``hafw check``: every mistake of every plugin, with its key path, in one run."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from hafw.config.model import PluginConfig
from hafw.config.problem import Problem
from hafw.daemon.plugins.visiting import examine, schemas

OPTIONS = """
from dataclasses import dataclass

@dataclass
class Options:
    url: str
    timeout: Duration = Duration(1.0)
    to: list[str] = ()

@hookimpl
def options(): return Options

@hookimpl
def configure(options, routers):
    if options.url == "bad":
        mistakes = ["url: 'bad' must begin with http://", "to[1]: is nobody", "and the moon is wrong", "Moon: is wrong"]
        raise ValueError("\\n".join(mistakes))
    assert [router.name for router in routers] == ["VI_1"]

@hookimpl
def check(): return Verdict(True)
"""


WATCHES_NOTHING = "watches nothing: no instance has a check of it: [instance.NAME.check.{}], or leave it out"


def examined(config, *plugins, **settings):
    return examine(config(plugins=plugins), **settings).problems


def test_a_good_configuration_has_no_problem(write, config, instance):
    plugin = write(OPTIONS, options={"url": "http://", "timeout": "2s"})
    assert examine(config(instance(interval=1.0), plugins=(plugin,))).problems == []


def test_a_table_where_none_belongs_may_have_been_meant_by_router(write, config):
    (problem,) = examined(config, write(OPTIONS, options={"url": {"lb1": "http://a", "lb2": "http://b"}}))
    way_out = (
        "a value per router counts as such where another key names the routers: priority = { lb1 = 150, lb2 = 100 }"
    )
    assert (problem.path, problem.message) == ("plugin.local.url", f"is a table: must be a string; {way_out}")


def test_options_may_be_any_table_and_what_is_refused_of_it_is_told(write, config):
    source = "@hookimpl\ndef options(): return dict\n@hookimpl\ndef configure(options): raise ValueError(str(options))"
    (problem,) = examined(config, write(source, options={"any": {"name": "at all"}}))
    assert (problem.path, problem.message) == ("plugin.local", "{'any': {'name': 'at all'}}")


def test_what_is_in_force_is_what_the_plugin_says_and_nothing_of_one_that_says_too_much(write, config):
    plugin = write(OPTIONS, options={"url": "http://u:geheim@h/", "timeout": "90s"})
    assert examine(config(plugins=(plugin,)), shows=True).options == {
        "local": {"url": "http://u:(hidden)@h/", "timeout": "90s", "to": []}
    }
    wordy = replace(plugin, options={"url": "x" * 40_000})
    refused = replace(plugin, options={"url": "http://", "pasword": "geheim"})
    for each in (wordy, refused):
        assert examine(config(plugins=(each,)), shows=True).options == {}


def test_what_can_never_do_anything_is_a_warning(write, config):
    plugins = (
        write(OPTIONS, options={"url": "http://"}),
        write("import warnings\n@hookimpl\ndef configure(): warnings.warn('not a word is said')", name="mute"),
        PluginConfig(name="notify_script"),
        PluginConfig(name="nginx"),
    )
    found = examined(config, *plugins)
    assert {each.severity for each in found} == {"warning"}
    assert [(each.path, each.message) for each in found] == [
        ("plugin.local", WATCHES_NOTHING.format("local")),
        ("plugin.mute", "not a word is said"),
        (
            "plugin.notify_script",
            (
                "does nothing: notify, notify_master, notify_backup, notify_fault, notify_stop, notify_deleted,"
                " notify_master_rx_lower_pri are all empty"
            ),
        ),
        ("plugin.nginx", WATCHES_NOTHING.format("nginx")),
    ]


def test_one_installed_plugin_under_several_names(config):
    plugins = (
        PluginConfig(name="shop", plugin="nginx", options={"url": "ftp://127.0.0.1/"}),
        PluginConfig(name="blog", plugin="nginx", options={"expect": "no number"}),
    )
    assert [each.path for each in examined(config, *plugins)] == ["plugin.shop.url", "plugin.blog.expect"]


def test_every_mistake_of_every_plugin_has_its_key_path(write, config):
    plugins = (
        write(OPTIONS, options={"timeout": 3, "tiemout": "2s"}),
        write(OPTIONS, name="other", options={"url": "bad", "to": ["a", "b"]}),
        write("raise RuntimeError('no license')", name="third"),
        PluginConfig(name="missing"),
        write("@hookimpl\ndef faulted(): pass", name="plain", options={"word": 1}),
        PluginConfig(name="vip"),
    )
    found = [(each.path, each.message) for each in examined(config, *plugins)]
    assert found == [
        ("plugin.local.tiemout", "unknown key (did you mean timeout?)"),
        ("plugin.local.url", "is missing: a string is required"),
        ("plugin.local.timeout", '= 3: a duration needs a unit: "3s" or "3ms"'),
        ("plugin.other.url", "'bad' must begin with http://"),
        ("plugin.other.to[1]", "is nobody"),
        ("plugin.other", "and the moon is wrong"),
        ("plugin.other", "Moon: is wrong"),
        ("plugin.third", f"cannot be loaded: RuntimeError: no license ({plugins[2].file}:3 in <module>)"),
        ("plugin.missing", found[8][1]),
        ("plugin.plain.word", "unknown key"),
    ]
    assert "no installed package offers plugin missing: install it, or name its file" in found[8][1]


def test_an_exception_in_configure_names_its_place(write, config):
    plugin = write("@hookimpl\ndef configure(): return {}['x']")
    assert examined(config, plugin) == [
        Problem("plugin.local", f"configure raised KeyError: 'x' ({plugin.file}:4 in configure)")
    ]


def test_a_check_of_a_plugin_without_one_is_a_mistake_of_the_instance(write, config, instance):
    plugin = write("@hookimpl\ndef faulted(): pass")
    assert examine(config(instance(interval=1.0), plugins=(plugin,))).problems == [
        Problem("instance.VI_1.check.web", "plugin local has neither check nor monitor: name one that has")
    ]


def test_a_user_who_does_not_exist_is_a_mistake_of_that_key(write, config):
    (problem,) = examined(config, write(OPTIONS, options={"url": "x"}, user="nosuchuser"))
    assert (problem.path, problem.message) == (
        "plugin.local.user",
        '= "nosuchuser": no such user on this machine: useradd --system nosuchuser, or "nobody"',
    )


def test_a_file_of_another_machine_is_not_configured_and_its_secrets_stay_unread(write, config, instance):
    source = OPTIONS.replace("url: str", "url: str\n    password: Secret")
    plugin = write(source, options={"url": "bad", "password": "file:/nowhere"})
    settings = config(instance(interval=1.0), plugins=(plugin,))
    assert examine(settings, with_system=False).problems == []
    (problem,) = examine(settings).problems
    assert (problem.path, problem.message) == (
        "plugin.local.password",
        "/nowhere cannot be read: no such file or directory",
    )


def test_a_plugin_knows_on_which_router_it_is(write, config, monkeypatch):
    monkeypatch.setenv("HAFW_NODE", "of the shell that hafw check was typed into")
    source = "import os\n@hookimpl\ndef configure(): raise ValueError(os.environ['HAFW_NODE'])"
    (problem,) = examined(config, write(source))
    assert problem.message == "lb1"


def test_schemas_of_installed_plugins(config):
    found = schemas(["vip", "notify_script", "nowhere"])
    assert found.keys() == {"vip", "notify_script"}
    assert found["vip"]["properties"] == {}
    assert found["notify_script"]["properties"]["timeout"] == {"$ref": "#/$defs/duration", "default": "10s"}


def test_nothing_is_left_running(write, config, tmp_path):
    plugin = write(f"@hookimpl\ndef configure(): open('{tmp_path}/pid', 'w').write(str(os.getpid()))")
    assert examined(config, plugin) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
