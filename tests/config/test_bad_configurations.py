"""Every kind of bad configuration, with the exact lines that an operator reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hafw.config import ConfigErrors, load

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"interface": '"eth0"', "vrid": "51", "virtual_addresses": '["192.0.2.250"]'}


def config(more: str = "", **changed: str) -> str:
    """``[instance.VI_1]`` at line 1, the keys of BASE at lines 2 to 4, and what is added from line 5."""
    lines = [f"{key} = {value}" for key, value in {**BASE, **changed}.items() if value]
    return "\n".join(["[instance.VI_1]", *lines, more, ""])


def complaints(tmp_path: Path, text: str | bytes, node: str = "lb1", *, machine: bool = True) -> list[str]:
    """Every line, warnings too, without the folder of the test."""
    file = tmp_path / "config.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        _, problems = load(file, node, machine=machine)
    except ConfigErrors as errors:
        problems = errors.problems
    return [problem.render("config.toml").replace(str(tmp_path), "DIR") for problem in problems]


VI_2 = '[instance.VI_2]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.251"]'
CHECK = "[instance.VI_1.check.nginx]\n"
V6 = '["fe80::1", "2001:db8::1"]'

KEYS = {
    "unknown key": (
        config('virtual_adresses = ["192.0.2.1"]'),
        "5: instance.VI_1.virtual_adresses: unknown key (did you mean virtual_addresses?)",
    ),
    "misspelt and therefore missing is one mistake": (
        config('virtual_adresses = ["192.0.2.1"]', virtual_addresses=""),
        "4: instance.VI_1.virtual_adresses: unknown key (did you mean virtual_addresses?)",
    ),
    "unknown key, nothing near": (config("zzz = 1"), "5: instance.VI_1.zzz: unknown key"),
    "unknown table": (config("[instances.VI_2]"), "5: instances: unknown key (did you mean instance?)"),
    "unknown node key": (config('[node]\nnam = "x"'), "6: node.nam: unknown key (did you mean name?)"),
    "startup delay without a unit": (
        config("[node]\nstartup_delay = 30"),
        '6: node.startup_delay = 30: a duration needs a unit: "30s" or "30ms"',
    ),
    "routed multicast": (
        config("min_ttl = 250"),
        ("5: instance.VI_1.min_ttl = 250: belongs to unicast_peers: multicast adverts are never routed, and have 255"),
    ),
    "unknown control key": (config('[control]\nsock = "/x"'), "6: control.sock: unknown key (did you mean socket?)"),
    "unknown check key": (
        config(f"{CHECK}critical = true\nfal = 3"),
        "7: instance.VI_1.check.nginx.fal: unknown key (did you mean fall?)",
    ),
    "unknown announce key": (
        config("[instance.VI_1.announce]\nrefesh = '1s'"),
        "6: instance.VI_1.announce.refesh: unknown key (did you mean refresh?)",
    ),
    "unknown address key": (
        config(virtual_addresses='[{ addres = "192.0.2.1" }]'),
        "4: instance.VI_1.virtual_addresses[0].addres: unknown key (did you mean address?)",
    ),
    "missing interface": (config(interface=""), "1: instance.VI_1.interface: is missing: a string is required"),
    "missing vrid": (config(vrid=""), "1: instance.VI_1.vrid: is missing: a whole number is required"),
    "missing addresses": (
        config(virtual_addresses=""),
        "1: instance.VI_1.virtual_addresses: is missing: a list is required",
    ),
    "no instance": ("[node]\n", " instance: is missing: at least one [instance.NAME] is required"),
    "instance no table": ("instance.VI_1 = 3", "1: instance.VI_1: must be a table: [instance.VI_1]"),
    "plugin no table": (config('[plugin]\nnginx = "on"'), "6: plugin.nginx: must be a table: [plugin.nginx]"),
    "check no table": (
        config("check.critical = true"),
        "5: instance.VI_1.check.critical: must be a table: [instance.VI_1.check.critical] (did you mean critical?)",
    ),
    "name of an instance": (
        config().replace("VI_1", '"VI 1"'),
        "1: instance.VI 1: an instance's name must be letters, digits, _ . : and -, at most 64",
    ),
}

TYPES_AND_RANGES = {
    "string for number": (config(vrid='"51"'), '3: instance.VI_1.vrid = "51": must be a whole number'),
    "float for number": (config(vrid="51.0"), "3: instance.VI_1.vrid = 51.0: must be a whole number"),
    "bool for number": (config(vrid="true"), "3: instance.VI_1.vrid = true: must be a whole number"),
    "number for bool": (config("preempt = 1"), "5: instance.VI_1.preempt = 1: must be true or false"),
    "date for string": (config(interface="2026-11-22"), "2: instance.VI_1.interface = 2026-11-22: must be a string"),
    "string for list": (
        config(virtual_addresses='"192.0.2.1"'),
        '4: instance.VI_1.virtual_addresses = "192.0.2.1": must be a list: ["192.0.2.1"]',
    ),
    "vrid too large": (config(vrid="300"), "3: instance.VI_1.vrid = 300: must be 1 to 255"),
    "vrid zero": (config(vrid="0"), "3: instance.VI_1.vrid = 0: must be 1 to 255"),
    "huge number": (config(vrid=f"0x{'f' * 6000}"), "3: instance.VI_1.vrid = ...: must be 1 to 255"),
    "version": (config("version = 4"), "5: instance.VI_1.version = 4: must be 2 or 3"),
    "priority": (
        config("priority = 300"),
        "5: instance.VI_1.priority = 300: must be 1 to 254 (255 is set by owner = true)",
    ),
    "255 without owner": (
        config("priority = 255"),
        "5: instance.VI_1.priority = 255: is for the owner of the addresses only: set owner = true, or 1 to 254",
    ),
    "owner without 255": (
        config("priority = 100\nowner = true"),
        "5: instance.VI_1.priority = 100: must be 255 with owner = true: leave it out",
    ),
    "duration without unit": (
        config("advertisement_interval = 1"),
        '5: instance.VI_1.advertisement_interval = 1: a duration needs a unit: "1s" or "1ms"',
    ),
    "no duration": (
        config('preempt_delay = "soon"'),
        '5: instance.VI_1.preempt_delay = "soon": must be a duration such as "100ms", "1.5s", "10m" or "1h"',
    ),
    "duration too long": (config('preempt_delay = "2h"'), '5: instance.VI_1.preempt_delay = "2h": must be 0s to 1h'),
    "interval of version 3": (
        config('advertisement_interval = "41s"'),
        '5: instance.VI_1.advertisement_interval = "41s": must be 10ms to 40.95s, in steps of 10ms',
    ),
    "interval between centiseconds": (
        config('advertisement_interval = "15ms"'),
        '5: instance.VI_1.advertisement_interval = "15ms": must be 10ms to 40.95s, in steps of 10ms',
    ),
    "interval of version 2": (
        config('version = 2\nadvertisement_interval = "1.5s"'),
        (
            '6: instance.VI_1.advertisement_interval = "1.5s": must be whole seconds, 1s to 255s, in version 2'
            " (version 3: from 10ms)"
        ),
    ),
    "interface name too long": (
        config(interface='"verylonginterface"'),
        '2: instance.VI_1.interface = "verylonginterface": must be 1 to 15 characters',
    ),
    "interface name with a slash": (
        config(interface='"eth/0"'),
        '2: instance.VI_1.interface = "eth/0": must be an interface name such as eth0, without blank, slash or colon',
    ),
    "down timer": (
        config("down_timer_adverts = 0"),
        "5: instance.VI_1.down_timer_adverts = 0: must be 1 to 100",
    ),
    "checksum": (
        config('checksum = "rfc9658"'),
        '5: instance.VI_1.checksum = "rfc9658": must be "auto", "rfc9568" or "pseudo-header" (did you mean rfc9568?)',
    ),
    "announce rate": (
        config("[instance.VI_1.announce]\nrate = 0"),
        "6: instance.VI_1.announce.rate = 0: must be 1 to 100000",
    ),
    "announce verify": (
        config("[instance.VI_1.announce]\nverify = 'router'"),
        '6: instance.VI_1.announce.verify = "router": must be "gateway", "off", or the address of a host',
    ),
    "announce verify itself": (
        config("[instance.VI_1.announce]\nverify = '192.0.2.250'"),
        '6: instance.VI_1.announce.verify = "192.0.2.250": must be another host, not a virtual address of its own',
    ),
    "flap_hold above its maximum": (
        config("flap_hold = '1m'\nflap_hold_max = '30s'"),
        '6: instance.VI_1.flap_hold_max = "30s": must not be less than flap_hold, which is "1m"',
    ),
    "announce repeat": (
        config("[instance.VI_1.announce]\nrepeat = ['0s', 1]"),
        '6: instance.VI_1.announce.repeat[1] = 1: a duration needs a unit: "1s" or "1ms"',
    ),
    "control socket": (
        config('[control]\nsocket = "hafw.sock"'),
        '6: control.socket = "hafw.sock": must be an absolute path of at most 107 characters',
    ),
}

ADDRESSES = {
    "no address": (
        config(virtual_addresses='["192.0.2.300"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "192.0.2.300":'
            " must be an IPv4 or IPv6 address such as 192.0.2.1, 192.0.2.1/24 or 2001:db8::1"
        ),
    ),
    "no addresses": (
        config(virtual_addresses="[]"),
        "4: instance.VI_1.virtual_addresses = []: must have at least one address",
    ),
    "length": (
        config(virtual_addresses='["192.0.2.1/33"]'),
        '4: instance.VI_1.virtual_addresses[0] = "192.0.2.1/33": the length must be 0 to 32',
    ),
    "keepalived's words": (
        config(virtual_addresses='["192.0.2.1 dev eth0"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "192.0.2.1 dev eth0":'
            ' must be one address; more goes into a table: { address = "192.0.2.1", interface = "eth0" }'
        ),
    ),
    "zone": (
        config(virtual_addresses='["fe80::1%eth0"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "fe80::1%eth0":'
            ' must be without a zone: { address = "fe80::1", interface = "eth0" }'
        ),
    ),
    "multicast": (
        config(virtual_addresses='["224.0.0.18"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "224.0.0.18":'
            " is a multicast address: must be one that a machine can have"
        ),
    ),
    "network": (
        config(virtual_addresses='["192.0.2.0/24"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "192.0.2.0/24":'
            " is the network itself, not an address in it: 192.0.2.1/24 is one"
        ),
    ),
    "twice": (
        config(virtual_addresses='["192.0.2.1", "192.0.2.1/24"]'),
        '4: instance.VI_1.virtual_addresses[1] = "192.0.2.1": stands in virtual_addresses[0] already: remove one',
    ),
    "excluded too": (
        config('excluded_addresses = ["192.0.2.250"]'),
        '5: instance.VI_1.excluded_addresses[0] = "192.0.2.250": stands in virtual_addresses[0] already: remove one',
    ),
    "IPv6 in version 2": (
        config("version = 2", virtual_addresses=V6),
        "5: instance.VI_1.version = 2: has no IPv6, and the first virtual address is IPv6: set version = 3",
    ),
    "no link-local": (
        config(virtual_addresses='["2001:db8::1"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "2001:db8::1": the first IPv6 address must be link-local'
            ' (RFC 9568 section 5.2.9): add "fe80::33" before it'
        ),
    ),
    "link-local is second": (
        config(virtual_addresses='["2001:db8::1", "fe80::1"]'),
        (
            '4: instance.VI_1.virtual_addresses[0] = "2001:db8::1": the first IPv6 address must be link-local'
            ' (RFC 9568 section 5.2.9): put "fe80::1" first'
        ),
    ),
    "too many": (
        config(virtual_addresses=str([f"10.0.{n // 250}.{n % 250 + 1}" for n in range(256)])),
        "4: instance.VI_1.virtual_addresses: has 256: an advert carries 255: move the others to excluded_addresses",
    ),
    "label of another interface": (
        config(virtual_addresses='[{ address = "192.0.2.1", label = "vip" }]'),
        (
            '4: instance.VI_1.virtual_addresses[0].label = "vip":'
            " must be at most 15 characters and begin with the interface: eth0:name"
        ),
    ),
    "label too long": (
        config(virtual_addresses='[{ address = "192.0.2.1", label = "eth0:0123456789abc" }]'),
        (
            '4: instance.VI_1.virtual_addresses[0].label = "eth0:0123456789abc":'
            " must be at most 15 characters and begin with the interface: eth0:name"
        ),
    ),
    "label of IPv6": (
        config(virtual_addresses='[{ address = "fe80::1", label = "eth0:1" }]'),
        '4: instance.VI_1.virtual_addresses[0].label = "eth0:1": IPv6 addresses have none: leave it out',
    ),
    "scope": (
        config(virtual_addresses='[{ address = "192.0.2.1", scope = "universe" }]'),
        '4: instance.VI_1.virtual_addresses[0].scope = "universe": must be "global", "link" or "host"',
    ),
    "interface of an address": (
        config(virtual_addresses='[{ address = "192.0.2.1", interface = "a b" }]'),
        (
            '4: instance.VI_1.virtual_addresses[0].interface = "a b":'
            " must be an interface name such as eth0, without blank, slash or colon"
        ),
    ),
    "one VRID twice": (
        config(VI_2),
        "7: instance.VI_2.vrid = 51: instance VI_1 has it on eth0 for IPv4 already: choose another",
    ),
    "one address in two instances": (
        config(VI_2.replace("51\n", "52\n").replace("251", "250")),
        (
            '8: instance.VI_2.virtual_addresses[0] = "192.0.2.250":'
            " instance VI_1 has it on eth0 already: an address has one owner"
        ),
    ),
}

PEERS_AND_AUTHENTICATION = {
    "password too long": (
        config('version = 2\nauth = { type = "pass", password = "123456789" }'),
        (
            "6: instance.VI_1.auth.password: has 9 octets: must be 1 to 8;"
            " keepalived cuts it without a word, so give its first 8 to match one"
        ),
    ),
    "password empty": (
        config('version = 2\nauth = { type = "pass", password = "" }'),
        "6: instance.VI_1.auth.password: is empty: must be 1 to 8 octets, or leave auth out",
    ),
    "password in version 3": (
        config('auth = { type = "pass", password = "1111" }'),
        (
            "5: instance.VI_1.auth: VRRPv3 has no authentication by password (RFC 9568 section 8): leave it out,"
            ' set version = 2, or sign the adverts with type = "hmac"'
        ),
    ),
    "password is never shown": (
        config('version = 2\nauth = "geheim"'),
        "6: instance.VI_1.auth: is a string: must be a table",
    ),
    "password as number is never shown": (
        config('version = 2\nauth = { type = "pass", password = 12345 }'),
        "6: instance.VI_1.auth.password: must be a string: the secret, or file:/path, env:NAME or credential:NAME",
    ),
    "type of authentication": (
        config('version = 2\nauth = { type = "PASS", password = "1111" }'),
        '6: instance.VI_1.auth.type = "PASS": must be "pass" or "hmac" (did you mean pass?)',
    ),
    "password file with a relative path": (
        config('version = 2\nauth = { type = "pass", password = "file:vrrp.pass" }'),
        "6: instance.VI_1.auth.password: vrrp.pass must be an absolute path: file:/etc/hafw/vrrp.pass",
    ),
    "password file missing": (
        config('version = 2\nauth = { type = "pass", password = "file:/nonexistent/vrrp.pass" }'),
        "6: instance.VI_1.auth.password: /nonexistent/vrrp.pass cannot be read: no such file or directory",
    ),
    "password not in the environment": (
        config('version = 2\nauth = { type = "pass", password = "env:HAFW_NO_SUCH_NAME" }'),
        "6: instance.VI_1.auth.password: the environment has no HAFW_NO_SUCH_NAME: set it where hafw is started",
    ),
    "peer of the other family": (
        config('unicast_peers = ["2001:db8::2"]'),
        '5: instance.VI_1.unicast_peers[0] = "2001:db8::2": must be IPv4, as the first virtual address',
    ),
    "peer twice": (
        config('unicast_peers = ["192.0.2.2", "192.0.2.2"]'),
        '5: instance.VI_1.unicast_peers[1] = "192.0.2.2": stands in unicast_peers[0] already: remove one',
    ),
    "itself as peer": (
        config('unicast_peers = ["192.0.2.2"]\nsource_address = "192.0.2.2"'),
        (
            '5: instance.VI_1.unicast_peers[0] = "192.0.2.2": is this router\'s own source_address:'
            " name the others only, by node if need be"
        ),
    ),
    "virtual address as peer": (
        config('unicast_peers = ["192.0.2.250"]'),
        (
            '5: instance.VI_1.unicast_peers[0] = "192.0.2.250": is a virtual address:'
            " name the address that a router always has"
        ),
    ),
    "no peers": (
        config("unicast_peers = []"),
        "5: instance.VI_1.unicast_peers = []: must name the other routers; for multicast leave it out",
    ),
    "peer is no address": (
        config('unicast_peers = ["lb2"]'),
        (
            '5: instance.VI_1.unicast_peers[0] = "lb2":'
            " must be an IPv4 or IPv6 address such as 192.0.2.1, 192.0.2.1/24 or 2001:db8::1"
        ),
    ),
    "unicast and multicast": (
        config('unicast_peers = ["192.0.2.2"]\nmulticast_group = "224.0.0.18"'),
        "6: instance.VI_1.multicast_group: has no meaning beside unicast_peers: leave one of them out",
    ),
    "no multicast group": (
        config('multicast_group = "192.0.2.18"'),
        '5: instance.VI_1.multicast_group = "192.0.2.18": must be a multicast address (left out: 224.0.0.18)',
    ),
    "multicast group of the other family": (
        config('multicast_group = "ff02::12"'),
        '5: instance.VI_1.multicast_group = "ff02::12": must be IPv4, as the first virtual address',
    ),
    "source of the other family": (
        config('source_address = "2001:db8::2"'),
        '5: instance.VI_1.source_address = "2001:db8::2": must be IPv4, as the first virtual address',
    ),
    "source with a length": (
        config('source_address = "192.0.2.2/24"'),
        '5: instance.VI_1.source_address = "192.0.2.2/24": must be an address without a length',
    ),
    "virtual address as source": (
        config('source_address = "192.0.2.250"'),
        '5: instance.VI_1.source_address = "192.0.2.250": is a virtual address: name one that this router always has',
    ),
    "IPv6 source not link-local": (
        config('source_address = "2001:db8::2"', virtual_addresses=V6),
        (
            '5: instance.VI_1.source_address = "2001:db8::2":'
            " must be link-local for multicast (RFC 9568 section 5.1.2): leave it out"
        ),
    ),
}

HMAC = 'auth = { type = "hmac", keys = { 1 = "env:HAFW_KEY" } }'

GOODBYE = {
    "goodbye that nobody signs": (
        config('goodbye = { lb2 = "10.0.0.2" }'),
        (
            "5: instance.VI_1.goodbye: needs signed adverts, or anybody could end a MASTER from afar:"
            ' auth = { type = "hmac", ... }, or leave it out'
        ),
    ),
    "goodbye that is no address": (
        config(f'{HMAC}\ngoodbye = {{ lb2 = "lb2.example.com" }}'),
        (
            '6: instance.VI_1.goodbye.lb2 = "lb2.example.com": must be an IPv4 or IPv6 address such as'
            " 192.0.2.1, 192.0.2.1/24 or 2001:db8::1"
        ),
    ),
    "goodbye to a virtual address": (
        config(f'{HMAC}\ngoodbye = {{ lb2 = "192.0.2.250" }}'),
        '6: instance.VI_1.goodbye.lb2 = "192.0.2.250": is a virtual address: name the address that a router always has',
    ),
    "goodbye by the same network": (
        config(f'{HMAC}\nunicast_peers = ["192.0.2.2"]\ngoodbye = {{ lb2 = "192.0.2.2" }}'),
        (
            '7: instance.VI_1.goodbye.lb2 = "192.0.2.2": is one of unicast_peers, by the network'
            " whose loss is to be told: name another one"
        ),
    ),
    "goodbye by no interface": (
        config(f'{HMAC}\ngoodbye = {{ lb2 = "fe80::2" }}'),
        (
            '6: instance.VI_1.goodbye.lb2 = "fe80::2": is link-local, which does not say by which interface:'
            " name another one"
        ),
    ),
    "goodbye to nobody": (
        config(f"{HMAC}\ngoodbye = {{}}"),
        '6: instance.VI_1.goodbye = {}: must name the other routers: { lb2 = "10.0.0.2" }, or leave it out',
    ),
    "goodbye before anything is signed": (
        config(f'{HMAC[:-2]}, mode = "receive-only" }}\ngoodbye = {{ lb2 = "10.0.0.2" }}'),
        '6: instance.VI_1.goodbye: needs mode = "permissive" or "enforce": with "receive-only" nothing is signed',
    ),
}

CHECKS_AND_PLUGINS = {
    "neither critical nor weight": (
        config(CHECK),
        "5: instance.VI_1.check.nginx: critical = true or weight = N is required: what shall its failure do?",
    ),
    "critical and weight": (
        config(f"{CHECK}critical = true\nweight = -60"),
        "7: instance.VI_1.check.nginx.weight = -60: has no meaning with critical = true: leave one out",
    ),
    "weight too large": (
        config(f"{CHECK}weight = 254"),
        "6: instance.VI_1.check.nginx.weight = 254: must be -253 to 253",
    ),
    "weight zero": (
        config(f"{CHECK}weight = 0"),
        "6: instance.VI_1.check.nginx.weight = 0: must be -253 to 253 and not 0, which changes nothing",
    ),
    "rise": (
        config(f"{CHECK}critical = true\nrise = 0"),
        "7: instance.VI_1.check.nginx.rise = 0: must be 1 to 1000",
    ),
    "check of no plugin": (
        config("[instance.VI_1.check.ngnix]\ncritical = true"),
        '5: instance.VI_1.check.ngnix: plugin "ngnix" is neither configured nor installed (did you mean nginx?)',
    ),
    "check with a plugin that is off": (
        config(f"{CHECK}critical = true\n[plugin.nginx]\nenabled = false"),
        "5: instance.VI_1.check.nginx: needs plugin nginx, which has enabled = false",
    ),
    "another of a plugin that is not installed": (
        config('[plugin.web]\nplugin = "nginxx"'),
        '6: plugin.web.plugin = "nginxx": is not installed (did you mean nginx?)',
    ),
    "delivery of another kind": (
        config('[plugin.nginx]\ndelivery = "last"\nreplay = "yes"'),
        [
            '6: plugin.nginx.delivery = "last": must be "every" or "latest" (did you mean latest?)',
            '7: plugin.nginx.replay = "yes": must be true or false',
        ],
    ),
    "another of a plugin in a file": (
        config('[plugin.web]\nplugin = "nginx"\nfile = "/etc/hafw/web.py"'),
        [
            '6: plugin.web.plugin = "nginx": file names the plugin already: leave one out',
            "7: plugin.web.file: /etc/hafw/web.py does not exist: correct the path, or put it there",
        ],
    ),
    "plugin not installed": (
        config("[plugin.varnish]"),
        "5: plugin.varnish: is not installed: pip install the package that offers it",
    ),
    "misspelt plugin": (
        config("[plugin.notify_scrip]"),
        "5: plugin.notify_scrip: is not installed (did you mean notify_script?)",
    ),
    "plugin file missing": (
        config('[plugin.mine]\nfile = "mine.py"'),
        "6: plugin.mine.file: DIR/mine.py does not exist: correct the path, or put it there",
    ),
    "plugin file is a folder": (config('[plugin.mine]\nfile = "/usr"'), "6: plugin.mine.file: /usr is a folder"),
    "limits are no table": (
        config("[plugin.nginx]\nlimits = 3"),
        "6: plugin.nginx.limits: is a whole number: must be a table",
    ),
    "unknown limit": (
        config("[plugin.nginx.limits]\nmemmory = '64MiB'"),
        "6: plugin.nginx.limits.memmory: unknown key (did you mean memory?)",
    ),
    "memory without a unit": (
        config("[plugin.nginx.limits]\nmemory = 64"),
        '6: plugin.nginx.limits.memory = 64: a size needs a unit: "64MiB"',
    ),
    "memory in no size": (
        config('[plugin.nginx.limits]\nmemory = "64MB"'),
        '6: plugin.nginx.limits.memory = "64MB": must be a size such as "64KiB", "512MiB" or "2GiB"',
    ),
    "memory that Python alone needs": (
        config('[plugin.nginx.limits]\nmemory = "16MiB"'),
        '6: plugin.nginx.limits.memory = "16MiB": must be "32MiB" to "1024GiB": Python alone takes 20MiB',
    ),
    "limits that are none": (
        config("[plugin.nginx.limits]\nfiles = 3\nprocesses = 0\ncpu_weight = 200\nnetwork = 'no'"),
        (
            "6: plugin.nginx.limits.files = 3: must be 32 to 1048576",
            "7: plugin.nginx.limits.processes = 0: must be 1 to 32768",
            "8: plugin.nginx.limits.cpu_weight = 200: must be 1 to 100",
            '9: plugin.nginx.limits.network = "no": must be true or false',
        ),
    ),
    "user is no name": (config("[plugin.nginx]\nuser = 33"), "6: plugin.nginx.user = 33: must be a string"),
}

VIRTUAL_MAC = {
    "accept": (
        config("accept = false"),
        (
            "5: instance.VI_1.accept = false: hafw always answers on its addresses, for a service on one that drops"
            " every packet is none: leave it out, and let the firewall drop what must not come in"
        ),
    ),
    "virtual MAC of an owner": (
        config("virtual_mac = true\nowner = true"),
        (
            "5: instance.VI_1.virtual_mac = true: an owner's addresses are on its interface, which answers with its own"
            " MAC: leave one of virtual_mac and owner out"
        ),
    ),
    "virtual MAC on another interface": (
        config(
            "virtual_mac = true",
            virtual_addresses='[{ address = "192.0.2.250", interface = "eth0", label = "eth0:v" }]',
        ),
        [
            (
                '4: instance.VI_1.virtual_addresses[0].interface = "eth0": with virtual_mac every address is on the'
                " device that has that MAC: leave it out"
            ),
            (
                '4: instance.VI_1.virtual_addresses[0].label = "eth0:v": with virtual_mac every address is on the'
                " device that has that MAC: leave it out"
            ),
        ],
    ),
    "virtual MAC with an advert for two frames": (
        config(
            "virtual_mac = true",
            virtual_addresses=str([f"fe80::{number:x}" for number in range(1, 92)]).replace("'", '"'),
        ),
        (
            "4: instance.VI_1.virtual_addresses: has 91: with virtual_mac an advert is one frame, and 90 addresses fit:"
            " move the others to excluded_addresses"
        ),
    ),
    "virtual MACs whose devices have one name": (
        config("virtual_mac = true", interface='"eth294"') + VI_2.replace("eth0", "eth301") + "\nvirtual_mac = true\n",
        "8: instance.VI_2.vrid = 51: its device hafw4-51-940f is that of instance VI_1, by chance: choose another VRID",
    ),
}

SIGNED = {
    "hmac with the key's name misspelt": (
        config('auth = { type = "hmac", key = "file:/etc/hafw/key" }'),
        "5: instance.VI_1.auth.key: unknown key (did you mean keys?)",
    ),
    "hmac without a key": (
        config('auth = { type = "hmac" }'),
        (
            '5: instance.VI_1.auth.keys: is missing: keys = { 1 = "file:/etc/hafw/vrrp.key" }'
            ' is required with type = "hmac"'
        ),
    ),
    "hmac with a key for everybody to read": (
        config('auth = { type = "hmac", keys = { 1 = "0123456789012345678901234567890123456789" } }'),
        (
            "5: instance.VI_1.auth.keys.1: stands in the configuration itself, which more people read:"
            ' 1 = "file:/etc/hafw/vrrp.key", env:NAME or credential:NAME'
        ),
    ),
    "hmac with an id that does not fit": (
        config('auth = { type = "hmac", keys = { 256 = "env:PATH" } }'),
        "5: instance.VI_1.auth.keys.256: a key's id must be 1 to 255",
    ),
    "hmac with a short key": (
        config('auth = { type = "hmac", keys = { 1 = "env:HAFW_SHORT_KEY" } }'),
        "5: instance.VI_1.auth.keys.1: has 5 octets: must be 32 to 64 (openssl rand -hex 32 makes 64)",
    ),
    "hmac with digits that are none": (
        config('auth = { type = "hmac", keys = { 1 = "env:HAFW_BAD_KEY" } }'),
        "5: instance.VI_1.auth.keys.1: must have hexadecimal digits only after hex:, two for each octet",
    ),
    "hmac with two keys and none that signs": (
        config('auth = { type = "hmac", keys = { 1 = "env:HAFW_KEY", 2 = "env:HAFW_KEY" } }'),
        "5: instance.VI_1.auth.active: is missing: which of the keys 1, 2 signs?",
    ),
    "hmac with a key that is not there": (
        config('auth = { type = "hmac", keys = { 1 = "env:HAFW_KEY" }, active = 2 }'),
        "5: instance.VI_1.auth.active = 2: must be one of the keys: 1",
    ),
    "hmac with a password": (
        config('auth = { type = "hmac", keys = { 1 = "env:HAFW_KEY" }, password = "1111" }'),
        (
            '5: instance.VI_1.auth.password: belongs to type = "pass":'
            ' with type = "hmac" give keys = { 1 = "file:/path" }'
        ),
    ),
    "password with keys": (
        config('version = 2\nauth = { type = "pass", password = "1111", keys = { 1 = "env:HAFW_KEY" } }'),
        '6: instance.VI_1.auth.keys: belongs to type = "hmac": leave it out',
    ),
    "password missing": (
        config('version = 2\nauth = { type = "pass" }'),
        '6: instance.VI_1.auth.password: is missing: a string is required with type = "pass"',
    ),
    "hmac with a window too long": (
        config('auth = { type = "hmac", keys = { 1 = "env:HAFW_KEY" }, window = "10m" }'),
        '5: instance.VI_1.auth.window = "10m": must be 1s to 5m',
    ),
}

RANKED = {
    "one priority for all": (
        config('priority = 150\nskew = "ranked"'),
        (
            '6: instance.VI_1.skew = "ranked": needs the priority of every router:'
            " priority = { lb1 = 150, lb2 = 100 }; or leave skew out"
        ),
    ),
    "one router": (
        config('priority = { lb1 = 150 }\nskew = "ranked"'),
        (
            '6: instance.VI_1.skew = "ranked": needs the priority of every router:'
            " priority = { lb1 = 150, lb2 = 100 }; or leave skew out"
        ),
    ),
    "two in one place": (
        config('preempt = false\npriority = { lb1 = 150, lb2 = 100, lb3 = 100 }\nskew = "ranked"'),
        (
            '7: instance.VI_1.skew = "ranked": needs a priority for each router alone:'
            " lb2 and lb3 have 100; or leave skew out"
        ),
    ),
    "a priority that cannot be read is one mistake": (
        config('priority = { lb1 = 150, lb2 = "x" }\nskew = "ranked"'),
        '5: instance.VI_1.priority.lb2 = "x": must be a whole number',
    ),
    "unknown skew": (
        config('skew = "rank"'),
        '5: instance.VI_1.skew = "rank": must be "ranked" or "rfc" (did you mean ranked?)',
    ),
}

PROCESS = {
    "unknown process key": (config("[process]\ncpu = [1]"), "6: process.cpu: unknown key (did you mean cpus?)"),
    "realtime too high": (
        config("[process]\nrealtime = 100"),
        "6: process.realtime = 100: must be 1 to 99, true (which is 50) or false",
    ),
    "realtime is a word": (
        config('[process]\nrealtime = "rr"'),
        '6: process.realtime = "rr": must be true or false or a whole number',
    ),
    "no processor": (
        config("[process]\ncpus = []"),
        "6: process.cpus = []: must name at least one processor; for all of them leave it out",
    ),
    "negative processor": (config("[process]\ncpus = [0, -1]"), "6: process.cpus[1] = -1: must be 0 to 8191"),
    "one processor is a list too": (config("[process]\ncpus = 1"), "6: process.cpus = 1: must be a list: [1]"),
    "lock_memory": (config("[process]\nlock_memory = 1"), "6: process.lock_memory = 1: must be true or false"),
}

JOURNAL = {
    "relative path": (
        config('[journal]\npath = "journal.jsonl"'),
        '6: journal.path = "journal.jsonl": must be the absolute path of a file',
    ),
    "a folder": (
        config('[journal]\npath = "/var/log/"'),
        '6: journal.path = "/var/log/": must be the absolute path of a file',
    ),
    "too small to be of use": (
        config("[journal]\nmax_size = 1000"),
        "6: journal.max_size = 1000: must be 100000 to 1000000000",
    ),
}

NODES = {
    "value of another node": (
        config("priority = { lb1 = 150, lb2 = 300 }"),
        "5: instance.VI_1.priority.lb2 = 300: must be 1 to 254 (255 is set by owner = true)",
    ),
    "type of another node": (
        config('priority = { lb1 = 150, lb2 = "100" }'),
        '5: instance.VI_1.priority.lb2 = "100": must be a whole number',
    ),
    "this node is missing": (
        config('priority = { lb1 = 150, lb2 = 100 }\nsource_address = { lb2 = "192.0.2.2" }'),
        "6: instance.VI_1.source_address: has no value for node lb1, only for lb2: add lb1 = ...",
    ),
    "another node is missing": (
        config('priority = { lb1 = 150, lb2 = 100 }\nsource_address = { lb1 = "192.0.2.2" }'),
        "6: warning: instance.VI_1.source_address: has no value for lb2, which other tables name",
    ),
    "unknown node": (
        config("priority = { lb2 = 150, lb3 = 100 }"),
        ' node.name = "lb1": is no node of this file, which names lb2 and lb3: --node lb2, or [node] name',
    ),
    "table that is no table by node": (
        config("priority = {}"),
        "5: instance.VI_1.priority: is a table: must be a whole number",
    ),
}

WARNINGS = {
    "level priorities": (
        config("priority = { lb1 = 100, lb2 = 100 }"),
        (
            "5: warning: instance.VI_1.priority = 100: is the same on lb1 and lb2:"
            " the highest address wins: give each its own"
        ),
    ),
    "two level priorities of three": (
        config("priority = { lb1 = 150, lb2 = 100, lb3 = 100 }"),
        (
            "5: warning: instance.VI_1.priority = 100: is the same on lb2 and lb3:"
            " the highest address wins: give each its own"
        ),
    ),
    "advert beyond the MTU": (
        config(virtual_addresses=str(["fe80::1", *(f"2001:db8::{n:x}" for n in range(1, 91))])),
        (
            "4: warning: instance.VI_1.virtual_addresses: has 91: more than 90 exceed an MTU of 1500:"
            " move some to excluded_addresses"
        ),
    ),
    "checksum without effect": (
        config('version = 2\nchecksum = "rfc9568"'),
        (
            '6: warning: instance.VI_1.checksum = "rfc9568": has no effect: only version 3 over IPv4 knows two forms:'
            " leave it out"
        ),
    ),
    "delay without preemption": (
        config('preempt = false\npreempt_delay = "5s"'),
        '6: warning: instance.VI_1.preempt_delay = "5s": has no effect with preempt = false: leave it out',
    ),
    "timeout beyond the interval": (
        config(f'{CHECK}critical = true\ntimeout = "2s"'),
        (
            '7: warning: instance.VI_1.check.nginx.timeout = "2s": is longer than the interval of 1s:'
            " a hanging check delays the next one"
        ),
    ),
    "weight of an owner": (
        config(f"owner = true\n{CHECK}weight = -60"),
        "7: warning: instance.VI_1.check.nginx.weight = -60: has no effect: 255 never changes",
    ),
}

KEEPALIVED = {
    word: (
        config(f"{word} = {value}", **changed),
        f"{5 - len(changed)}: instance.VI_1.{word}: is keepalived's word: {way_out}",
    )
    for word, value, changed, way_out in (
        ("state", '"MASTER"', {}, "hafw elects by priority alone: leave it out"),
        ("virtual_router_id", "51", {"vrid": ""}, "here it is vrid"),
        (
            "virtual_ipaddress",
            '["192.0.2.250"]',
            {"virtual_addresses": ""},
            'here it is virtual_addresses = ["192.0.2.1"]',
        ),
        ("advert_int", "1", {}, 'here it is advertisement_interval = "1s"'),
        ("nopreempt", "true", {}, "here it is preempt = false"),
        ("track_script", '["nginx"]', {}, "a check is a table of its own: [instance.NAME.check.nginx]"),
        ("notify_master", '"/etc/x.sh"', {}, "scripts are named in [plugin.notify_script]"),
        (
            "authentication",
            '{ auth_type = "PASS", auth_pass = "geheim" }',
            {},
            'here it is auth = { type = "pass", password = "file:/etc/hafw/vrrp.pass" }',
        ),
    )
} | {
    "router_id": (
        config('router_id = "lb1"'),
        "5: instance.VI_1.router_id: is keepalived's word: a router's name is [node] name",
    ),
    "vrrp_instance": (
        config().replace("[instance.", "[vrrp_instance."),
        "1: vrrp_instance: is keepalived's word: here it is [instance.NAME]",
    ),
    "keepalived.conf": (
        "! Configuration File\n\nglobal_defs {\n  router_id lb1\n}\nvrrp_instance VI_1 {\n  state MASTER\n}\n",
        "3: this looks like a keepalived.conf: hafw reads TOML; see examples/classic/config.toml",
    ),
    "keepalived.conf without a word before": (
        "vrrp_instance VI_1\n{\n  priority 100\n}\n",
        "1: this looks like a keepalived.conf: hafw reads TOML; see examples/classic/config.toml",
    ),
}

MISNAMED = {
    "instances": (config().replace("[instance.", "[instances."), "1: instances: unknown key (did you mean instance?)"),
    "plugins": (
        config('[plugins.mine]\nfile = "/x.py"\n[instance.VI_1.check.mine]\ncritical = true'),
        "5: plugins: unknown key (did you mean plugin?)",
    ),
    "nodes": (
        config('priority = { a = 150, b = 100 }\n[nodes]\nname = "a"'),
        "6: nodes: unknown key (did you mean node?)",
    ),
    "list of tables": (
        config().replace("[instance.VI_1]", "[[instance]]"),
        "1: instance: must be tables: [instance.NAME]",
    ),
}

SYNTAX = {
    "no TOML": ("[instance.VI_1]\nvrid 51\n", "2: not TOML: expected '=' after a key in a key/value pair"),
    "key twice": (
        config("vrid = 52\npriority = 100"),
        "5: not TOML: cannot overwrite a value: the same key or table stands in the file twice",
    ),
    "table twice": (
        config("[instance.VI_1]\npriority = 100"),
        "5: not TOML: cannot declare ('instance', 'VI_1') twice: the same key or table stands in the file twice",
    ),
    "string without quotes": (
        config(interface="eth0"),
        '2: not TOML: strings need quotes: interface = "eth0"',
    ),
    "path without quotes": (
        config("[plugin.notify_script]\nnotify = /etc/hafw/notify.sh  # mine"),
        '6: not TOML: strings need quotes: notify = "(hidden)"',
    ),
    "address without quotes": (
        config("source_address = 192.0.2.1"),
        '5: not TOML: strings need quotes: source_address = "192.0.2.1"',
    ),
    "duration without quotes": (
        config("preempt_delay = 10s"),
        '5: not TOML: strings need quotes: preempt_delay = "10s"',
    ),
    "list of strings without quotes": (
        config(virtual_addresses="[192.0.2.1]"),
        '4: not TOML: strings need quotes: "192.0.2.1"',
    ),
    "list over lines": (
        config(virtual_addresses='[\n  "192.0.2.1",\n  192.0.2.2,\n]'),
        '6: not TOML: strings need quotes: "192.0.2.2"',
    ),
    "inline table": (
        config('auth = { type = pass, password = "1111" }'),
        '5: not TOML: strings need quotes: type = "pass"',
    ),
    "curly quotes": (
        config(interface="\u201ceth0\u201d"),
        '2: not TOML: strings need straight quotes: interface = "eth0"',
    ),
    "True": (
        config("preempt = True"),
        "5: not TOML: true and false are lower case and the only two: preempt = true",
    ),
    "no": (config("preempt = no"), "5: not TOML: true and false are lower case and the only two: preempt = false"),
    "leading zero": (config(vrid="051"), "3: not TOML: a number has no leading zero: vrid = 51"),
    "no value": (config("priority ="), "5: not TOML: priority has no value"),
    "open string": (
        config(interface='"eth0'),
        "2: not TOML: a string ends on the line where it begins: its last quote is missing",
    ),
    "two values": (
        config(vrid='51 interface = "eth0"'),
        "3: not TOML: expected newline or end of document after a statement",
    ),
    "password without quotes is never shown": (
        config("auth = { password = geheim }"),
        '5: not TOML: strings need quotes: password = "(hidden)"',
    ),
    "nor what a plugin may call a secret": (
        config("[plugin.mine]\npin = geheim"),
        '6: not TOML: strings need quotes: pin = "(hidden)"',
    ),
    "nor as a number": (
        config("[plugin.mine]\npin = 0451"),
        '6: not TOML: a number has no leading zero: pin = "(hidden)"',
    ),
    "nor in a list of them": (
        f"plugin.mine.pins = [\n  geheim,\n]\n{config()}",
        '2: not TOML: strings need quotes: "(hidden)"',
    ),
    "behind a plugin's table values are shown again": (
        f"[plugin.mine]\nmemory = 1\n{config(interface='eth0')}",
        '4: not TOML: strings need quotes: interface = "eth0"',
    ),
    "carriage returns": (
        config(interface="eth0").replace("\n", "\r\n"),
        '2: not TOML: strings need quotes: interface = "eth0"',
    ),
    "no UTF-8": (b"# caf\xe9\n", "1: must be UTF-8 text"),
    "too deep": (config(f"x = {'[' * 3000}"), " is nested too deeply"),
    "endless number": (config(f"x = {'9' * 5000}"), " not TOML: a number of more than 4300 digits"),
}

CASES = [
    pytest.param(text, [expected] if isinstance(expected, str) else expected, id=name)
    for table in (
        *(KEYS, TYPES_AND_RANGES, ADDRESSES, PEERS_AND_AUTHENTICATION, GOODBYE, CHECKS_AND_PLUGINS, SIGNED),
        *(RANKED, PROCESS, JOURNAL, KEEPALIVED, VIRTUAL_MAC, MISNAMED, NODES, WARNINGS, SYNTAX),
    )
    for name, (text, expected) in table.items()
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_bad_configuration_is_refused_in_exactly_these_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, expected: list[str]
):
    for name, key in {"HAFW_KEY": "k" * 32, "HAFW_SHORT_KEY": "short", "HAFW_BAD_KEY": "hex:" + "x" * 64}.items():
        monkeypatch.setenv(name, key)
    assert complaints(tmp_path, text) == [f"config.toml:{line}" for line in expected]


def test_the_base_of_all_cases_is_good(tmp_path: Path):
    assert complaints(tmp_path, config()) == []


def test_every_mistake_is_reported_in_one_run_sorted_by_line(tmp_path: Path):
    text = """\
