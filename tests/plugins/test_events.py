"""After a takeover: in order per router, awaited, at least once, never in anybody's way."""

from __future__ import annotations

import json
import os
import signal

import pytest

from hafw.pipe import VipChange


async def test_events_of_a_router_are_delivered_one_after_the_other_and_in_order(write, play):
    plugin = write(
        """
        busy = 0
        def note(change):
            global busy
            busy += 1
            assert busy == 1, "two at once"
            time.sleep(0.01)
            busy -= 1
            return {"output": f"{change.seq} {change.new}", "exit": 0}
        @hookimpl
        def became_master(change): return note(change)
        @hookimpl
        def became_backup(change): return note(change)
        @hookimpl
        def faulted(change): return note(change)
        """
    )
    async with play(plugin) as stage:
        states = ["MASTER", "FAULT", "BACKUP", "MASTER", "BACKUP"]
        for seq, state in enumerate(states, 1):
            stage.deliver(state, seq)
        await stage.plugins.drain(5)
        assert [result.output for result in stage.status().results] == [
            f"{seq} {state}" for seq, state in enumerate(states, 1)
        ]


async def test_a_router_does_not_wait_for_another_ones_event(write, play, instance):
    plugin = write(
        """
        import threading
        gate = threading.Event()
        @hookimpl
        def became_master(router):
            if router.name == "VI_1": gate.wait()
            else: gate.set()
            return {"output": router.name, "exit": 0}
        """
    )
    async with play(plugin, instances=(instance("VI_1"), instance("VI_2"))) as stage:
        stage.deliver("MASTER", 1, "VI_1")
        stage.deliver("MASTER", 2, "VI_2")
        await stage.plugins.drain(5)
        assert {result.output for result in stage.status().results} == {"VI_1", "VI_2"}


