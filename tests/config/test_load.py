"""Good configurations: what comes out, for each node, and what is shown of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from hafw.config import Config, load
from hafw.config.hiding import hidden
from hafw.config.permissions import check_script
from hafw.config.plugins import installed_plugins
from hafw.config.schema import schema, schema_of
from hafw.config.show import effective
from hafw.config.tables import InstanceTable
from hafw.config.types import keys_of
from hafw.pipe import Address
from hafw.vrrp.device import device_of
from hafw.vrrp.settings import Checksum

ROOT = Path(__file__).resolve().parent.parent.parent
CLASSIC = ROOT / "examples/classic/config.toml"

FULL = """
[node]
name = "lb1"
[control]
socket = { lb1 = "/run/a.sock", lb2 = "/run/b.sock" }
group = "adm"
[instance.VI_1]
interface = { lb1 = "eth0", lb2 = "ens3" }
version = 2
vrid = 51
priority = { lb1 = 150, lb2 = 100 }
advertisement_interval = "2s"
virtual_addresses = [
  "192.0.2.250/24",
  { address = "192.0.2.251", interface = "eth1", label = "eth1:v", scope = "link" },
  "fe80::1",
]
excluded_addresses = ["2001:db8::1/64"]
preempt = false
preempt_delay = "0s"
down_timer_adverts = 4
auth = { lb1 = { type = "pass", password = "geheim" }, lb2 = { type = "pass", password = "geheim" } }
unicast_peers = { lb1 = ["192.0.2.2"], lb2 = ["192.0.2.1"] }
source_address = { lb1 = "192.0.2.1", lb2 = "192.0.2.2" }
accept = true
virtual_mac = false
skew = "rfc"
announce = { repeat = ["0s", { }], rate = 100 }
[instance.VI_1.check.web]
plugin = "nginx"
weight = { lb1 = -60, lb2 = -40 }
interval = "500ms"
[instance.VI_2]
interface = "eth0"
vrid = 51
owner = { lb1 = true, lb2 = false }
virtual_addresses = ["fe80::2", "2001:db8::2"]
checksum = "auto"
[instance.VI_2.announce]
refresh = "0s"
[plugin.nginx]
url = { lb1 = "http://u:geheim@127.0.0.1/", lb2 = "http://127.0.0.1:81/" }
headers = { host = "x" }
api_token = "geheim"
password = "file:/etc/hafw/smtp.pass"
[plugin.arp]
enabled = false
""".replace('"0s", { }', '"0s", "100ms"')


def loaded(tmp_path: Path, text: str, node: str | None = None) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    config, warnings = load(file, node)
    assert [each for each in warnings if "with preempt = false" not in each.message] == []
    return config


def test_everything_arrives(tmp_path: Path):
    config = loaded(tmp_path, FULL)
    assert (config.path, config.node_name) == (str(tmp_path / "config.toml"), "lb1")
    assert (config.control_socket, config.control_group) == ("/run/a.sock", "adm")
    instance = config.instances["VI_1"]
    router = instance.router
    assert (router.name, router.interface, router.version, router.vrid, router.priority) == ("VI_1", "eth0", 2, 51, 150)
    assert (router.advertisement_interval, router.down_timer_adverts) == (2.0, 4)
    assert (router.preempt, router.preempt_delay, router.password) == (False, 0.0, b"geheim")
    assert (router.flap_hold, router.flap_hold_max, instance.verify) == (10.0, 600.0, "gateway")
    assert router.unicast_peers == (ip_address("192.0.2.2"),)
    assert (router.source_address, router.multicast_group) == (ip_address("192.0.2.1"), None)
    assert (router.announce_repeat, router.announce_refresh, instance.announce_rate) == ((0.0, 0.1), 60.0, 100)


def test_c_pkt_11_family_of_the_first_is_advertised_and_the_other_bound_with_it(tmp_path: Path):
    instance = loaded(tmp_path, FULL).instances["VI_1"]
    assert instance.router.virtual_addresses == (ip_address("192.0.2.250"), ip_address("192.0.2.251"))
    assert instance.router.excluded_addresses == (ip_address("fe80::1"), ip_address("2001:db8::1"))
    assert instance.addresses == (
        Address(address="192.0.2.250", prefixlen=24, interface="eth0"),
        Address(address="192.0.2.251", prefixlen=32, interface="eth1", label="eth1:v", scope="link"),
        Address(address="fe80::1", prefixlen=128, interface="eth0", scope="link", advertised=False),
        Address(address="2001:db8::1", prefixlen=64, interface="eth0", advertised=False),
    )


def test_the_same_file_serves_the_other_node(tmp_path: Path):
    config = loaded(tmp_path, FULL, "lb2")
    first, second = config.instances.values()
    assert (first.router.interface, first.router.priority) == ("ens3", 100)
    assert first.router.source_address == ip_address("192.0.2.2")
    assert first.checks[0].settings.weight == -40
    assert (second.router.owner, second.router.priority) == (False, 100)
    assert config.plugins["nginx"].options["url"] == "http://127.0.0.1:81/"
    assert config.control_socket == "/run/b.sock"


def test_owner_has_priority_255_and_ipv6_may_share_the_vrid_of_ipv4(tmp_path: Path):
    router = loaded(tmp_path, FULL).instances["VI_2"].router
    assert (router.priority, router.vrid, router.family, router.announce_refresh) == (255, 51, 6, 0.0)


def test_check_defaults(tmp_path: Path):
    (check,) = loaded(tmp_path, FULL).instances["VI_1"].checks
    assert (check.plugin, check.settings.name, check.settings.critical, check.settings.weight) == (
        "nginx",
        "web",
        False,
        -60,
    )
    assert (check.settings.rise, check.settings.fall, check.interval, check.timeout) == (2, 2, 0.5, 0.4)


def test_plugins_are_the_configured_ones_the_defaults_and_those_of_checks(tmp_path: Path):
    text = '[instance.A]\ninterface = "eth0"\nvrid = 1\nvirtual_addresses = ["192.0.2.1"]\n'
    assert loaded(tmp_path, text).plugins.keys() == {"vip", "arp"}
    assert loaded(tmp_path, f"{text}check.nginx.critical = true").plugins.keys() == {"vip", "arp", "nginx"}
    assert loaded(tmp_path, FULL).plugins.keys() == {"vip", "nginx"}


def test_options_of_a_plugin_are_handed_on_as_they_are(tmp_path: Path):
    nginx = loaded(tmp_path, FULL).plugins["nginx"]
    assert nginx.options == {
        "url": "http://u:geheim@127.0.0.1/",
        "headers": {"host": "x"},
        "api_token": "geheim",
        "password": "file:/etc/hafw/smtp.pass",
    }


def test_local_plugin_is_found_beside_the_configuration(tmp_path: Path):
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "mine.py").chmod(0o644)
    text = '[instance.A]\ninterface = "eth0"\nvrid = 1\nvirtual_addresses = ["192.0.2.1"]\ncheck.mine.critical = true\n'
    config = loaded(tmp_path, f'{text}[plugin.mine]\nfile = "mine.py"\nuser = "nobody"\n')
    assert (config.plugins["mine"].file, config.plugins["mine"].user) == (str(tmp_path / "mine.py"), "nobody")


def test_how_events_are_delivered_is_the_plugin_s_own_choice_unless_the_file_says_it(tmp_path: Path):
    text = '[instance.A]\ninterface = "eth0"\nvrid = 1\nvirtual_addresses = ["192.0.2.1"]\n'
    config = loaded(tmp_path, f'{text}[plugin.arp]\ndelivery = "latest"\nreplay = false\n')
    assert (config.plugins["arp"].delivery, config.plugins["arp"].replay) == ("latest", False)
    assert (config.plugins["vip"].delivery, config.plugins["vip"].replay) == ("", None)
    shown = tomllib.loads(effective(config))["plugin"]["arp"]
    limits = {"memory": "512MiB", "files": 1024, "processes": 256, "cpu_weight": 100, "network": True}
    assert shown == {"delivery": "latest", "replay": False, "limits": limits}


def test_node_is_the_short_host_name_unless_said_otherwise(tmp_path: Path):
    text = '[instance.A]\ninterface = "eth0"\nvrid = 1\nvirtual_addresses = ["192.0.2.1"]\n'
    short = socket.gethostname().partition(".")[0]
    assert loaded(tmp_path, text).node_name == short
    assert loaded(tmp_path, f'{text}[node]\nname = "x-$HOSTNAME"').node_name == f"x-{short}"
    assert loaded(tmp_path, text, "lb9").node_name == "lb9"


def test_shown_configuration_is_toml_reads_back_and_tells_no_secret(tmp_path: Path):
    config = loaded(tmp_path, FULL)
    said = {key: hidden(key, value) for key, value in config.plugins["nginx"].options.items()}
    text = effective(config, {"nginx": {**said, "expect": "", "host": "\U0001f40d"}})
    assert "geheim" not in text
    shown = tomllib.loads(text)
    assert shown["node"]["name"] == "lb1"
    assert shown["instance"]["VI_1"]["auth"] == {"type": "pass", "password": "(hidden)"}
    assert shown["plugin"]["nginx"]["password"] == "file:/etc/hafw/smtp.pass"
    assert shown["plugin"]["nginx"]["url"] == "http://u:(hidden)@127.0.0.1/"
    assert shown["plugin"]["nginx"]["expect"] == "", "an empty text is a value too"
    assert shown["plugin"]["nginx"]["host"] == "\U0001f40d"
    again = loaded(
        tmp_path,
        text.replace('"(hidden)"', '"geheim"').replace("(hidden)", "geheim") + "[plugin.arp]\nenabled = false",
    )
    assert again.instances == config.instances


def test_of_a_plugin_that_has_not_said_its_types_no_value_is_shown(tmp_path: Path):
    shown = tomllib.loads(effective(loaded(tmp_path, FULL)))["plugin"]["nginx"]
    assert shown["url"] == shown["api_token"] == "(hidden)"
    assert (shown["headers"], shown["password"]) == ({"host": "(hidden)"}, "file:/etc/hafw/smtp.pass")


def test_with_a_virtual_mac_every_address_is_on_its_device_and_link_local_ones_reach_the_link(tmp_path: Path):
    text = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["fe80::1", "2001:db8::1"]\n'
    text += "virtual_mac = true\nexcluded_addresses = ['192.0.2.1/24', 'fe80::2/80']\n"
    config = loaded(tmp_path, text)
    instance = config.instances["VI_1"]
    device = device_of(instance.router)
    assert device.startswith("hafw6-51-")
    assert [(each.address, each.prefixlen, each.interface) for each in instance.addresses] == [
        ("fe80::1", 64, device),
        ("2001:db8::1", 128, device),
        ("192.0.2.1", 24, device),
        ("fe80::2", 80, device),
    ]
    again = loaded(tmp_path, effective(config), config.node_name)
    assert again.instances == config.instances


def test_all_instance_keys_of_the_interface_are_known():
    known = {key.key for key in keys_of(InstanceTable)}
    assert known >= {
        *("interface", "version", "vrid", "priority", "owner", "advertisement_interval", "virtual_addresses"),
        *("excluded_addresses", "preempt", "preempt_delay", "down_timer_adverts", "auth", "unicast_peers"),
        *("source_address", "multicast_group", "checksum", "virtual_mac", "accept", "skew", "group", "last_resort"),
        *("announce", "check"),
    }
    assert [str(each) for each in Checksum] == schema_of(InstanceTable)["properties"]["checksum"]["enum"]


def accepts(part: dict[str, Any], value: Any, whole: dict[str, Any]) -> bool:
    """Just enough of JSON schema to try ours: an independent reading of it."""
    if "$ref" in part:
        return accepts(whole["$defs"][part["$ref"].rpartition("/")[2]], value, whole)
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "number": float}
    if "type" in part and type(value) is not kinds[part["type"]]:
        return False
    if "enum" in part and value not in part["enum"]:
        return False
    if "anyOf" in part and not any(accepts(each, value, whole) for each in part["anyOf"]):
        return False
    if isinstance(value, int) and not part.get("minimum", value) <= value <= part.get("maximum", value):
        return False
    if isinstance(value, list):
        return all(accepts(part.get("items", {}), each, whole) for each in value)
    if isinstance(value, dict):
        return accepts_table(part, value, whole)
    return True


def accepts_table(part: dict[str, Any], value: dict[str, Any], whole: dict[str, Any]) -> bool:
    if not set(part.get("required", ())) <= set(value):
        return False
    properties, other = part.get("properties", {}), part.get("additionalProperties", {})
    for key, each in value.items():
        rule = properties.get(key, other)
        if rule is False or (isinstance(rule, dict) and not accepts(rule, each, whole)):
            return False
    return True


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/config.toml")), ids=lambda path: path.parent.name)
def test_schema_accepts_the_examples_and_refuses_what_load_refuses(path: Path):
    whole = schema(
        {"nginx": {"type": "object", "properties": {key: {} for key in ("url", "expect", "pid_file", "grace")}}}
    )
    document = json.loads(json.dumps(tomllib.loads(path.read_text(encoding="utf-8"))))
    assert accepts(whole, document, whole)
    for key, value in {
        "vrid": 300,
        "version": 4,
        "virtual_adresses": [],
        "preempt": 1,
        "priority": {"lb1": "x"},
    }.items():
        instances = {name: {**table, key: value} for name, table in document["instance"].items()}
        assert not accepts(whole, {**document, "instance": instances}, whole), key
    assert not accepts(whole, {**document, "plugin": {"nginx": {"ulr": "x"}}}, whole)


def test_script_check_needs_the_standard_library_only():
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    permissions = ROOT / "hafw/config/permissions.py"
    done = subprocess.run(
        [sys.executable, "-c", code, permissions], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"hafw", "msgspec"} & set(done.stdout.split())
    assert check_script("/nonexistent", runs_as_root=False) == [
        "/nonexistent does not exist: correct the path, or put it there"
    ]


def test_installed_plugins_are_found_by_metadata_without_importing_them():
    code = "import sys, hafw.config.plugins as it; it.installed_plugins(); print('hafw_vip' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
    assert installed_plugins()["vip"] == ("hafw-plugin-vip",)


def test_plugin_process_that_converts_its_options_loads_nothing_of_the_election():
    code = "import sys, hafw.config.convert, hafw.config.permissions; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"hafw.node", "hafw.vrrp", "tomllib", "trio"} & set(done.stdout.split())
