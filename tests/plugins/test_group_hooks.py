"""What plugins hear of sync groups, and a check of a group that runs once for all of its members."""

from __future__ import annotations

from dataclasses import replace

from hafw.daemon.plugins.mailbox import Letter, Mailbox
from hafw.pipe import GroupChange

MEMBERS = ("VI_1", "VI_2")


def change(new="MASTER"):
    return GroupChange(
        seq=3,
        time="2026-11-22T21:14:02.118Z",
        group="VG_1",
        members=MEMBERS,
        old="BACKUP",
        new=new,
        reason="no-response",
        instance="VI_1",
    )


def test_a_letter_about_a_group_waits_for_what_its_members_were_to_be_told_before():
    box = Mailbox()
    box.put("VI_1", Letter("became_master"))
    about = Letter("group_changed", group_change=change())
    box.put("group VG_1", about)
    box.put("VI_2", Letter("became_backup"))
    assert not box.is_ready(about)
    box.done("VI_1")
    assert box.is_ready(about), "what came later is not waited for"


async def test_a_group_is_told_of_after_its_members_and_its_failure_is_one_of_the_group(write, play, instance):
    plugin = write(
        """
        told = []
        @hookimpl
        def became_master(router):
            if router.name == "VI_2":
                time.sleep(0.2)
            told.append(router.name)
        @hookimpl
        def group_changed(group, change):
            said = f"{' '.join(told)} {group.name} {'+'.join(group.members)} {change.new} {change.priority}"
            return {"output": said, "exit": 3}
        """
    )
    async with play(plugin, instances=tuple(map(instance, MEMBERS))) as stage:
        for name in MEMBERS:
            stage.deliver("MASTER", 1, name)
        stage.plugins.deliver_group(change())
        stage.plugins.deliver_group(change("INITIALIZE"))  # of which nobody hears
        await stage.plugins.drain(10)
        (result,) = [each for each in stage.status().results if each.hook == "group_changed"]
        assert (result.group, result.seq, result.exit) == ("VG_1", 3, 3)
        assert result.output == "VI_1 VI_2 VG_1 VI_1+VI_2 MASTER 0"
        (fields,) = [fields for kind, fields in stage.notices if kind == "plugin_failed"]
        assert (fields["group"], fields["hook"]) == ("VG_1", "group_changed")
        assert "instance" not in fields


async def test_a_check_of_a_group_runs_once_and_its_verdict_is_one_of_the_group(write, play, instance):
    plugin = write("@hookimpl\ndef check(router): return Verdict(True, router.name)")

    def member(name):
        made = instance(name, interval=0.02)
        checks = tuple(replace(each, group="VG_1") for each in made.checks)
        return replace(made, router=replace(made.router, group="VG_1"), checks=checks)

    async with play(plugin, instances=tuple(map(member, MEMBERS))) as stage:
        await stage.until(lambda: len(stage.verdicts) >= 3)
        assert {(each.router, each.check, each.detail) for each in stage.verdicts} == {("VG_1", "web", "VI_1")}