async def test_what_was_not_answered_is_delivered_again_with_its_number_and_before_what_follows(write, play, tmp_path):
    plugin = write(
        f"""
        LOG = "{tmp_path}/log"
        def note(change):
            with open(LOG, "a") as log: log.write(f"{{change.seq}} ")
        @hookimpl
        def became_master(change):
            note(change)
            if open(LOG).read().count("1") == 1: os._exit(1)
        @hookimpl
        def became_backup(change): note(change)
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER", 1)
        stage.deliver("BACKUP", 2)
        await stage.plugins.drain(5)
        assert (tmp_path / "log").read_text() == "1 1 2 "
        assert [(result.seq, result.error) for result in stage.status().results] == [(1, ""), (2, "")]


async def test_states_have_their_hooks_and_initialize_has_none(write, play):
    plugin = write(
        "\n".join(
            f"@hookimpl\ndef {hook}(router, change): return {{'output': '{hook} ' + change.new, 'exit': 0}}"
            for hook in ("became_master", "became_backup", "faulted", "stopped")
        )
    )
    async with play(plugin) as stage:
        for seq, state in enumerate(("INITIALIZE", "BACKUP", "MASTER", "FAULT", "STOP")):
            stage.deliver(state, seq)
        await stage.plugins.drain(5)
        assert [result.output for result in stage.status().results] == [
            "became_backup BACKUP",
            "became_master MASTER",
            "faulted FAULT",
            "stopped STOP",
        ]


async def test_vip_changed_hears_of_addresses(write, play):
    plugin = write(
        """
        @hookimpl
        def vip_changed(change):
            return {"output": f"{change.address} {change.change} {change.culprit}", "exit": 0}
        """
    )
    async with play(plugin) as stage:
        change = VipChange(
            seq=1, time="", instance="VI_1", address="192.0.2.10", change="vip_lost", culprit="NetworkManager"
        )
        stage.plugins.deliver(stage.router(), change)
        await stage.plugins.drain(5)
        assert stage.status().results[0].output == "192.0.2.10 vip_lost NetworkManager"


async def test_event_hears_the_whole_stream_but_not_its_own_trouble(write, play, tmp_path):
    plugin = write(
        f"""
        import json
        @hookimpl
        def event(event):
            with open("{tmp_path}/log", "a") as log: log.write(json.dumps(event) + "\\n")
        """
    )
    async with play(plugin) as stage:
        events = [
            {"seq": 1, "type": "state_changed", "instance": "VI_1", "to": "MASTER"},
            {"seq": 2, "type": "plugin_failed", "plugin": "other"},
            {"seq": 3, "type": "plugin_failed", "plugin": "local"},
            {"seq": 4, "type": "stall", "seconds": 0.5},
        ]
        for event in events:
            stage.plugins.publish(event)
        await stage.plugins.drain(5)
        heard = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        assert heard == [event for event in events if event["seq"] != 3]


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        ("42", 'became_master returned 42: return None or {"output": str, "exit": int}'),
        ("{'exitcode': 1}", 'became_master returned the key exitcode: return None or {"output": str, "exit": int}'),
        ("{'exit': 'x'}", "invalid literal for int()"),
    ],
)
async def test_an_answer_of_the_wrong_kind_is_an_error_that_says_what_is_right(write, play, returned, error):
    async with play(write(f"@hookimpl\ndef became_master(): return {returned}")) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        assert error in stage.status().results[0].error


async def test_a_script_that_fails_counts_and_is_told_each_time_with_its_last_words(write, play, capsys):
    plugin = write(
        """
        @hookimpl
        def became_master(change):
            return {"output": f"line one\\nno route {change.seq}\\n", "exit": 3, "command": "/etc/notify.sh"}
        @hookimpl
        def became_backup(): return {"output": "all is well", "exit": 0}
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER", 1)
        stage.deliver("BACKUP", 2)
        stage.deliver("MASTER", 3)
        await stage.plugins.drain(5)
        status = stage.status()
        assert (status.state, status.failures, status.restarts) == ("running", 2, 0)
        assert status.last_error == "became_master VI_1: /etc/notify.sh: exit 3: no route 3"
        failed = {"plugin": "local", "instance": "VI_1", "hook": "became_master", "exit": 3, "state": "running"}
        assert stage.notices == [
            ("plugin_failed", {**failed, "detail": f"/etc/notify.sh: exit 3: no route {seq}"}) for seq in (1, 3)
        ]
    said = capsys.readouterr().out
    assert "line one" in said
    assert "all is well" in said


async def test_an_event_hook_that_fails_on_and_on_is_an_event_once(write, play):
    async with play(write("@hookimpl\ndef event(): return {'output': 'mail server is down', 'exit': 1}")) as stage:
        for seq in range(3):
            stage.plugins.publish({"seq": seq, "type": "announced"})
        await stage.plugins.drain(5)
        assert (stage.status().failures, stage.failures()) == (3, ["exit 1: mail server is down"])


async def test_only_the_end_of_a_long_output_is_kept(write, play):
    async with play(
        write("@hookimpl\ndef became_master(): return {'output': 'x' * 10**6 + 'end', 'exit': 0}")
    ) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        output = stage.status().results[0].output
        assert (len(output), output[-4:]) == (4000, "xend")


async def test_before_release_is_bounded_by_its_budget(write, play, tmp_path):
    plugin = write(
        f"""
        import threading
        @hookimpl
        def before_release(router, budget):
            open("{tmp_path}/log", "w").write(f"{{router.name}} {{budget}}")
            threading.Event().wait()
        """
    )
    async with play(plugin) as stage:
        await stage.state("running")
        await stage.plugins.before_release([stage.router()], 0.3)
        assert (tmp_path / "log").read_text() == "VI_1 0.3"
        await stage.until(lambda: stage.failures() == ["before_release took longer than 0.3s"])


async def test_instances_are_prepared_beside_each_other_within_one_budget(write, play, instance):
    plugin = write(
        """
        import threading
        both = threading.Barrier(2)
        @hookimpl
        def before_release(router, budget):
            both.wait(budget)
            return {"output": f"{router.name} is drained", "exit": 0}
        """
    )
    async with play(plugin, instances=(instance("VI_1"), instance("VI_2"))) as stage:
        await stage.state("running")
        await stage.plugins.before_release([stage.router("VI_1"), stage.router("VI_2")], 5)
        assert (stage.status().failures, stage.failures()) == (0, [])


async def test_one_that_hangs_costs_its_process_and_never_the_other_plugins_time(write, play):
    hanging = write("import threading\n@hookimpl\ndef before_release(): threading.Event().wait()")
    quick = write("@hookimpl\ndef before_release(): return {'output': 'flushed', 'exit': 2}", name="quick")
    async with play(hanging, quick) as stage:
        await stage.state("running")
        await stage.state("running", "quick")
        await stage.plugins.before_release([stage.router()], 0.3)
        await stage.until(lambda: len(stage.failures()) == 2)
        assert stage.failures() == ["exit 2: flushed", "before_release took longer than 0.3s"]
        assert stage.status("quick").restarts == 0


async def test_drain_returns_when_its_time_is_over(write, play):
    async with play(write("import threading\n@hookimpl\ndef stopped(): threading.Event().wait()")) as stage:
        stage.deliver("STOP")
        await stage.plugins.drain(0.2)
        assert stage.status().queued == 1


async def test_a_changed_plugin_is_replaced_and_its_events_are_delivered_by_the_successor(write, play, config):
    plugin = write("@hookimpl\ndef became_master(): os._exit(1)")
    same = write("@hookimpl\ndef faulted(): pass", name="same")
    async with play(plugin, same) as stage:
        await stage.state("running", "same")
        pid = stage.status("same").pid
        stage.deliver("MASTER")
        changed = write(
            """
            @hookimpl
            def options(): return dict_of
            class dict_of(__import__("msgspec").Struct):
                word: str
            @hookimpl
            def configure(options): globals().update(word=options.word)
            @hookimpl
            def became_master(change): return {"output": f"{change.seq} {word}", "exit": 0}
            """,
            options={"word": "new"},
        )
        await stage.plugins.reconfigure(config(plugins=(changed, same)))
        await stage.plugins.drain(5)
        assert stage.status().results[-1].output == "1 new"
        assert stage.status("same").pid == pid
        await stage.plugins.reconfigure(config(plugins=(same,)))
        assert [status.name for status in stage.plugins.snapshot()] == ["same"]


STEADY = """
delivery, replay = "latest", True
@hookimpl
def became_master(router, change):
    return {"output": f"{router.name} {change.seq} {change.attempt} {change.missed} {change.replayed}", "exit": 0}
became_backup = hookimpl(became_master)
"""


async def test_a_plugin_that_wants_the_latest_and_a_replay_gets_them_from_a_real_process(write, play):
    async with play(write(STEADY)) as stage:
        for state in ("BACKUP", "MASTER", "BACKUP", "MASTER"):  # before it said that the latest is enough
            stage.deliver(state)
        await stage.plugins.drain(15)
        os.kill(stage.status().pid, signal.SIGKILL)
        await stage.until(lambda: ("plugin_restarted", {"plugin": "local", "restarts": 1}) in stage.notices)
        await stage.plugins.drain(15)
        status = stage.status()
        assert [result.output for result in status.results] == ["VI_1 4 1 3 False", "VI_1 4 1 0 True"]
        assert (status.delivery, status.events.superseded, status.events.replayed) == ("latest", 3, 1)


async def test_what_the_configuration_says_of_delivery_has_the_last_word(write, play):
    async with play(write(STEADY, delivery="every", replay=False)) as stage:
        for state in ("BACKUP", "MASTER"):
            stage.deliver(state)
        await stage.plugins.drain(15)
        os.kill(stage.status().pid, signal.SIGKILL)
        await stage.until(lambda: ("plugin_restarted", {"plugin": "local", "restarts": 1}) in stage.notices)
        assert [result.output for result in stage.status().results] == ["VI_1 1 1 0 False", "VI_1 2 1 0 False"]
        assert stage.status().queued == 0


async def test_a_plugin_that_the_configuration_loses_says_what_it_was_not_told(write, play, config):
    slow, other = (
        write("import threading\n@hookimpl\ndef became_master(): threading.Event().wait()"),
        write("", "other"),
    )
    write("@hookimpl\ndef faulted(): pass", name="other")
    async with play(slow, other) as stage:
        await stage.state("running")
        stage.deliver("MASTER")
        stage.deliver("MASTER")
        await stage.plugins.reconfigure(config(plugins=(other,)))
        why = "not delivered: the plugin is not in the configuration any more"
        assert stage.failures() == [f"2 events (seq 1 to 2) {why}"]
