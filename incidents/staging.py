"""What befalls the routers, incident by incident, and what mends it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from hafw.lab import routers
from incidents.bed import ADDRESS, GATEWAY, LB1, LB2, STATUS, STRANGER, VIP, until
from parity.machine import TREE

if TYPE_CHECKING:
    from collections.abc import Callable

    from incidents.bed import Bed

_INSTANCE: Final = """\
[instance.VI_1]
interface = "eth0"
vrid = 51
version = {version}
priority = {{ lb1 = 150, lb2 = 100, stranger = 200 }}
advertisement_interval = "{interval}"
virtual_addresses = {addresses}
{more}"""
_NGINX: Final = """
[instance.VI_1.check.nginx]
critical = true
interval = "1s"
timeout = "800ms"
fall = 2
rise = 2

[plugin.nginx]
url = "http://127.0.0.1/healthz"
expect = "200-299"
pid_file = "/run/nginx.pid"
"""
_NOTIFY: Final = """
[plugin.notify_script]
notify = "/etc/hafw/notify.sh"
timeout = "1s"
user = "nobody"
"""
_HMAC: Final = 'auth = { type = "hmac", keys = { 1 = "file:/etc/hafw/vrrp.key" } }\n'
_SHIFTED: Final = """\
# The wall clock of this host is wrong, as far as its programs can see: they share one kernel with the others here.
import time

