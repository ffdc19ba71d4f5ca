"""What the operator's verbs say of a running daemon, and what they say when there is none."""

import json
import os
import signal
import subprocess
import sys

import pytest

import hafw
from hafw.cli.verbs import VERBS

pytestmark = pytest.mark.wire

VIP = "10.77.0.250"


@pytest.fixture(scope="module")
def pair_of_module(tools):
    with tools.two_routers() as (lb1, lb2):
        lb1.start(tools.instance())
        with lb1.stream() as stream:
            stream.wait("announced")
        yield lb1, lb2


@pytest.fixture
def lb1(pair_of_module):
    """MASTER, alone."""
    return pair_of_module[0]


@pytest.fixture
def lb2(pair_of_module):
    """No daemon."""
    return pair_of_module[1]


def test_status_shows_a_table(lb1):
    done = lb1.hafw("status")
    assert (done.returncode, done.stderr) == (0, "")
    head, empty, columns, row, *_ = done.stdout.splitlines()
    assert head.startswith(f"lb1   hafw {hafw.__version__}   up ")
    assert head.endswith(str(lb1.config))
    assert empty == ""
    assert columns.split()[:3] == ["INSTANCE", "VRID", "STATE"]
    assert columns.split()[3:] == ["PRIORITY", "MASTER", "HEARD", "ADDRESSES", "SINCE", "WHY", "CHECKS"]
    cells = row.split()
    assert cells[:8] == ["VI_1", "51", "MASTER", "200", "this", "router", "nobody", VIP]
    assert cells[-2:] == ["no-response", "-"]


