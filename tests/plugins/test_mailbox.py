"""The queue of one plugin, without any process: what gives way to what, and that nothing vanishes unsaid."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hafw.daemon.plugins.mailbox import DROPPED, LETTERS_MAX, SUPERSEDED, Letter, Mailbox
from hafw.pipe import GroupChange, StateChange, VipChange

NEVER = "never asked for"


def state(seq: int, name: str = "VI_1", new: str = "MASTER") -> Letter:
    change = StateChange(seq=seq, time="", instance=name, old="BACKUP", new=new, reason="test", priority=100)
    return Letter("became_master", change=change)


def vip(seq: int, address: str) -> Letter:
    return Letter("vip_changed", vip_change=VipChange(seq=seq, time="", instance="VI_1", address=address, change="x"))


def event(seq: int) -> Letter:
    return Letter("event", event={"seq": seq, "type": "announced"})


def group(seq: int, *members: str) -> Letter:
    change = GroupChange(seq=seq, time="", group="VG_1", members=members, old="BACKUP", new="MASTER", reason="test")
    return Letter("group_changed", group_change=change)


class Box:
    """A mailbox, and what it said of losses."""

    def __init__(self, policy: str = "every") -> None:
        self.lost: list[tuple[str, int, str]] = []
        self.mailbox = Mailbox(lambda lane, letter, why: self.lost.append((lane, letter.seq, why)))
        self.mailbox.settle(policy, {"became_master", "vip_changed", "event", "group_changed"})

    def seqs(self, lane: str = "VI_1") -> list[tuple[int, int]]:
        """Of all that waits in a lane: the number, and how many it stands for beside itself."""
        return [(letter.seq, letter.missed) for name, letter in self.mailbox.letters if name == lane]


def test_every_keeps_every_event_in_order():
    box = Box()
    for seq in range(1, 6):
        box.mailbox.put("VI_1", state(seq))
    assert (box.seqs(), box.lost) == ([(seq, 0) for seq in range(1, 6)], [])


def test_latest_keeps_the_latest_state_and_says_how_many_it_stands_for():
    box = Box("latest")
    for seq in (1, 3, 4):
        box.mailbox.put("VI_1", state(seq))
    box.mailbox.put("VI_2", state(2, "VI_2"))
    assert (box.seqs(), box.seqs("VI_2")) == ([(4, 2)], [(2, 0)])
    assert box.lost == [("VI_1", 1, SUPERSEDED), ("VI_1", 3, SUPERSEDED)]


def test_latest_keeps_the_latest_of_every_address_beside_the_state():
    box = Box("latest")
    for letter in (state(1), vip(2, "a"), vip(3, "b"), vip(4, "a"), state(5)):
        box.mailbox.put("VI_1", letter)
    assert box.seqs() == [(3, 0), (4, 1), (5, 1)]


def test_latest_never_takes_away_what_somebody_is_at_work_on():
    box = Box("latest")
    box.mailbox.put("VI_1", state(1))
    assert box.mailbox.take("VI_1").seq == 1
    box.mailbox.put("VI_1", state(2))
    box.mailbox.put("VI_1", state(3))
    assert box.seqs() == [(1, 0), (3, 1)]
    box.mailbox.done("VI_1")
    assert box.mailbox.take("VI_1").seq == 3


def test_latest_does_not_deliver_again_what_has_been_superseded_meanwhile():
    box = Box("latest")
    box.mailbox.put("VI_1", state(1))
    box.mailbox.take("VI_1")
    box.mailbox.put("VI_1", state(2))
    box.mailbox.put_back("VI_1")
    assert (box.seqs(), box.lost) == ([(2, 1)], [("VI_1", 1, SUPERSEDED)])


def test_latest_keeps_every_event_of_the_stream_for_each_is_about_something_else():
    box = Box("latest")
    for seq in range(1, 4):
        box.mailbox.put("", event(seq))
    assert (box.seqs(""), box.lost) == ([(1, 0), (2, 0), (3, 0)], [])


def test_what_came_before_the_plugin_said_its_policy_obeys_it_too():
    box = Box()
    for letter in (state(1), vip(2, "a"), state(3)):
        box.mailbox.put("VI_1", letter)
    box.mailbox.settle("latest", {"became_master", "vip_changed"})
    assert box.seqs() == [(2, 0), (3, 1)]


def test_what_no_hook_is_there_for_is_not_kept_and_is_no_loss():
    box = Box()
    for lane, letter in (("VI_1", state(1)), ("", event(2)), ("VI_1", vip(3, "a"))):
        box.mailbox.put(lane, letter)
    assert [letter.seq for letter in box.mailbox.settle("every", {"vip_changed"})] == [1, 2]
    assert (box.seqs(), box.mailbox.lanes, len(box.mailbox), box.lost) == ([(3, 0)], ("VI_1",), 1, [])


def test_a_full_box_drops_the_oldest_that_has_a_newer_one_of_its_kind_and_never_the_one_at_work():
    box = Box()
    box.mailbox.put("VI_2", state(1, "VI_2"))
    for seq in range(2, LETTERS_MAX + 7):
        box.mailbox.put("VI_1", state(seq))
        if seq == 2:
            box.mailbox.take("VI_1")
    assert len(box.mailbox) == LETTERS_MAX
    assert box.seqs("VI_2") == [(1, 0)]
    assert box.seqs()[:3] == [(2, 0), (9, 6), (10, 0)]
    assert box.lost == [("VI_1", seq, DROPPED) for seq in range(3, 9)]


def test_last_words_are_never_dropped_however_many_there_are():
    box = Box()
    for number in range(LETTERS_MAX + 10):
        box.mailbox.put(f"VI_{number}", state(number, f"VI_{number}"))
        box.mailbox.put("VI_1", vip(number, f"address {number}"))
    assert (len(box.mailbox), box.lost) == (2 * (LETTERS_MAX + 10), [])


def test_a_flood_of_events_does_not_push_out_the_states():
    box = Box()
    for seq in range(10):
        box.mailbox.put("VI_1", state(seq))
    for seq in range(2 * LETTERS_MAX):
        box.mailbox.put("", event(seq))
    assert box.seqs() == [(seq, 0) for seq in range(10)]
    assert {lane for lane, _, _ in box.lost} == {""}


def test_a_group_is_told_after_its_members():
    box = Box("latest")
    box.mailbox.put("VI_1", state(1))
    box.mailbox.put("group VG_1", group(2, "VI_1", "VI_2"))
    assert box.mailbox.take("group VG_1") is None
    box.mailbox.take("VI_1")
    box.mailbox.done("VI_1")
    assert box.mailbox.take("group VG_1").seq == 2


def test_an_emptied_box_is_in_the_order_in_which_things_happened():
    box = Box()
    box.mailbox.put("VI_1", state(1))
    box.mailbox.put("VI_2", state(2, "VI_2"))
    box.mailbox.put("VI_1", state(3))
    assert [(lane, letter.seq) for lane, letter in box.mailbox.empty()] == [("VI_1", 1), ("VI_2", 2), ("VI_1", 3)]
    assert (len(box.mailbox), box.mailbox.lanes) == (0, ())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(["VI_1", "VI_2"]), st.sampled_from(["", "a", "b"])),
        st.tuples(st.sampled_from(["take", "done", "put_back"]), st.sampled_from(["VI_1", "VI_2"]), st.just("")),
        st.tuples(st.just("event"), st.just(""), st.just("")),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from(["every", "latest"]), st.integers(2, 8))
def test_whatever_happens_order_is_kept_everything_is_accounted_for_and_last_words_arrive(steps, policy, room):
    """Against a plain record of all that was put: delivered, lost and told, or still there, and each exactly once."""
    from hafw.daemon.plugins import mailbox as module  # noqa: PLC0415 - for its limit

    before, module.LETTERS_MAX = module.LETTERS_MAX, room
    try:
        live_through(steps, policy)
    finally:
        module.LETTERS_MAX = before


def live_through(steps, policy):
    box = Box(policy)
    put: list[tuple[str, str, int]] = []
    answered: list[tuple[str, Letter]] = []
    out: dict[str, Letter] = {}
    for seq, (step, lane, subject) in enumerate(steps, 1):
        if step in {"put", "event"}:
            letter = event(seq) if step == "event" else vip(seq, subject) if subject else state(seq, lane)
            box.mailbox.put(lane, letter)
            put.append((lane, subject, seq))
        elif step == "take" and lane not in out and (letter := box.mailbox.take(lane)):
            out[lane] = letter
        elif step != "take" and lane in out:
            letter = out.pop(lane)
            getattr(box.mailbox, step)(lane)
            if step == "done":
                answered.append((lane, letter))
    answered += box.mailbox.empty()
    arrived = [(lane, letter.seq) for lane, letter in answered]
    assert Counter([*arrived, *((lane, seq) for lane, seq, _ in box.lost)]) == Counter((p[0], p[2]) for p in put)
    for name in ("", "VI_1", "VI_2"):
        in_lane = [seq for lane, seq in arrived if lane == name]
        assert in_lane == sorted(in_lane)
        for subject in ("", "a", "b"):
            about = [seq for lane, what, seq in put if (lane, what) == (name, subject)]
            came = [
                (letter.seq, letter.missed) for lane, letter in answered if (lane, letter.subject) == (name, subject)
            ]
            assert not about or came[-1][0] == about[-1], "the last word arrives"
            for (earlier, _), (later, missed) in zip([(0, 0), *came], came, strict=False):
                assert missed == sum(earlier < seq < later for seq in about), "it says how many it stands for"