_right = time.time
time.time = lambda: _right() - 300.0
"""


def configuration(*, version: int = 3, interval: str = "200ms", addresses: str = f'["{VIP}"]', more: str = "") -> str:
    """The usual one, or one that is wrong somewhere."""
    return _INSTANCE.format(version=version, interval=interval, addresses=addresses, more=more)


def both(bed: Bed, first: str, second: str) -> None:
    """Start both; a pair that understands each other is waited for until it is at rest."""
    bed.start(LB1, first)
    bed.until(LB1, STATUS, "MASTER  ")
    bed.start(LB2, second)
    if first == second:
        bed.until(LB2, STATUS, rf"BACKUP .*{ADDRESS[LB1]} \(150\)")


def two_masters(bed: Bed) -> None:
    """Both have the address."""
    until(lambda: bed.masters() == {LB1, LB2}, "both have the address")


def healthy(bed: Bed) -> None:
    """A pair that is at rest."""
    both(bed, configuration(), configuration())


def nothing(_bed: Bed) -> None:
    """There is nothing to do."""


# -- what stands between the two -------------------------------------------------------------------------------


def drop_112(bed: Bed) -> None:
    """A policy of drop on lb2, and rules for everything but VRRP."""
    healthy(bed)
    for command in (
        "add table inet filter",
        "add chain inet filter input { type filter hook input priority 0; policy drop; }",
        "add rule inet filter input iifname lo accept",
        "add rule inet filter input ct state established,related accept",
        "add rule inet filter input meta l4proto icmp accept",
    ):
        bed.machine(LB2).must(f"nft '{command}'")
    two_masters(bed)


def accept_112(bed: Bed) -> None:
    """As hafw doctor says it."""
    bed.machine(LB2).must("nft 'insert rule inet filter input iifname \"eth0\" meta l4proto 112 accept'")


def lose_one_way(bed: Bed) -> None:
    """What lb1 sends does not reach lb2; what lb2 sends reaches lb1."""
    healthy(bed)
    bed.lab.lose(LB1, LB2)
    two_masters(bed)


def lose_no_more(bed: Bed) -> None:
    """Mended."""
    bed.lab.lose_no_more()


# -- what is configured differently ----------------------------------------------------------------------------


def differently(first: str, second: str, *, masters: bool = True) -> Callable[[Bed], None]:
    """Two files that should be one; ``masters``: because of it both serve."""

    def stage(bed: Bed) -> None:
        both(bed, first, second)
        if masters:
            two_masters(bed)

    return stage


def alike(text: str) -> Callable[[Bed], None]:
    """lb2 gets the file of lb1."""
    return lambda bed: bed.reload(LB2, text)


PASSWORD: Final = configuration(version=2, interval="1s", more='auth = { type = "pass", password = "1111" }\n')
SLOWER: Final = configuration(version=2, interval="2s", more='auth = { type = "pass", password = "1111" }\n')
OTHER_LIST: Final = configuration(addresses=f'["{VIP}", "10.77.0.251"]')


def other_clock(bed: Bed) -> None:
    """lb2 is five minutes behind, and adverts are signed with the time."""
    for host in (LB1, LB2):
        key = bed.machine(host).etc / "hafw/vrrp.key"
        key.write_text("0123456789abcdef0123456789abcdef\n")
        key.chmod(0o600)
    folder = bed.machine(LB2).run_directory / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SHIFTED)
    bed.set_path(LB2, f"/run/clock:{TREE}")
    bed.start(LB1, configuration(more=_HMAC))
    bed.until(LB1, STATUS, "MASTER  ")
    bed.start(LB2, configuration(more=_HMAC))
    two_masters(bed)


def set_clock(bed: Bed) -> None:
    """The daemon is started anew: the clock of its process is what was shifted."""
    bed.stop(LB2)
    bed.set_path(LB2, TREE)
    bed.start(LB2, configuration(more=_HMAC))


# -- what others do ----------------------------------------------------------------------------------------------


def remove_address(bed: Bed) -> None:
    """Somebody deletes the address of the MASTER, again and again."""
    healthy(bed)
    script = f"for n in 1 2 3 4; do ip address del {VIP}/32 dev eth0 2>/dev/null; sleep 0.7; done"
    bed.machine(LB1).must(script)


def ignore_claims(bed: Bed) -> None:
    """The gateway has a static neighbour entry for the address, made for the router that was MASTER then."""
    healthy(bed)
    for host in (LB1, LB2):  # one that forwards would send on what comes to it by mistake
        bed.machine(host).must(
            "nft 'add table ip lab; add chain ip lab f { type filter hook forward priority 0; policy drop; }'"
        )
    mac = "02:00:00:00:00:01"
    bed.lab.run(GATEWAY, ["ip", "neighbour", "replace", VIP, "lladdr", mac, "dev", "eth0", "nud", "permanent"])
    bed.machine(LB1).must("hafw handover --wait")
    bed.until(LB2, STATUS, "MASTER  ")


def heed_claims(bed: Bed) -> None:
    """The entry is gone, and the address comes back to lb1."""
    bed.lab.run(GATEWAY, ["ip", "neighbour", "del", VIP, "dev", "eth0"])
    bed.machine(LB2).must("hafw handover --wait")
    bed.until(LB1, STATUS, "MASTER  ")


def come_as_a_stranger(bed: Bed) -> None:
    """Another cluster on the segment took the same VRID."""
    healthy(bed)
    bed.start(STRANGER, configuration(addresses='["10.77.0.99"]'))


def leave(bed: Bed) -> None:
    """It took another one."""
    bed.stop(STRANGER)


# -- what runs beside --------------------------------------------------------------------------------------------


def hang_nginx(bed: Bed) -> None:
    """Nginx on lb1 is stopped: its socket still accepts."""
    for host in (LB1, LB2):
        machine = bed.machine(host)
        text = routers.NGINX_CONFIGURATION.format(host=host, directory="/run/nginx", pid_file="/run/nginx.pid")
        (machine.run_directory / "nginx").mkdir()
        (machine.etc / "nginx.conf").write_text(text)
        with machine.log("nginx").open("ab") as log:
            machine.popen(["nginx", "-c", "/etc/nginx.conf", "-e", "stderr"], stdout=log, stderr=log)
    both(bed, configuration(more=_NGINX), configuration(more=_NGINX))
    bed.until(LB1, STATUS, "nginx ok")
    bed.until(LB2, STATUS, "nginx ok")
    os.kill(_nginx(bed), signal.SIGSTOP)


def wake_nginx(bed: Bed) -> None:
    """It answers again."""
    os.kill(_nginx(bed), signal.SIGCONT)


def _nginx(bed: Bed) -> int:
    return int((bed.machine(LB1).run_directory / "nginx.pid").read_text())


def hang_script(bed: Bed) -> None:
    """It waits for something that does not come."""
    for host in (LB1, LB2):
        bed.machine(host).script("/etc/hafw/notify.sh", "#!/bin/sh\n# mount a share first\nsleep 600\n")
    both(bed, configuration(more=_NOTIFY), configuration(more=_NOTIFY))


def hasten_script(bed: Bed) -> None:
    """It ends at once."""
    bed.machine(LB1).script("/etc/hafw/notify.sh", "#!/bin/sh\nexit 0\n")
    bed.machine(LB1).must("hafw handover --wait")