def test_status_json_is_one_document(lb1):
    done = lb1.hafw("status", "VI_1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    (instance,) = answer["instances"]
    assert (answer["node"], answer["dry_run"], instance["state"]) == ("lb1", False, "MASTER")
    (address,) = instance["addresses"]
    assert (address["address"], address["state"], address["kernel"]) == (VIP, "bound", "present")
    assert instance["counters"]["advertisement-sent"] > 0


def test_status_of_an_unknown_instance_fails_and_names_it(lb1):
    done = lb1.hafw("status", "VI_9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"hafw: no instance 'VI_9' in {lb1.config}: there is VI_1\n"


@pytest.mark.parametrize("verb", ["status", "events", "history", "plugins", "reload", "handover", "maintenance"])
def test_without_a_daemon_the_socket_and_the_way_out_are_named(lb2, verb):
    done = lb2.hafw(verb)
    assert (done.returncode, done.stdout) == (6, "")
    assert f"daemon not reachable on {lb2.socket}" in done.stderr
    assert "is the daemon running (hafw run CONFIG)?" in done.stderr


def test_the_socket_can_be_named_before_or_behind_the_verb(lb1, lb2):
    for words in (["--socket", str(lb1.socket), "status"], ["status", "--socket", str(lb1.socket)]):
        assert lb2.hafw(*words).stdout.startswith("lb1 ")


def test_events_shows_what_happened_so_far(lb1):
    done = lb1.hafw("events", "--no-follow", "--since", "0")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third, fourth = done.stdout.splitlines()
    assert "state_changed      VI_1 INITIALIZE -> BACKUP reason=startup" in first
    assert "state_changed      VI_1 BACKUP -> MASTER reason=no-response" in second
    assert "takeover_complete" in third
    assert "announced" in fourth


def test_events_json_is_one_object_per_line_since_a_number_and_the_newest_n(lb1):
    def numbers(*words):
        done = lb1.hafw("events", "--json", "--no-follow", *words)
        return [json.loads(line)["seq"] for line in done.stdout.splitlines()]

    assert numbers("--since", "0") == [1, 2, 3, 4]
    assert numbers("--since", "2") == [3, 4]
    assert numbers("-n", "2") == [3, 4]
    assert numbers("--since", "2", "-n", "5") == [3, 4]
    assert numbers("-n", "0") == numbers("--since", "4") == []
    assert numbers() == [1, 2, 3, 4]


def test_events_follows_live_and_goes_on_with_the_next_daemon_and_tells_the_gap(lb2, tools):
    lb2.start(tools.instance(vrid=52, virtual_addresses=["10.77.0.251"]), words=["--dry-run"])
    lb2.wait_for("MASTER")
    following = lb2.command("events", "--since", "1", stderr=subprocess.PIPE)
    assert "VI_1 BACKUP -> MASTER" in following.stdout.readline()
    assert lb2.stop() == 0
    assert following.stderr.readline() == "hafw: the daemon ended the stream: waiting for the next one\n"
    lb2.start(words=["--dry-run"])
    lines = iter(following.stdout.readline, "")
    assert any("VI_1 MASTER -> INITIALIZE reason=shutdown" in line for line in lines)
    gap = next(line for line in lines if " gap " in line)
    assert "another daemon counts since" in gap
    assert "VI_1 INITIALIZE -> BACKUP reason=startup" in next(lines)
    os.kill(following.pid, signal.SIGINT)
    following.communicate(timeout=10)
    assert lb2.stop() == 0


def test_history_shows_transitions_with_their_reasons(lb1):
    _, *rows = lb1.hafw("history").stdout.splitlines()
    assert [row.split()[1:6] for row in rows] == [
        ["VI_1", "INITIALIZE", "BACKUP", "startup", "200"],
        ["VI_1", "BACKUP", "MASTER", "no-response", "200"],
    ]
    assert [each["to"] for each in json.loads(lb1.hafw("history", "VI_1", "--json").stdout)] == ["BACKUP", "MASTER"]


def test_history_and_an_unknown_state_outlive_the_daemon(tools):
    with tools.two_routers() as (lb1, _):
        lb1.start(tools.instance(), prefix=["env", f"HAFW_STATE_DIR={lb1.run_directory}/state"])
        lb1.wait_until_it_serves()
        lb1.kill_guard()  # and the daemon hands over, as on SIGTERM
        tools.until(lambda: not lb1.socket.exists() or lb1.hafw("status").returncode == 6, "the daemon is gone")
        lb1.start(prefix=["env", f"HAFW_STATE_DIR={lb1.run_directory}/state"])
        lb1.wait_until_it_serves()
        moves = [row.split()[1:4] for row in lb1.hafw("history").stdout.splitlines()[1:]]
        assert moves == [
            ["VI_1", "INITIALIZE", "BACKUP"],
            ["VI_1", "BACKUP", "MASTER"],
            ["VI_1", "MASTER", "INITIALIZE"],
            ["VI_1", "INITIALIZE", "BACKUP"],
            ["VI_1", "BACKUP", "MASTER"],
        ]
        assert len(lb1.hafw("history", "-n", "2").stdout.splitlines()) == 3
        lb1.kill_both()
        done = lb1.hafw("status")
        assert done.returncode == 6
        assert done.stdout.startswith("VI_1: UNKNOWN: was MASTER when its daemon (pid ")
        assert f"{VIP} still on this machine" in done.stdout
        assert "state is unknown" in done.stderr


def test_plugins_shows_what_answered(lb1):
    _, *rows = lb1.hafw("plugins").stdout.splitlines()
    assert [row.split()[:2] for row in rows] == [["vip", "hafw-plugin-vip"], ["arp", "hafw-plugin-arp"]]
    seen = json.loads(lb1.hafw("plugins", "--json").stdout)
    assert [(each["name"], each["failures"], "takeover" in each["hooks"]) for each in seen] == [
        ("vip", 0, True),
        ("arp", 0, True),
    ]


def test_plan_shows_what_a_takeover_and_a_release_would_do(lb1):
    done = lb1.hafw("plan", str(lb1.config), "--node", "lb1")
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "VI_1 (VRID 51 on eth0)",
        "advert    VRRPv3 priority 200 to 224.0.0.18, then every 100ms",
        f"bind      {VIP}/32 on eth0",
        "advert    priority 0, once",
        "hold      until claimed by another router: 100ms after its first advert, 303ms at most",
    ):
        assert line in done.stdout


def test_a_dry_run_elects_and_neither_sends_nor_binds(lb1, lb2, tools):
    capture = lb1.lab.capture()
    check = '[instance.VI_1.check.redis]\nplugin = "tcp"\ncritical = true\n[plugin.tcp]\nport = 1\n'
    lb2.start(tools.instance(priority=250, virtual_addresses=["10.77.0.251"]), check, words=["--dry-run"])
    lb2.wait_for("MASTER")
    assert lb1.instance()["state"] == "MASTER"
    assert not lb2.has("10.77.0.251")
    shown = lb2.hafw("status", "VI_1").stdout
    assert "DRY RUN: sends, binds and runs nothing" in shown
    assert "redis  not run  critical  -     -    dry run: not run, and taken for well" in shown
    assert "plugins: tcp not-run, vip not-run, arp not-run" in shown
    assert lb2.hafw("plugins").stdout.startswith("DRY RUN: sends, binds and runs nothing\n\nPLUGIN")
    assert {each["state"] for each in json.loads(lb2.hafw("plugins", "--json").stdout)} == {"not-run"}
    assert "event=would_bind" in lb2.log()
    lb2.write(tools.instance(priority=250, virtual_addresses=["10.77.0.252"]), check.replace("redis", "other"))
    done = lb2.hafw("reload")
    assert (done.returncode, done.stdout) == (0, "VI_1: virtual_addresses [10.77.0.251] -> [10.77.0.252], checks\n")
    lb2.wait_for("MASTER")
    assert [(each["name"], each["healthy"]) for each in lb2.instance()["checks"]] == [("other", True)]
    assert lb2.stop() == 0
    assert capture.adverts("lb2") == capture.claims("lb2") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_each_shell(lb1, shell):
    done = lb1.hafw("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_HAFW_COMPLETE={shell}_complete" in done.stdout


def test_the_shell_completes_verbs(lb1):
    asked = {**lb1.variables, "_HAFW_COMPLETE": "bash_complete", "COMP_WORDS": "hafw re", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "hafw"], env=asked, capture_output=True, text=True, check=False)
    assert done.stdout == "plain,reload\nplain,reexec\nplain,replay\n"


def test_the_version_is_the_packages(lb1):
    assert lb1.hafw("--version").stdout == f"hafw, version {hafw.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(lb1, verb):
    done = lb1.hafw(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: hafw {verb} [OPTIONS]")


@pytest.mark.parametrize(
    ("verb", "way"),
    [
        ("stop", "`systemctl stop hafw`, or SIGTERM to `hafw run`"),
        ("restart", "`systemctl restart hafw`, or `hafw run CONFIG` in the foreground"),
        ("failover", "`hafw handover`"),
    ],
)
def test_a_verb_of_others_names_the_way_here(lb1, verb, way):
    done = lb1.hafw(verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: no such command: {verb}: use {way}"


def test_options_of_maintenance_belong_to_on(lb1):
    for words in (["--for", "30m"], ["off", "--reason", "disk"], ["off", "--force"]):
        done = lb1.hafw("maintenance", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--for, --reason and --force belong to `hafw maintenance on`" in done.stderr
    done = lb1.hafw("maintenance", "on", "--for", "30")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'Invalid value for --for: 30: must be a duration such as "100ms", "1.5s", "10m" or "1h"' in done.stderr


def test_plugins_shows_the_limits_of_one_as_the_kernel_has_them(lb1):
    shown = lb1.hafw("plugins", "vip").stdout
    rows = {line.split()[0]: line for line in shown.splitlines() if line}
    assert rows["memory"].split()[1:3] == ["512MiB", "512MiB"]
    assert rows["processes"].split()[1:3] == ["256", "256"]
    assert rows["takeover"].split()[2] == "0"
    assert lb1.hafw("plugins", "vap").stderr == "hafw: no plugin 'vap' is configured: there is vip, arp\n"
