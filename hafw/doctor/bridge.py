"""What a bridge of this machine does with adverts that pass through it.

A bridge floods 224.0.0.0/24 whatever it has snooped (RFC 4541 section 2.1.2), so with IPv4 and the usual group only the
flags of its ports count. ff02::12 and a group of one's own it forwards to members only, once somebody asks for them.
"""

from __future__ import annotations

from ipaddress import ip_network
from shlex import quote
from typing import TYPE_CHECKING, Final

from hafw.doctor.finding import Finding
from hafw.doctor.need import group_of, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import Config
    from hafw.doctor.facts import Bridge, Facts
    from hafw.vrrp.settings import IPAddress

_FLOODED: Final = ip_network("224.0.0.0/24")


def probe(config: Config, facts: Facts) -> Iterator[Finding]:
    """Of each bridge that carries adverts."""
    for place, instance, interface in places(config, facts):
        group = group_of(instance.router)
        if interface.bridge is not None and group is not None:
            yield from _ports(place, interface.name, interface.bridge, group)
            yield from _snooping(place, interface.name, interface.bridge, group)


def _ports(place: str, name: str, bridge: Bridge, group: IPAddress) -> Iterator[Finding]:
    closed = [port.name for port in bridge.ports if not port.floods_multicast]
    if closed and len(bridge.ports) > 1:
        yield Finding(
            id="bridge-port-floods-no-multicast",
            where=place,
            what=f"{' and '.join(closed)} of bridge {name} get no multicast from other ports (mcast_flood off)",
            why=f"adverts to {group} do not reach whoever is behind: two of them may be MASTER",
            fix=tuple(f"bridge link set dev {quote(port)} mcast_flood on" for port in closed),
            keep="systemd-networkd: [Bridge] MulticastFlood=yes in the .network file of the port",
        )


def _snooping(place: str, name: str, bridge: Bridge, group: IPAddress) -> Iterator[Finding]:
    if bridge.snoops and not bridge.querier and group not in _FLOODED:
        yield Finding(
            id="bridge-snooping-without-querier",
            where=place,
            what=f"bridge {name} snoops (mcast_snooping 1), does not ask for members (mcast_querier 0), and {group} is"
            " no group that is flooded",
            why="it learns members only while another machine asks; when that one goes, adverts may stop at a switch",
            fix=(f"ip link set dev {quote(name)} type bridge mcast_querier 1",),
            keep=f"systemd-networkd: [Bridge] MulticastQuerier=yes in the .netdev file of {name}",
        )
