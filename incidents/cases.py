"""Twelve incidents: what an operator sees and asks, and what has to be in the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from incidents.bed import ADDRESS, GATEWAY, LB1, LB2, STATUS, STRANGER, VIP
from incidents.staging import (
    OTHER_LIST,
    PASSWORD,
    SLOWER,
    accept_112,
    alike,
    come_as_a_stranger,
    configuration,
    differently,
    drop_112,
    hang_nginx,
    hang_script,
    hasten_script,
    heed_claims,
    ignore_claims,
    leave,
    lose_no_more,
    lose_one_way,
    nothing,
    other_clock,
    remove_address,
    set_clock,
    wake_nginx,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from incidents.bed import Bed

EVENTS: Final = "hafw events --no-follow -n 12"
DOCTOR: Final = "hafw doctor /etc/hafw/config.toml"
LISTEN: Final = "hafw listen -n 10 --for 6s"
PLUGINS: Final = "hafw plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One of them."""

    name: str
    title: str
    symptom: str
    """What somebody sees at 3 a.m. before any command."""
    cause: str
    mending: str
    stage: Callable[[Bed], None]
    mend: Callable[[Bed], None]
    asked: tuple[tuple[str, str], ...]
    """Host and command, in the order in which an operator would ask."""
    named: Mapping[tuple[str, str], str]
    """What has to be in the answer, by host and command: the cause in plain words. The first is waited for."""
    clears: tuple[str, str, str]
    """Host, command, and what is in its answer no more once it is mended."""


