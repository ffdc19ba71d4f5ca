"""The keywords of the top of the file and of ``global_defs``, and what becomes of them: see ``words``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.keepalived.words import Rows

_IPVS = "hafw moves addresses and leaves IPVS alone"
_BALANCES = (
    "hafw moves addresses and does not balance: let nginx do that, or keep keepalived for this part and let it have no "
    "vrrp_instance"
)
_SNMP = "hafw has no SNMP: `hafw status --json` and `hafw events --json` tell all of it"
_DBUS = "hafw has no D-Bus interface: its control socket answers `hafw status --json`"
_NFTABLES = "hafw needs no firewall rules"
_BUFFERS = "hafw sizes its socket buffers itself"
_RLIMIT = "nothing kills hafw for running long"
_CHECKER = "there is no process for IPVS here"
_BFD = "there is no process for BFD here"
_STATIC = "what never moves is not hafw's business: let systemd-networkd, netplan or NetworkManager set it"
_NAMESPACE = "run it inside: `ip netns exec NAME hafw run ...`, or NetworkNamespacePath= in the unit"
_NAMES = "the processes of hafw have their names"
_DUMPS = "`hafw status --json` tells it at any time, without a file"
_HOOK = "belongs to the systemd unit: ExecStartPre= and ExecStopPost="

TOP: Rows = (
    ("global_defs", "kept", "`[node]`, `[process]` and the plugins"),
    ("vrrp_instance", "kept", "`[instance.NAME]`"),
    ("vrrp_script", "kept", '`[plugin.NAME]` with `plugin = "script"`, and a check in each instance that tracks it'),
    ("vrrp_sync_group", "kept", "`group` of its instances, and `[group.NAME]`"),
    ("vrrp_track_process", "kept", '`[plugin.NAME]` with `plugin = "process"`'),
    ("track_file vrrp_track_file", "kept", '`[plugin.NAME]` with `plugin = "file"`'),
    ("garp_group", "kept", "`rate` of `[instance.NAME.announce]`"),
    ("track_group", "not carried over", _STATIC),
    ("static_ipaddress static_routes static_rules", "decide", _STATIC),
    ("bfd_instance", "decide", "hafw has no BFD: an advert every 100 ms (version 3) finds a dead neighbour as fast"),
    ("virtual_server virtual_server_group SSL", "decide", _BALANCES),
    ("interface_up_down_delays", "kept", '`down_delay` and `up_delay` of `[plugin.NAME]` with `plugin = "interface"`'),
    ("linkbeat_interfaces linkbeat_use_polling", "dropped", "the kernel reports every change of a link"),
    ("net_namespace net_namespace_ipvs", "decide", _NAMESPACE),
    ("namespace_with_ipsets", "dropped", _NFTABLES),
    ("use_pid_dir", "dropped", "hafw needs no pid file"),
    ("instance", "decide", "a second hafw on one machine needs its own `[control] socket` and HAFW_RUN_DIR"),
    ("child_wait_time", "dropped", "how long a stop may take is TimeoutStopSec= of the unit"),
)

GLOBAL: Rows = (
    ("router_id", "kept", "`name` of `[node]`"),
    ("notification_email", "kept", "`to` of `[plugin.notify_email]`"),
    ("notification_email_from", "kept", "`from` of `[plugin.notify_email]`"),
    ("smtp_server", "kept", "`smtp` of `[plugin.notify_email]`"),
    ("smtp_connect_timeout", "kept", "`timeout` of `[plugin.notify_email]`"),
    ("smtp_helo_name", "not carried over", "hafw greets a mail server with the name of the host"),
    ("smtp_alert smtp_alert_vrrp", "kept", "`[plugin.notify_email]`"),
    ("no_email_faults", "kept", '`on` of `[plugin.notify_email]` without `"fault"`'),
    ("smtp_alert_checker no_checker_emails checker_log_all_failures", "not carried over", _IPVS),
    ("script_user", "kept", "`user` of the plugins that run scripts"),
    ("enable_script_security", "dropped", "always on: a script that others can change is an error of `hafw check`"),
    ("set_supplementary_groups", "not carried over", "a script has the groups of its `user`"),
    ("use_symlink_paths", "dropped", "hafw follows links and checks every folder on the way"),
    ("umask", "not carried over", "belongs to the systemd unit: UMask="),
    ("startup_script startup_script_timeout", "decide", _HOOK),
    ("shutdown_script shutdown_script_timeout", "decide", _HOOK),
    ("vrrp_version", "kept", "`version` of every instance that has none; 2 is written, since hafw's own is 3"),
    ("vrrp_mcast_group4 vrrp_mcast_group6", "kept", "`multicast_group`"),
    ("vrrp_garp_master_delay vrrp_garp_master_repeat", "kept", "`repeat` of `[instance.NAME.announce]`"),
    ("vrrp_garp_master_refresh", "kept", "`refresh` of `[instance.NAME.announce]`"),
    (
        "vrrp_garp_master_refresh_repeat",
        "dropped",
        "one announcement for each `refresh` is enough: whatever is lost comes again",
    ),
    (
        "vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat",
        "dropped",
        "after a rival hafw announces by the same `repeat` again",
    ),
    ("vrrp_garp_interval vrrp_gna_interval", "kept", "`rate` of `[instance.NAME.announce]`"),
    ("vrrp_min_garp", "kept", '`repeat = ["0s"]` of `[instance.NAME.announce]`'),
    (
        "vrrp_garp_extra_if vrrp_vmac_garp_intvl",
        "dropped",
        "every address is announced on its own interface, again with each `refresh`",
    ),
    ("vrrp_skip_check_adv_addr", "dropped", "an advert with other addresses is accepted and reported, never dropped"),
    (
        "vrrp_strict",
        "kept",
        (
            "not as a mode: it made keepalived drop every packet to the virtual addresses, ignore passwords and refuse "
            "unicast; hafw answers, and `version` and `auth` follow what keepalived did"
        ),
    ),
    ("vrrp_check_unicast_src", "dropped", "always on: an advert from who is no peer is refused"),
    ("v3_checksum_as_v2", "kept", '`checksum = "rfc9568"`'),
    ("vrrp_down_timer_adverts", "kept", "`down_timer_adverts`"),
    (
        "vrrp_lower_prio_no_advert",
        "dropped",
        "hafw answers a worse advert within the limits of RFC 9568, and announces again",
    ),
    ("vrrp_higher_prio_send_advert", "dropped", "not needed: the better router announces when it takes over"),
    ("vrrp_owner_ignore_adverts", "dropped", "an owner does as RFC 9568 says"),
    ("vrrp_rt_priority", "kept", "`realtime` of `[process]`"),
    ("vrrp_no_swap", "kept", "`lock_memory` of `[process]`"),
    ("vrrp_cpu_affinity", "kept", "`cpus` of `[process]`"),
    ("vrrp_priority", "not carried over", "a nice value is Nice= of the unit; `realtime` of `[process]` is stronger"),
    ("vrrp_rlimit_rttime vrrp_rlimit_rtime", "dropped", _RLIMIT),
    (
        "max_auto_priority min_auto_priority_delay",
        "dropped",
        "hafw notices that it was late and hears the others first",
    ),
    ("vrrp_startup_delay vrrp_delay_after_boot", "kept", "`startup_delay` of `[node]`"),
    ("dynamic_interfaces", "dropped", "always so: an interface that does not exist yet is waited for"),
    ("default_interface", "kept", "`interface` of an instance that names none"),
    ("notify_fifo vrrp_notify_fifo", "kept", "`path` of `[plugin.fifo]`"),
    ("notify_fifo_script vrrp_notify_fifo_script", "kept", "`script` of `[plugin.fifo]`"),
    ("vrrp_notify_priority_changes", "not carried over", "a change of priority is an event of its own: `hafw events`"),
    (
        "fifo_write_vrrp_states_on_reload",
        "not carried over",
        "`replay = true` in `[plugin.fifo]` tells them to each new process of the plugin; `hafw status` to who asks",
    ),
    ("log_unknown_vrids", "dropped", "the kernel drops what is for other VRIDs before hafw hears it"),
    (
        (
            "vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force "
            "vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs "
            "process_monitor_rcv_bufs_force"
        ),
        "dropped",
        _BUFFERS,
    ),
    (
        "vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_ifindex nftables_counters disable_local_igmp",
        "dropped",
        _NFTABLES,
    ),
    ("vmac_prefix vmac_addr_prefix", "dropped", "hafw names the interface of a virtual MAC by itself"),
    (
        (
            "snmp_socket enable_traps enable_snmp_vrrp enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 "
            "enable_snmp_rfcv3 enable_snmp_checker snmp_vs_stats_update_interval snmp_rs_stats_update_interval"
        ),
        "not carried over",
        _SNMP,
    ),
    ("enable_dbus dbus_service_name dbus_no_interface_name", "not carried over", _DBUS),
    (
        "process_names process_name vrrp_process_name checker_process_name lvs_process_name bfd_process_name",
        "dropped",
        _NAMES,
    ),
    ("reload_check_config", "dropped", "always so: a reload takes the whole new file or changes nothing"),
    (
        "reload_time_file reload_repeat reload_file",
        "not carried over",
        "a reload at a given time is `hafw reload` in a systemd timer",
    ),
    (
        (
            "include_check tmp_config_directory config_save_dir random_seed data_use_instance iproute_usr_dir "
            "iproute_etc_dir json_version"
        ),
        "dropped",
        "housekeeping that hafw has no need of",
    ),
    ("state_dump_file stats_dump_file json_dump_file", "not carried over", _DUMPS),
    (
        (
            "lvs_timeouts lvs_flush lvs_flush_on_stop lvs_flush_onstop lvs_sync_daemon nftables_ipvs "
            "nftables_ipvs_priority nftables_ipvs_start_fwmark lvs_notify_fifo lvs_notify_fifo_script "
            "lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs "
            "lvs_netlink_monitor_rcv_bufs_force rs_init_notifies"
        ),
        "not carried over",
        _IPVS,
    ),
    (
        (
            "checker_priority checker_no_swap checker_rt_priority checker_cpu_affinity checker_rlimit_rttime "
            "checker_rlimit_rtime"
        ),
        "dropped",
        _CHECKER,
    ),
    (
        "bfd_priority bfd_no_swap bfd_rt_priority bfd_cpu_affinity bfd_rlimit_rttime bfd_rlimit_rtime",
        "dropped",
        _BFD,
    ),
)
