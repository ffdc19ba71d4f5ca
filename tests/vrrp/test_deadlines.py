"""The heap of deadlines against the plain minimum."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from hafw.vrrp.deadlines import ENTRIES_PER_NAME, Deadlines

moments = st.sampled_from([0.0, 1.0, 2.0, 3.5, 7.0, inf])
steps = st.lists(st.tuples(st.sampled_from("abcd"), moments))


@given(steps)
def test_the_next_one_is_the_least_of_those_set_last(steps):
    heap, plain = Deadlines(), {}
    for name, deadline in steps:
        heap.set(name, deadline)
        plain[name] = deadline
        assert heap.next() == min(plain.values())


@given(steps, moments.filter(lambda moment: moment < inf))
def test_what_is_due_is_taken_once_and_in_order(steps, now):
    heap, plain = Deadlines(), {}
    for name, deadline in steps:
        heap.set(name, deadline)
        plain[name] = deadline
    due = [name for name in plain if plain[name] <= now]
    taken = heap.take(now)
    assert sorted(taken) == sorted(due)
    assert [plain[name] for name in taken] == sorted(plain[name] for name in due)
    assert heap.take(now) == []
    assert heap.next() == min((plain[name] for name in plain if name not in due), default=inf)


def test_a_deadline_that_moves_closer_for_ever_does_not_fill_the_memory():
    heap = Deadlines()
    for step in range(10_000):
        heap.set("a", 20_000.0 - step)
        assert len(heap._entries) <= ENTRIES_PER_NAME + 1
    assert heap.next() == 10_001.0
