"""What both routers are configured to do, as two keepalived.conf; hafw's configuration is what is imported of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LB1, LB2 = HOSTS = ("lb1", "lb2")
OUT, IN, SOLO = INSTANCES = ("VI_OUT", "VI_IN", "VI_SOLO")
GROUP: Final = "VG_1"
SUBJECTS: Final = (*INSTANCES, GROUP)
VRID: Final = {OUT: 51, IN: 52, SOLO: 53}
ADDRESS: Final = {OUT: "10.77.0.250", IN: "10.78.0.250", SOLO: "10.77.0.251"}
INTERFACE: Final = {OUT: "eth0", IN: "eth1", SOLO: "eth0"}
UPLINK: Final = "eth2"
PRIORITY: Final = {LB1: 150, LB2: 100}
CHECKS: Final = ("web", "db", "bonus")
HANDICAP: Final = "/run/handicap"
NOTIFIED: Final = "notified"
"""The log of the notify scripts, in /run: a line for each call, its words in the order in which they came."""
CHECKED: Final = "checked"
"""The log of the check scripts: name and exit status of each run."""

NOTIFY: Final = f"""\
#!/bin/sh
line=
for word; do line="$line$word|"; done
echo "$line" >>/run/{NOTIFIED}
"""
CHECK: Final = f"""\
#!/bin/sh
read status </run/checks/$1
echo "$1 $status" >>/run/{CHECKED}
exit $status
"""

_HEAD: Final = """\
global_defs {{
  router_id {host}
  vrrp_version 3
  enable_script_security
  script_user root
  vrrp_rt_priority 50
  vrrp_rlimit_rttime 5000000
}}

vrrp_script web {{
  script "/etc/keepalived/check.sh web"
  interval 1
}}

vrrp_script db {{
  script "/etc/keepalived/check.sh db"
  interval 1
  weight -60
}}

vrrp_script bonus {{
  script "/etc/keepalived/check.sh bonus"
  interval 1
  weight 60
}}

track_file handicap {{
  file "{handicap}"
  weight 1
}}

vrrp_sync_group {group} {{
  group {{
    {members}
  }}
  track_script {{
    web
  }}
{notify}}}
"""
_INSTANCE: Final = """
vrrp_instance {name} {{
  state BACKUP
  interface {interface}
  virtual_router_id {vrid}
  priority {priority}
  advert_int 0.1
  virtual_ipaddress {{
    {address}/24 dev {interface}
  }}
{tracked}{notify}}}
"""
_TRACKED: Final = f"""\
  track_script {{
    db
    bonus
  }}
  track_file {{
    handicap
  }}
  track_interface {{
    {UPLINK} weight -60
  }}
"""


def keepalived_conf(host: str, priorities: Mapping[str, int]) -> str:
    """Of one router; ``priorities`` by instance, where they are not the usual ones."""
    members = f"{OUT}\n    {IN}"
    head = _HEAD.format(host=host, handicap=HANDICAP, group=GROUP, members=members, notify=_notify(GROUP))
    return head + "".join(
        _INSTANCE.format(
            name=name,
            interface=INTERFACE[name],
            vrid=VRID[name],
            priority=priorities.get(name, PRIORITY[host]),
            address=ADDRESS[name],
            tracked=_TRACKED if name == SOLO else "",
            notify=_notify(name),
        )
        for name in INSTANCES
    )


def _notify(subject: str) -> str:
    """The one for all states, with an argument that has a blank in it, and those of one state, which get no more."""
    script = "/etc/keepalived/notify.sh"
    own = [f'  notify_{state} "{script} own {subject} {state}"\n' for state in ("master", "backup", "fault", "stop")]
    return f"  notify \"{script} any 'two words'\"\n" + "".join(own)