[node]
nam = "lb1"
[instance.VI_1]
interface = "eth0"
version = 2
vrid = 300
priority = { lb1 = 150, lb2 = 256 }
advertisement_interval = 1
virtual_adresses = ["192.0.2.250"]
virtual_addresses = ["192.0.2.1", "192.0.2.1", "192.0.2.x"]
auth = { type = "pass", password = "much too long" }
[instance.VI_1.check.nginx]
rise = 0
[instance.VI_2]
interface = "eth0"
vrid = 52
virtual_addresses = ["192.0.2.1"]
[plugin.relayd]
"""
    assert [line.split(": ")[0:2] for line in complaints(tmp_path, text)] == [
        ["config.toml:2", "node.nam"],
        ["config.toml:6", "instance.VI_1.vrid = 300"],
        ["config.toml:7", "instance.VI_1.priority.lb2 = 256"],
        ["config.toml:8", "instance.VI_1.advertisement_interval = 1"],
        ["config.toml:9", "instance.VI_1.virtual_adresses"],
        ["config.toml:10", 'instance.VI_1.virtual_addresses[2] = "192.0.2.x"'],
        ["config.toml:10", 'instance.VI_1.virtual_addresses[1] = "192.0.2.1"'],
        ["config.toml:11", "instance.VI_1.auth.password"],
        ["config.toml:12", "instance.VI_1.check.nginx"],
        ["config.toml:13", "instance.VI_1.check.nginx.rise = 0"],
        ["config.toml:14", "warning"],
        ["config.toml:17", 'instance.VI_2.virtual_addresses[0] = "192.0.2.1"'],
        ["config.toml:18", "plugin.relayd"],
    ]


def test_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == f"{tmp_path}/none.toml: cannot be read: no such file or directory"


def test_folder_is_no_configuration(tmp_path: Path):
    with pytest.raises(ConfigErrors, match="must be a regular file"):
        load(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660])
def test_c_sec_07_password_file_that_others_can_open_is_refused(tmp_path: Path, mode: int):
    secret = tmp_path / "vrrp.pass"
    secret.write_text("1111\n")
    secret.chmod(mode)
    (line,) = complaints(tmp_path, config(f'version = 2\nauth = {{ type = "pass", password = "file:{secret}" }}'))
    assert line.endswith(f"(mode {mode:04o}): chmod 600 DIR/vrrp.pass")


def test_plugin_file_that_others_can_write_is_refused(tmp_path: Path):
    tmp_path.chmod(0o755)
    plugin = tmp_path / "mine.py"
    plugin.write_text("")
    plugin.chmod(0o666)
    (line,) = complaints(tmp_path, config('[plugin.mine]\nfile = "mine.py"\nuser = "nobody"'))
    assert (
        line
        == "config.toml:6: plugin.mine.file: DIR/mine.py is writable by everybody (mode 0666): chmod o-w DIR/mine.py"
    )


def test_file_of_another_machine_is_checked_without_looking_for_its_files(tmp_path: Path):
    text = config(
        'version = 2\nauth = { type = "pass", password = "file:/nonexistent/x" }\n'
        '[plugin.mine]\nfile = "/nonexistent.py"'
    )
    assert complaints(tmp_path, text, machine=False) == []
