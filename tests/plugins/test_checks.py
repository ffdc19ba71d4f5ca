"""Beside everything else: checks at their interval, monitors, and failing closed."""

from __future__ import annotations

import dataclasses

import pytest
import trio

from hafw.vrrp.events import VerdictReported

GRACE = 1.0
"""Seconds; longer than a process takes to start on a busy machine."""


def told(verdicts, **wanted):
    return [each for each in verdicts if all(getattr(each, name) == value for name, value in wanted.items())]


async def test_verdicts_reach_every_router_that_uses_the_check(write, play, instance):
    plugin = write(
        """
        runs = 0
        @hookimpl
        def check():
            global runs
            runs += 1
            return Verdict(runs != 2, f"run {runs}")
        """
    )
    instances = (instance("VI_1", interval=0.02), instance("VI_2", interval=0.02), instance("VI_3"))
    async with play(plugin, instances=instances) as stage:
        await stage.until(lambda: len(stage.verdicts) >= 6)
        heard = [(each.router, each.check, each.healthy, each.detail) for each in stage.verdicts[:6]]
        assert heard == [
            ("VI_1", "web", True, "run 1"),
            ("VI_2", "web", True, "run 1"),
            ("VI_1", "web", False, "run 2"),
            ("VI_2", "web", False, "run 2"),
            ("VI_1", "web", True, "run 3"),
            ("VI_2", "web", True, "run 3"),
        ], "without router it runs once for both"


async def test_a_check_that_takes_the_router_runs_for_each(write, play, instance):
    plugin = write("@hookimpl\ndef check(router): return Verdict(True, f'{router.name} {router.addresses[0].address}')")
    instances = (instance("VI_1", interval=5.0), instance("VI_2", ("192.0.2.20",), interval=5.0))
    async with play(plugin, instances=instances) as stage:
        await stage.until(lambda: len(stage.verdicts) == 2)
        assert {(each.router, each.detail) for each in stage.verdicts} == {
            ("VI_1", "VI_1 192.0.2.10"),
            ("VI_2", "VI_2 192.0.2.20"),
        }


async def test_instances_that_ask_at_different_intervals_are_asked_separately(write, play, instance):
    plugin = write("@hookimpl\ndef check(): return Verdict(True)")
    instances = (instance("VI_1", interval=60.0), instance("VI_2", interval=0.02))
    async with play(plugin, instances=instances) as stage:
        await stage.until(lambda: len(told(stage.verdicts, router="VI_2")) == 5)
        assert len(told(stage.verdicts, router="VI_1")) == 1


async def test_a_check_that_hangs_has_failed_and_is_run_again_in_a_new_process(write, play, instance, tmp_path):
    plugin = write(
        f"""
        import threading, pathlib
        once = pathlib.Path("{tmp_path}/once")
        needs_root = True
        @hookimpl
        def check():
            if not once.exists():
                once.touch()
                threading.Event().wait()
            return Verdict(True, "back")
        """
    )
    async with play(plugin, instances=(instance(interval=0.05, timeout=0.2),)) as stage:
        await stage.until(lambda: told(stage.verdicts, healthy=True))
        first, second = stage.verdicts[:2]
        assert first == VerdictReported("VI_1", "web", False, "no answer within 0.2s", 0.2)
        assert (second.healthy, second.detail) == (True, "back")
        assert stage.failures() == ["check took longer than 0.2s"]


async def test_a_check_that_raises_has_failed(write, play, instance):
    plugin = write("@hookimpl\ndef check(): return 1 / 0")
    async with play(plugin, instances=(instance(interval=0.02),)) as stage:
        await stage.until(lambda: len(stage.verdicts) == 3)
        assert {each.healthy for each in stage.verdicts} == {False}
        assert stage.verdicts[0].detail.startswith("check raised ZeroDivisionError: division by zero (")
        assert len(stage.failures()) == 1


async def test_true_is_no_verdict(write, play, instance):
    async with play(write("@hookimpl\ndef check(): return True"), instances=(instance(interval=60.0),)) as stage:
        await stage.until(lambda: stage.verdicts)
        assert "True is no Verdict: return Verdict(healthy, detail)" in stage.verdicts[0].detail


async def test_a_detail_is_one_line_and_not_a_page(write, play, instance):
    async with play(
        write("@hookimpl\ndef check(): return Verdict(False, 'a\\nb ' * 1000)"), instances=(instance(interval=60.0),)
    ) as stage:
        await stage.until(lambda: stage.verdicts)
        assert stage.verdicts[0].detail.startswith("a b a b ")
        assert len(stage.verdicts[0].detail) == 300


async def test_a_plugin_that_does_not_come_up_fails_closed_after_the_grace_time(write, play, instance, limits):
    limits = dataclasses.replace(limits, grace=GRACE)
    async with play(
        write("raise RuntimeError('broken')"), instances=(instance(interval=60.0),), limits=limits
    ) as stage:
        await stage.until(lambda: stage.verdicts)
        (verdict,) = stage.verdicts
        assert (verdict.healthy, verdict.immediate) == (False, True)
        assert verdict.detail.startswith("plugin local is not running: cannot be loaded: RuntimeError: broken")


