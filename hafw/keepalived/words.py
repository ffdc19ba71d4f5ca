"""Every keyword of keepalived, block by block, and what becomes of it. ``docs/from-keepalived.md`` is made from it.

What is carried over is said in hafw's words; the code that does it is found by the keyword. For the others the text is
the reason, as the report gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hafw.keepalived.words_global import GLOBAL, TOP

if TYPE_CHECKING:
    from hafw.keepalived.report import Kind

Fate = Literal["kept", "dropped", "not carried over", "decide"]
Rows = tuple[tuple[str, Fate, str], ...]
"""Keywords, parted by blanks; their fate; hafw's word for them, or the reason."""

_NOTIFY: Rows = (
    ("notify_master", "kept", "`notify_master` of `[plugin.notify_script]`"),
    ("notify_backup", "kept", "`notify_backup` of `[plugin.notify_script]`"),
    ("notify_fault", "kept", "`notify_fault` of `[plugin.notify_script]`"),
    ("notify_stop", "kept", "`notify_stop` of `[plugin.notify_script]`"),
    ("notify", "kept", "`notify` of `[plugin.notify_script]`, with the same four arguments"),
    ("smtp_alert", "kept", "`[plugin.notify_email]`"),
    ("notify_priority_changes", "dropped", "a change of priority is an event of its own: `hafw events`"),
)
_TRACK: Rows = (
    ("track_script", "kept", "`[instance.NAME.check.SCRIPT]`"),
    ("track_interface", "kept", '`[instance.NAME.check.INTERFACE]` with `plugin = "interface"`'),
    ("track_file", "kept", '`[instance.NAME.check.FILE]` with `plugin = "file"`'),
    ("track_process", "kept", '`[instance.NAME.check.PROCESS]` with `plugin = "process"`'),
    ("track_bfd", "decide", "hafw has no BFD: a check that asks the same neighbour can stand for it"),
)
INSTANCE: Rows = (
    ("state", "kept", "nothing: the priorities elect, as they did with keepalived"),
    ("interface", "kept", "`interface`"),
    ("virtual_router_id", "kept", "`vrid`"),
    ("priority", "kept", "`priority`; 255 is `owner = true`"),
    ("advert_int", "kept", "`advertisement_interval`"),
    ("version", "kept", "`version`"),
    ("native_ipv6", "dropped", "the first virtual address decides the family"),
    ("nopreempt", "kept", "`preempt = false`"),
    ("preempt", "kept", "`preempt`, which is true when left out"),
    ("preempt_delay", "kept", "`preempt_delay`"),
    ("authentication auth_type auth_pass", "kept", '`auth = { type = "pass", ... }`'),
    ("auth_hmac key active_key time_window anti_replay mode", "kept", '`auth = { type = "hmac", ... }`'),
    ("virtual_ipaddress", "kept", "`virtual_addresses`"),
    ("virtual_ipaddress_excluded", "kept", "`excluded_addresses`"),
    ("no_virtual_ipaddress", "dropped", "hafw needs one address at least, which an advert has to carry"),
    ("unicast_peer", "kept", "`unicast_peers`"),
    ("unicast_src_ip mcast_src_ip", "kept", "`source_address`"),
    ("mcast_dst_ip", "kept", "`multicast_group`"),
    ("down_timer_adverts", "kept", "`down_timer_adverts`"),
    ("v3_checksum_as_v2", "kept", '`checksum = "rfc9568"`'),
    ("use_vmac", "kept", "`virtual_mac = true`"),
    ("use_vmac_addr vmac_xmit_base", "dropped", "belongs to `use_vmac`; hafw arranges it by itself"),
    ("use_ipvlan", "decide", "hafw has no ipvlan: the addresses are bound on the interface itself"),
    ("garp_master_delay garp_master_repeat", "kept", "`repeat` of `[instance.NAME.announce]`"),
    ("garp_master_refresh", "kept", "`refresh` of `[instance.NAME.announce]`"),
    (
        "garp_master_refresh_repeat",
        "dropped",
        "one announcement for each `refresh` is enough: whatever is lost comes again",
    ),
    (
        "garp_lower_prio_delay garp_lower_prio_repeat",
        "dropped",
        "after a rival hafw announces by the same `repeat` again",
    ),
    (
        "garp_extra_if vmac_garp_intvl",
        "dropped",
        "every address is announced on its own interface, again with each `refresh`",
    ),
    ("virtual_routes", "kept", "`[[plugin.routes.route]]`"),
    ("virtual_rules", "kept", "`[[plugin.routes.rule]]`"),
    *_TRACK,
    ("dont_track_primary", "kept", "`track_primary = false`"),
    *_NOTIFY,
    ("notify_deleted", "kept", "`notify_deleted` of `[plugin.notify_script]`"),
    ("notify_master_rx_lower_pri", "kept", "`notify_master_rx_lower_pri` of `[plugin.notify_script]`"),
    ("accept", "dropped", "an address always answers here"),
    (
        "no_accept",
        "decide",
        (
            "a virtual address that drops what is sent to it serves nobody: hafw always answers; for one that only "
            "forwards, keep the packets out with nftables"
        ),
    ),
    ("strict_mode", "kept", "only in what it changes: see `vrrp_strict`"),
    ("skip_check_adv_addr", "dropped", "an advert with other addresses is accepted and reported, never dropped"),
    ("check_unicast_src", "dropped", "always on: an advert from who is no peer is refused"),
    ("unicast_fault_no_peer", "dropped", "always so: unicast without a peer is an error of `hafw check`"),
    ("unicast_ttl", "decide", "hafw sends 255 and refuses less: a peer beyond a router is not heard"),
    ("old_unicast_checksum", "dropped", "for keepalived before 1.3.7 only; hafw accepts both forms of version 3"),
    ("track_src_ip", "dropped", "always on: without its source address hafw waits for it"),
    ("timer_expired_backup thread_timer_expired", "dropped", "always on: who was late hears the others first"),
    (
        "lower_prio_no_advert",
        "dropped",
        "hafw answers a worse advert within the limits of RFC 9568, and announces again",
    ),
    ("higher_prio_send_advert", "dropped", "not needed: the better router announces when it takes over"),
    ("owner_ignore_adverts", "dropped", "an owner does as RFC 9568 says"),
    ("promote_secondaries", "dropped", "hafw switches it on where it needs it"),
    ("vrf", "not carried over", "hafw sends on `interface`, in whatever VRF that is"),
    (
        "lvs_sync_daemon_interface",
        "not carried over",
        "hafw moves addresses and leaves IPVS alone: see lvs_sync_daemon",
    ),
    ("linkbeat_use_polling", "dropped", "the kernel reports every change of a link"),
    ("kernel_rx_buf_size", "dropped", "hafw sizes its socket buffers itself"),
    ("debug", "dropped", "keepalived does nothing with it either"),
)
GROUP: Rows = (
    ("group", "kept", '`group = "NAME"` in each of its instances'),
    *(
        (word, fate, text.replace("instance.NAME", "group.NAME") if fate == "kept" else text)
        for word, fate, text in _TRACK
    ),
    *_NOTIFY,
    ("notify_deleted", "dropped", "keepalived knows it in instances only"),
    (
        "global_tracking sync_group_tracking_weight",
        "decide",
        "routers of a group that weigh differently are elected apart from each other: put checks into the group",
    ),
)
SCRIPT: Rows = (
    ("script", "kept", '`command` of `[plugin.NAME]` with `plugin = "script"`'),
    ("interval", "kept", "`interval` of the check"),
    ("timeout", "kept", "`timeout` of the check and of the plugin"),
    ("weight", "kept", "`weight` of the check; 0 is `critical = true`, `reverse` is `reverse = true`"),
    ("rise", "kept", "`rise` of the check"),
    ("fall", "kept", "`fall` of the check"),
    ("user", "kept", "`user` of the plugin"),
    ("init_fail", "dropped", "always so: a check counts when it has answered"),
)
PROCESS: Rows = (
    ("process", "kept", '`process` of `[plugin.NAME]` with `plugin = "process"`'),
    ("weight", "kept", "`weight` of the check; 0 is `critical = true`"),
    ("quorum", "kept", "`quorum` of the plugin"),
    ("quorum_max", "kept", "`quorum_max` of the plugin; 0 is `reverse = true`"),
    ("delay", "kept", "`up_delay` and `down_delay` of the plugin"),
    ("terminate_delay", "kept", "`down_delay` of the plugin"),
    ("fork_delay", "kept", "`up_delay` of the plugin"),
    ("full_command", "dropped", "always so: with arguments the whole command counts"),
    ("param_match", "kept", "`match` of the plugin"),
)
FILE: Rows = (
    ("file", "kept", '`path` of `[plugin.NAME]` with `plugin = "file"`'),
    ("weight", "kept", "`weight` of the check; 0 is `critical = true`"),
    ("init_file", "kept", "`missing` of the plugin: hafw writes no file that it watches"),
)
GARP: Rows = (
    ("garp_interval gna_interval", "kept", "`rate` of `[instance.NAME.announce]`"),
    ("interface interfaces", "kept", "says which instances get that `rate`"),
)
BFD = "hafw has no BFD: an advert every 100 ms (version 3) finds a dead neighbour as fast"
_ROWS: dict[str, Rows] = {
    "": TOP,
    "global_defs": GLOBAL,
    "vrrp_instance": INSTANCE,
    "vrrp_sync_group": GROUP,
    "vrrp_script": SCRIPT,
    "vrrp_track_process": PROCESS,
    "track_file": FILE,
    "vrrp_track_file": FILE,
    "garp_group": GARP,
    "track_group": (("group", "not carried over", "belongs to static addresses, which hafw leaves alone"),),
    "bfd_instance": (
        (
            (
                "source_ip neighbor_ip neighbour_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops "
                "multihop weight vrrp checker"
            ),
            "not carried over",
            BFD,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Word:
    """A keyword of one block."""

    keyword: str
    fate: Fate
    text: str

    @property
    def kind(self) -> Kind:
        """How the report calls its fate, where that is not to be carried over."""
        assert self.fate != "kept"
        return self.fate


def _by_keyword(rows: Rows) -> dict[str, Word]:
    return {keyword: Word(keyword, fate, text) for words, fate, text in rows for keyword in words.split()}


WORDS: dict[str, dict[str, Word]] = {block: _by_keyword(rows) for block, rows in _ROWS.items()}
"""By block and keyword; the block ``""`` is the top of the file."""


def homes(keyword: str) -> list[str]:
    """The blocks that know a keyword."""
    return [block for block, words in WORDS.items() if keyword in words]
