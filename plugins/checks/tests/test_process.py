from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess

import pytest
from hafw_checks.process import Options, Pattern, Process, search

from hafw.api import Duration, Verdict

SLEEP = shutil.which("sleep")


@pytest.fixture
def name(request):
    """One that nobody else uses, as long as the kernel keeps it."""
    return f"hafw{os.getpid()}x{abs(hash(request.node.name)) % 1000}"[:15]


@pytest.fixture
def start(tmp_path, name):
    """Run a program of this name with these arguments."""
    program = tmp_path / name
    shutil.copy(SLEEP, program)
    with contextlib.ExitStack() as ends:

        def start(*arguments: str) -> subprocess.Popen:
            process = subprocess.Popen([program, *(arguments or ("600",))])
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize(
    ("words", "match", "argv", "fits"),
    [
        (["nginx"], "exact", ["/usr/sbin/nginx", "-g", "x"], True),
        (["/usr/sbin/nginx"], "exact", ["/usr/sbin/nginx"], True),
        (["/opt/nginx"], "exact", ["/usr/sbin/nginx"], False),
        (["ngin"], "exact", ["nginx"], False),
        (["python3", "app.py"], "exact", ["python3", "app.py"], True),
        (["python3", "app.py"], "exact", ["python3", "app.py", "-v"], False),
        (["python3", "app.py"], "initial", ["python3", "app.py", "-v"], True),
        (["python3", "app.py"], "initial", ["python3", "-v", "app.py"], False),
        (["python3", "app.py"], "any", ["python3", "-v", "app.py"], True),
        (["python3", "app.py"], "any", ["python3", "-v"], False),
    ],
)
def test_a_process_is_known_by_its_program_and_its_arguments(words, match, argv, fits):
    argv = [each.encode() for each in argv]
    assert Pattern(words, match).fits(b"whatever", argv) is fits


def test_a_script_is_known_by_the_name_that_the_kernel_keeps_of_it():
    assert Pattern(["a_script_with_a_long_name"], "exact").fits(b"a_script_with_a", [b"/bin/sh", b"/etc/x"])


def test_it_is_found_while_it_runs_and_a_zombie_is_not(start, name, until):
    process = start()
    until(lambda: search(Pattern([name], "exact")) == [process.pid])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert search(Pattern([name], "exact")) == []


def test_enough_and_not_too_many_is_healthy(start, name, until):
    plugin = Process()
    plugin.configure(Options(process=name, quorum=2, quorum_max=2))
    start()
    until(lambda: plugin.check() == Verdict(False, f"1 {name} running, 2 to 2 needed"))
    start()
    until(lambda: plugin.check() == Verdict(True, f"2 {name} running, 2 to 2 needed"))
    start()
    until(lambda: plugin.check() == Verdict(False, f"3 {name} running, 2 to 2 needed"))


def test_a_death_is_reported_at_once_and_a_new_one_is_for_the_check_to_see(start, name, until, watched):
    first = start()
    until(lambda: search(Pattern([name], "exact")))
    plugin = Process()
    report = watched(plugin, Options(process=name))
    assert report() == Verdict(True, f"1 {name} running, 1 needed")
    first.send_signal(signal.SIGKILL)
    assert report() == Verdict(False, f"0 {name} running, 1 needed", immediate=True)
    second = start()
    until(lambda: plugin.check() == Verdict(True, f"1 {name} running, 1 needed"))
    second.kill()
    assert not report().healthy, "nothing was reported between the two deaths"


def test_a_planned_restart_has_its_time(start, name, until):
    plugin = Process()
    plugin.configure(Options(process=name, down_delay=Duration(3600)))
    first = start()
    until(lambda: plugin.check().healthy and plugin._count == 1)
    first.kill()
    until(lambda: "0 " in plugin.check().detail)
    assert plugin.check().healthy


def test_mistakes_are_refused_all_at_once():
    with pytest.raises(ValueError, match=": ") as caught:
        Process().configure(Options(process="nginx", match="any", quorum=3, quorum_max=2))
    assert str(caught.value) == (
        'match: = "any": has a meaning with arguments only: leave it out\n'
        "quorum_max: = 2: must be at least quorum, which is 3"
    )


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ("", "process: must not be empty: the name of a process, such as nginx"),
        ("'nginx", 'process: = "\'nginx": cannot be split into arguments: no closing quotation'),
    ],
)
def test_a_process_that_names_nothing_is_refused(process, message):
    with pytest.raises(ValueError, match=": ") as caught:
        Process().configure(Options(process=process))
    assert str(caught.value) == message
