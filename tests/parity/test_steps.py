"""The sequence itself, without a network: what it is made of, and what would be noticed."""

from dataclasses import replace

import pytest

from parity.compare import complaints
from parity.live import LANGUAGES, commands, page_of
from parity.pair import ADDRESS, HOSTS, INSTANCES
from parity.play import BEGIN, CASTS, END, REFERENCE, Rest
from parity.reasons import JUSTIFIED
from parity.steps import SHORT, STEPS

QUIET = dict.fromkeys(INSTANCES, "lb1")


def played(steps):
    """Every cast does as two keepalived do, but where a difference is listed."""
    rests = {
        cast: [Rest(step, QUIET, QUIET, {}) for step in (*BEGIN, *(each.name for each in steps), END)] for cast in CASTS
    }
    for reason in JUSTIFIED:
        for cast in reason.casts:
            for number, rest in enumerate(rests[cast]):
                for what in reason.what if rest.step in reason.steps else ():
                    rest = rests[cast][number] = changed(rest, what)  # noqa: PLW2901
    return rests


def changed(rest, what):
    kind, _, subject = what.rpartition(" of ")
    if kind == "MASTER":
        return replace(rest, masters={**rest.masters, subject: "lb2"})
    if kind == "address":
        return replace(rest, holders={**rest.holders, subject: "lb2"})
    return replace(rest, told={**rest.told, (kind.split()[0], subject): (("any", subject, "MASTER"),)})


def test_there_are_thirty_failures_and_each_of_them_has_a_name_of_its_own():
    assert sum(step.failure for step in STEPS) >= 30
    assert len({step.name for step in STEPS}) == len(STEPS)


@pytest.mark.parametrize("steps", [STEPS, SHORT], ids=["all", "short"])
def test_in_the_end_everything_is_mended(steps):
    """What a step leaves behind, the next cast of it would begin with."""
    state = {}
    neutral = {"mend": "cut", "start": "stop"}
    for act in (act for step in steps for act in step.acts):
        kind = neutral.get(act.verb, "stop" if act.verb == "kill" else act.verb)
        if act.verb not in ("crash", "remove"):
            state[kind, act.host, act.what] = act.value or act.verb in ("cut", "stop", "kill")
    assert not any(state.values())


def test_every_reason_is_of_steps_and_things_that_there_are():
    steps = {*BEGIN, *(each.name for each in STEPS), END}
    things = {f"{kind} of {name}" for kind in ("MASTER", "address") for name in ADDRESS}
    things |= {f"{host} is told of {name}" for host in HOSTS for name in (*INSTANCES, "VG_1")}
    for reason in JUSTIFIED:
        assert set(reason.steps) <= steps
        assert set(reason.what) <= things
        assert REFERENCE not in reason.casts


def test_what_is_listed_and_seen_is_no_complaint():
    assert complaints(played(STEPS), STEPS) == []


def test_a_difference_that_is_not_listed_is_one():
    rests = played(STEPS)
    first = rests[CASTS[1]][1]
    rests[CASTS[1]][1] = replace(first, masters={**first.masters, "VI_IN": "-"})
    (told,) = complaints(rests, STEPS)
    assert told == f"hafw + keepalived: {BEGIN[1]}: MASTER of VI_IN: not as with keepalived: lb1, here -"


def test_a_listed_one_that_is_gone_is_one():
    rests = played(STEPS)
    reason = next(each for each in JUSTIFIED if not each.chance)
    cast = reason.casts[0]
    rests[cast] = list(rests[REFERENCE])
    assert any(told.endswith("is listed, and was not seen") for told in complaints(rests, STEPS))


def test_both_pages_have_the_same_commands():
    english, chinese = (commands(page_of(language), language) for language in LANGUAGES)
    assert [(each.host, each.text, each.expected) for each in english] == [
        (each.host, each.text, each.expected) for each in chinese
    ]
    assert len(english) > 15