INCIDENTS: Final = (
    Incident(
        name="firewall",
        title="A firewall drops protocol 112",
        symptom="Connections to the address break now and then; both machines have it.",
        cause="The firewall of lb2 drops by policy, and no rule accepts VRRP (IP protocol 112): lb2 hears no adverts.",
        mending="Accept protocol 112, for good in the file that makes the table.",
        stage=drop_112,
        mend=accept_112,
        asked=((LB1, STATUS), (LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB2, LISTEN)),
        named={
            (LB1, STATUS): rf"SPLIT BRAIN: {ADDRESS[LB2]} .*does not hear our adverts, or refuses them: its firewall",
            (LB2, STATUS): rf"{ADDRESS[LB1]} is silent for .*protocol 112 is dropped on the way",
            (LB2, DOCTOR): "firewall-drops-incoming: .*protocol 112.*are dropped by nft table inet filter",
            (LB2, LISTEN): "firewall",
        },
        clears=(LB1, STATUS, "SPLIT BRAIN"),
    ),
    Incident(
        name="one-way",
        title="The network loses what one router sends",
        symptom="Some clients reach the service on one machine, some on the other.",
        cause="What lb1 sends does not reach lb2, while lb1 hears lb2: a broken fibre, or a filter in a switch.",
        mending="Find where lb1's frames are lost: its cable, its port, the switches between.",
        stage=lose_one_way,
        mend=lose_no_more,
        asked=((LB1, STATUS), (LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB2, LISTEN), (LB1, LISTEN)),
        named={
            (LB1, STATUS): rf"SPLIT BRAIN: {ADDRESS[LB2]} .*does not hear our adverts, or refuses them",
            (LB2, STATUS): rf"{ADDRESS[LB1]} is silent for .* its host or the way to it is down",
            (LB1, LISTEN): r"the lower one does not hear the other|does not hear|two MASTERs",
        },
        clears=(LB1, STATUS, "SPLIT BRAIN"),
    ),
    Incident(
        name="password",
        title="Two passwords",
        symptom="Both machines have the address, since somebody changed the configuration of one.",
        cause="auth.password differs: each refuses the other's adverts.",
        mending="Write the same password on both, and `hafw reload`.",
        stage=differently(PASSWORD, PASSWORD.replace("1111", "2222")),
        mend=alike(PASSWORD),
        asked=((LB1, STATUS), (LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB2, LISTEN)),
        named={
            (LB2, STATUS): rf"refused an advert from {ADDRESS[LB1]} .*password differs",
            (LB2, DOCTOR): "password",
            (LB2, LISTEN): "password differs",
        },
        clears=(LB2, STATUS, "refused an advert|password"),
    ),
    Incident(
        name="interval",
        title="Two intervals",
        symptom="Both machines have the address, since somebody changed the configuration of one.",
        cause="advertisement_interval differs, and version 2 has to refuse such adverts.",
        mending="Write the same interval on both, and `hafw reload`.",
        stage=differently(PASSWORD, SLOWER),
        mend=alike(PASSWORD),
        asked=((LB1, STATUS), (LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB2, LISTEN)),
        named={
            (LB2, STATUS): rf"refused an advert from {ADDRESS[LB1]} .*interval 1s, ours is 2s",
            (LB2, DOCTOR): "interval",
            (LB2, LISTEN): "interval 1s, ours is 2s",
        },
        clears=(LB2, STATUS, "refused an advert|interval"),
    ),
    Incident(
        name="addresses",
        title="Two lists of addresses",
        symptom="After a failover one of two addresses answers, the other does not.",
        cause="virtual_addresses differ: lb1 has one more than lb2.",
        mending="Write the same list on both, and `hafw reload`.",
        stage=differently(OTHER_LIST, configuration(), masters=False),
        mend=alike(OTHER_LIST),
        asked=((LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB2, LISTEN)),
        named={
            (LB2, STATUS): rf"peer {ADDRESS[LB1]} differs, .*10\.77\.0\.251.*virtual_addresses",
            (LB2, EVENTS): "peer_mismatch .*10.77.0.251",
            (LB2, LISTEN): "10.77.0.251",
        },
        clears=(LB2, STATUS, "differs"),
    ),
    Incident(
        name="version",
        title="Two versions of VRRP",
        symptom="Both machines have the address, since one of them was installed anew.",
        cause="lb1 speaks version 2, lb2 version 3.",
        mending="Write the same version on both, and `hafw reload`.",
        stage=differently(configuration(version=2, interval="1s"), configuration(interval="1s")),
        mend=alike(configuration(version=2, interval="1s")),
        asked=((LB1, STATUS), (LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB2, LISTEN)),
        named={
            (LB2, STATUS): rf"refused an advert from {ADDRESS[LB1]} .*version 2",
            (LB2, DOCTOR): "version",
            (LB2, LISTEN): "version 2, ours is 3|version",
        },
        clears=(LB2, STATUS, "refused an advert|version"),
    ),
    Incident(
        name="removed",
        title="Somebody removes the address",
        symptom="Connections break for a moment, again and again; no failover.",
        cause="Somebody, or a program, removes the address from the interface of the MASTER.",
        mending="Find who does it (a network manager, a script, cron), and let it leave the address alone.",
        stage=remove_address,
        mend=nothing,
        asked=((LB1, STATUS), (LB1, EVENTS), (LB1, DOCTOR)),
        named={
            (LB1, STATUS): rf"somebody removed {VIP} from this machine 4 times, last .* put it back",
            (LB1, EVENTS): rf"vip_lost .*{VIP}",
        },
        clears=(LB1, STATUS, "MISSING|FAULT"),
    ),
    Incident(
        name="gateway",
        title="The gateway takes no notice of the announcement",
        symptom="After a failover nothing from outside reaches the service, while everything on the segment does.",
        cause="The gateway has a static neighbour entry for the address: it goes on sending to lb1.",
        mending="Remove the entry on the gateway; or virtual_mac = true, with which the MAC moves along.",
        stage=ignore_claims,
        mend=heed_claims,
        asked=((LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR)),
        named={
            (LB2, STATUS): rf"{ADDRESS[GATEWAY]} sends its packets for {VIP} to another MAC .*heeds no announcement",
            (LB2, EVENTS): rf"announced .*target={ADDRESS[GATEWAY]}.*echo=False",
        },
        clears=(LB1, STATUS, "another MAC"),
    ),
    Incident(
        name="nginx",
        title="nginx accepts connections and answers none",
        symptom="Pages load for ever; then the service answers again, from the other machine.",
        cause="nginx on lb1 hangs: the kernel accepts connections in its name, and nobody answers them.",
        mending="Find out why it hangs (a disk, a module), then restart it.",
        stage=hang_nginx,
        mend=wake_nginx,
        asked=((LB1, STATUS), (LB1, EVENTS), (LB2, STATUS), (LB1, PLUGINS)),
        named={
            (LB1, STATUS): "check nginx: .* accepts connections, and gives no whole answer",
            (LB1, EVENTS): "check_changed .*nginx.* accepts connections, and gives no whole answer",
        },
        clears=(LB1, STATUS, "FAILED"),
    ),
    Incident(
        name="script",
        title="A notify script hangs",
        symptom="The address has moved, and what the script should have done has not happened.",
        cause="notify.sh does not end; it is killed after its timeout.",
        mending="Let the script put what takes long into the background, or give it a longer timeout.",
        stage=hang_script,
        mend=hasten_script,
        asked=((LB1, STATUS), (LB1, EVENTS), (LB1, PLUGINS)),
        named={
            (LB1, STATUS): r"plugin notify_script failed in became_master .*notify\.sh: killed after 1s",
            (LB1, EVENTS): r"plugin_failed .*became_master.*killed after 1s",
        },
        clears=(LB1, "hafw events --no-follow -n 3", "plugin_failed"),
    ),
    Incident(
        name="clock",
        title="A clock is wrong, and adverts are signed",
        symptom="Both machines have the address, since one of them was started again.",
        cause="The clock of lb2 is five minutes behind, and signatures are valid for seconds.",
        mending="Set the clock, and keep it right (chrony, systemd-timesyncd).",
        stage=other_clock,
        mend=set_clock,
        asked=((LB1, STATUS), (LB2, STATUS), (LB2, EVENTS), (LB2, DOCTOR), (LB1, LISTEN)),
        named={
            (LB2, STATUS): rf"refused an advert from {ADDRESS[LB1]} .*from our clock.*compare the clocks",
            (LB1, LISTEN): "compare the clocks",
        },
        clears=(LB1, STATUS, "clock"),
    ),
    Incident(
        name="stranger",
        title="A stranger uses our VRID",
        symptom="The address is gone from both machines.",
        cause="10.77.0.50, which is no router of this cluster, uses VRID 51 too, for other addresses.",
        mending="Take another VRID here or there: `hafw listen --scan` proposes one.",
        stage=come_as_a_stranger,
        mend=leave,
        asked=((LB1, STATUS), (LB1, EVENTS), (LB1, DOCTOR), (LB1, LISTEN)),
        named={
            (LB1, STATUS): rf"{ADDRESS[STRANGER]}.*10\.77\.0\.99",
            (LB1, EVENTS): rf"{ADDRESS[STRANGER]}.*10\.77\.0\.99",
        },
        clears=(LB1, STATUS, rf"peer {ADDRESS[STRANGER]}"),
    ),
)
BY_NAME: Final = {each.name: each for each in INCIDENTS}
