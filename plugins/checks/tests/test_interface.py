from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from hafw_checks.interface import Interface, Options

from hafw.api import Verdict


def test_an_interface_that_does_not_exist_is_named_and_warned_of():
    plugin = Interface()
    with pytest.warns(UserWarning, match=r'interfaces\[1\]: = "hafw-none": does not exist on this machine now'):
        plugin.configure(Options(interfaces=("lo", "hafw-none")))
    assert plugin.check() == Verdict(False, "hafw-none does not exist")


def test_as_many_as_are_needed_are_enough():
    plugin = Interface()
    with pytest.warns(UserWarning, match="hafw-none"):
        plugin.configure(Options(interfaces=("lo", "hafw-none"), need=1))
    assert plugin.check() == Verdict(True, "hafw-none does not exist; 1 of 2 up, 1 needed")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"interfaces": ("",)},
            'interfaces[0]: = "": must be the name of an interface: 1 to 15 octets, no blank, no /',
        ),
        (
            {"interfaces": ("a" * 16,)},
            f'interfaces[0]: = "{"a" * 16}": must be the name of an interface: 1 to 15 octets, no blank, no /',
        ),
        ({"interfaces": ("lo", "lo")}, 'interfaces[1]: = "lo": is there twice'),
        ({"interfaces": ("lo",), "need": 2}, "need: = 2: must be at most 1, the number of interfaces"),
    ],
)
def test_mistakes_are_refused(options, message):
    with pytest.raises(ValueError, match=r"interfaces|need") as caught:
        Interface().configure(Options(**options))
    assert str(caught.value) == message


STORY = """
    import queue, subprocess, threading
    from hafw_checks.interface import Interface, Options

    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    ip("link", "add", "hafw0", "type", "veth", "peer", "name", "hafw1")
    ip("link", "set", "hafw0", "up")
    ip("link", "set", "hafw1", "up")
    plugin, reports = Interface(), queue.Queue()
    plugin.configure(Options(interfaces=("hafw0",)))
    while not plugin.check().healthy:
        pass
    threading.Thread(target=plugin.monitor, args=[reports.put], daemon=True).start()

    def told():
        verdict = reports.get(timeout=20)
        print(verdict.healthy, verdict.immediate, verdict.detail, flush=True)

    told()
    ip("link", "set", "hafw1", "down")
    told()
    ip("link", "set", "hafw1", "up")
    told()
    ip("link", "set", "hafw0", "down")
    told()
    ip("link", "delete", "hafw0")
    print(plugin.check().detail, flush=True)
"""


@pytest.mark.wire
def test_each_change_is_reported_when_the_kernel_announces_it():
    """The whole story in a namespace of its own."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", textwrap.dedent(STORY)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "True False hafw0 up",
        "False True hafw0 has no carrier",
        "True True hafw0 up",
        "False True hafw0 is down",
        "hafw0 does not exist",
    ]
