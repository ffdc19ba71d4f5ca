"""keepalived's words that people write into config.toml, and what hafw calls the same thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.config.convert import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCRIPTS = "scripts are named in [plugin.notify_script]"
_MAIL = "mail is sent by [plugin.notify_email]"
_CHECKS = "a check is a table of its own: [instance.NAME.check.nginx]"
_WATCHED = "the instance's own interface is watched always: leave it out"
_ANNOUNCE = "announcements have a table of their own: [instance.NAME.announce]"
_SAME = "here it is "

_WORDS = {
    "virtual_router_id": ("vrid", f"{_SAME}vrid"),
    "virtual_ipaddress": ("virtual_addresses", f'{_SAME}virtual_addresses = ["192.0.2.1"]'),
    "virtual_ipaddress_excluded": ("excluded_addresses", f'{_SAME}excluded_addresses = ["192.0.2.1"]'),
    "advert_int": ("advertisement_interval", f'{_SAME}advertisement_interval = "1s"'),
    "nopreempt": ("preempt", f"{_SAME}preempt = false"),
    "vrrp_version": ("version", f"{_SAME}version"),
    "unicast_peer": ("unicast_peers", f'{_SAME}unicast_peers = ["192.0.2.2"]'),
    "unicast_src_ip": ("source_address", f"{_SAME}source_address"),
    "mcast_src_ip": ("source_address", f"{_SAME}source_address"),
    "authentication": ("auth", f'{_SAME}auth = {{ type = "pass", password = "file:/etc/hafw/vrrp.pass" }}'),
    "auth_hmac": ("auth", 'auth = { type = "hmac", keys = { 1 = "file:/etc/hafw/vrrp.key" } }'),
    "auth_type": ("type", f'{_SAME}auth = {{ type = "pass", ... }}'),
    "auth_pass": ("password", f'{_SAME}auth = {{ type = "pass", password = "file:/etc/hafw/vrrp.pass" }}'),
    "use_vmac": ("virtual_mac", f"{_SAME}virtual_mac = true"),
    "state": ("", "hafw elects by priority alone: leave it out"),
    "router_id": ("name", "a router's name is [node] name"),
    "track_script": ("check", _CHECKS),
    "track_process": ("check", _CHECKS),
    "track_file": ("check", _CHECKS),
    "track_interface": ("", _WATCHED),
    "dont_track_primary": ("", _WATCHED),
    "script": ("plugin", 'a check asks a plugin: plugin = "nginx", or one of your own'),
    "notify": ("", _SCRIPTS),
    "notify_master": ("", _SCRIPTS),
    "notify_backup": ("", _SCRIPTS),
    "notify_fault": ("", _SCRIPTS),
    "notify_stop": ("", _SCRIPTS),
    "smtp_alert": ("", _MAIL),
    "notification_email": ("", _MAIL),
    "smtp_server": ("", _MAIL),
    "garp_master_delay": ("announce", _ANNOUNCE),
    "garp_master_repeat": ("announce", _ANNOUNCE),
    "garp_master_refresh": ("announce", _ANNOUNCE),
    "vrrp_instance": ("instance", f"{_SAME}[instance.NAME]"),
    "vrrp_script": ("", _CHECKS),
    "vrrp_sync_group": ("", 'a sync group is group = "NAME" in each of its instances'),
    "global_defs": ("", "[node] holds the router's name, [control] the socket"),
    "virtual_server": ("", "hafw moves addresses, and nginx balances: leave it out"),
}
"""By word: the key that it stands for (empty: none) and the way out."""


class FileReader(Reader):
    """A reader of the file's own tables, as opposed to a plugin's."""

    def about_unknown(self, word: str, known: Iterable[str]) -> tuple[str, str]:
        """As every reader, and for keepalived's words what hafw says instead."""
        if word not in _WORDS:
            return super().about_unknown(word, known)
        meant, way_out = _WORDS[word]
        return f"is keepalived's word: {way_out}", meant