async def test_a_plugin_that_dies_is_unknown_for_the_grace_time_then_failed_and_well_again_with_its_next_answer(
    write, play, instance, tmp_path, limits
):
    plugin = write(
        f"""
        import pathlib
        needs_root = True
        broken = pathlib.Path("{tmp_path}/broken")
        if broken.exists(): os._exit(3)
        @hookimpl
        def check(): return Verdict(True)
        """
    )
    limits = dataclasses.replace(limits, grace=GRACE, deaths=1000)
    async with play(plugin, instances=(instance(interval=60.0),), limits=limits) as stage:
        await stage.until(lambda: stage.verdicts)
        (tmp_path / "broken").touch()
        died = trio.current_time()
        stage.plugins._hosts["local"]._child.kill("killed by the test")
        await stage.until(lambda: told(stage.verdicts, healthy=False))
        assert trio.current_time() >= died + limits.grace
        assert len(stage.verdicts) == 2
        assert stage.verdicts[1].detail.startswith("plugin local is not running: ")
        (tmp_path / "broken").unlink()
        await stage.until(lambda: stage.verdicts[-1].healthy)


async def test_a_quick_restart_is_no_failure(write, play, instance):
    plugin = write("@hookimpl\ndef check(): return Verdict(True, str(os.getpid()))")
    async with play(plugin, instances=(instance(interval=60.0),)) as stage:
        await stage.until(lambda: stage.verdicts)
        stage.plugins._hosts["local"]._child.kill("killed by the test")
        await stage.until(lambda: len({each.detail for each in stage.verdicts}) == 2)
        assert [each.healthy for each in stage.verdicts] == [True, True]


async def test_a_monitor_is_heard_at_once_and_past_fall(write, play, instance):
    plugin = write(
        """
        import threading
        @hookimpl
        def check(): return Verdict(True, "checked")
        @hookimpl
        def monitor(router, report):
            report(Verdict(False, f"{router.name}: process 17 died", immediate=True))
            threading.Event().wait()
        """
    )
    async with play(plugin, instances=(instance("VI_1", interval=60.0), instance("VI_2", interval=60.0))) as stage:
        await stage.until(lambda: len(told(stage.verdicts, healthy=False)) == 2)
        assert {
            (each.router, each.check, each.detail, each.immediate) for each in told(stage.verdicts, healthy=False)
        } == {
            ("VI_1", "web", "VI_1: process 17 died", True),
            ("VI_2", "web", "VI_2: process 17 died", True),
        }


async def test_a_monitor_without_router_speaks_for_all(write, play, instance):
    plugin = write(
        "@hookimpl\ndef monitor(report): report(Verdict(True, 'well'))\n@hookimpl\ndef check(): return Verdict(True)"
    )
    async with play(plugin, instances=(instance("VI_1", interval=60.0), instance("VI_2", interval=60.0))) as stage:
        await stage.until(lambda: len(told(stage.verdicts, detail="well")) == 2)
        assert {each.router for each in told(stage.verdicts, detail="well")} == {"VI_1", "VI_2"}


async def test_a_monitor_that_raises_is_called_again(write, play, instance, monkeypatch):
    monkeypatch.setattr("hafw.daemon.plugins.beside.MONITOR_PAUSE", 0.01)
    plugin = write(
        """
        calls = 0
        @hookimpl
        def monitor(report):
            global calls
            calls += 1
            if calls < 3: raise OSError(f"no netlink, call {calls}")
            report(Verdict(True, f"call {calls}"))
            __import__("threading").Event().wait()
        """
    )
    async with play(plugin, instances=(instance(interval=60.0),)) as stage:
        await stage.until(lambda: told(stage.verdicts, detail="call 3"))
        assert [each.healthy for each in stage.verdicts] == [False, False, True], "no check would notice"
        assert "monitor raised OSError: no netlink, call 1" in stage.verdicts[0].detail


async def test_a_monitor_that_floods_is_ended(write, play, instance):
    plugin = write(
        """
        @hookimpl
        def check(): return Verdict(True)
        @hookimpl
        def monitor(report):
            while True: report(Verdict(True))
        """
    )
    async with play(plugin, instances=(instance(interval=60.0),)) as stage:
        await stage.until(stage.failures)
        assert stage.failures()[0] == "reported more than 100 verdicts in a second"
        assert len(stage.verdicts) <= 102


@pytest.mark.parametrize("source", ["@hookimpl\ndef faulted(): pass", "@hookimpl\ndef takeover(router): return []"])
async def test_a_check_that_names_a_plugin_without_one_fails(write, play, instance, source):
    async with play(write(source), instances=(instance(interval=60.0),)) as stage:
        await stage.until(lambda: stage.verdicts)
        assert (stage.verdicts[0].healthy, stage.verdicts[0].detail) == (
            False,
            "its plugin has neither check nor monitor",
        )


async def test_a_reversed_check_takes_the_plugin_s_word_the_other_way_round_and_no_other(write, play, instance):
    """What hangs or raises has failed: reverse is no way to be healthy by it."""
    plugin = write(
        """
        runs = 0
        @hookimpl
        def check():
            global runs
            runs += 1
            if runs == 3:
                raise RuntimeError("broken")
            return Verdict(runs == 1, f"run {runs}")
        """
    )
    async with play(plugin, instances=(instance("VI_1", reverse=True), instance("VI_2", reverse=False))) as stage:
        await stage.until(lambda: len(stage.verdicts) >= 6)
        heard = [(each.router, each.healthy) for each in stage.verdicts[:6]]
        assert heard == [
            ("VI_1", False),
            ("VI_2", True),
            ("VI_1", True),
            ("VI_2", False),
            ("VI_1", False),
            ("VI_2", False),
        ]


async def test_a_reversed_monitor_is_taken_the_other_way_round_too(write, play, instance):
    plugin = write(
        "@hookimpl\ndef monitor(report):\n    report(Verdict(True, 'up', factor=3)); import time; time.sleep(600)"
    )
    async with play(plugin, instances=(instance(reverse=True),)) as stage:
        await stage.until(lambda: stage.verdicts)
        assert [(each.healthy, each.factor) for each in stage.verdicts] == [(False, 3)]
