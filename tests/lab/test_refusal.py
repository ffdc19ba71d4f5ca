"""Where namespaces are denied, the demo says which step, why, and the way out; and it runs wherever they are not."""

import ctypes
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

TREE = Path(__file__).parents[2]
UNSHARE = {"x86_64": 272, "aarch64": 97}
SETNS = {"x86_64": 308, "aarch64": 268}
BUILD = """
import sys
from hafw.lab import namespaces
from hafw.lab.network import Lab
from hafw.lab.ruler import Ruler
one_user = namespaces.enter()
with Lab() as lab:
    lab.add_host("lb1", "10.77.0.1/24", "fe80::1/64")
    lab.add_host("client", "10.77.0.100/24", "fe80::100/64")
    lab.capture()
    assert Ruler(lab, "client", "10.77.0.1", kind="ping").wait_for_answer(since=0.0, timeout=10)
print(one_user)
"""
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.fixture(autouse=True)
def _root():
    if os.geteuid() != 0:
        pytest.skip("simulating a denial needs root")


def run(argv, path=(), **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), *path])}
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment, check=False, **options)


def demo_says(prefix=(), **options):
    done = run([*prefix, sys.executable, "-m", "hafw", "demo"], **options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def deny(call):
    """What a container's seccomp profile does to a system call."""
    libc = ctypes.CDLL(None)
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, call[platform.machine()]), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    described = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(program)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, described, 0, 0) == 0


def in_user_namespace(setting, then):
    """A user namespace of its own is where a limit can be set that binds nobody else."""
    return ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > /proc/sys/user/{setting}; {then} "$@"', "-"]


def test_the_lab_is_built_with_the_capabilities_in_place():
    done = run([sys.executable, "-c", BUILD])
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_lab_is_built_by_an_ordinary_user_in_a_user_namespace(for_everybody):
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/", "TMPDIR=/tmp"]
    done = run([*for_everybody, *as_nobody, sys.executable, "-c", BUILD], path=sys.path[1:])
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_lab_is_built_where_proc_sys_and_sys_are_read_only_as_in_a_container():
    protect = (
        "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
        ' && mount --bind /sys /sys && mount -o remount,bind,ro /sys && exec "$@"'
    )
    done = run(["unshare", "--mount", "sh", "-c", protect, "-", sys.executable, "-c", BUILD])
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_no_user_namespaces_left_names_the_limit():
    said = demo_says(in_user_namespace("max_user_namespaces", " ".join(WITHOUT_CAPABILITIES)))
    assert said.startswith("hafw demo: cannot make a user namespace: No space left on device\n")
    assert "sudo sysctl user.max_user_namespaces=10000" in said


def test_no_network_namespaces_left_names_the_limit():
    said = demo_says(in_user_namespace("max_net_namespaces", ""))
    assert said.startswith("hafw demo: cannot make a network namespace to come back to: No space left on device\n")
    assert "sudo sysctl user.max_net_namespaces=10000" in said


@pytest.mark.skipif(platform.machine() not in UNSHARE, reason="the number of the system call is not known")
@pytest.mark.parametrize("call", [UNSHARE, SETNS], ids=["unshare", "setns"])
def test_a_seccomp_profile_is_named_with_what_docker_wants(call):
    said = demo_says(preexec_fn=lambda: deny(call))
    assert said.startswith("hafw demo: cannot make a network namespace")
    assert ": Operation not permitted\n" in said
    assert "docker run --security-opt seccomp=unconfined" in said


def test_a_machine_without_iproute2_names_the_package():
    said = demo_says(["env", "PATH=/nonexistent"])
    assert said.startswith("hafw demo: cannot start ip (package iproute2): No such file or directory\n")


def test_nothing_is_left_of_a_refused_lab(public_directory):
    demo_says(["env", "PATH=/nonexistent", f"TMPDIR={public_directory}"])
    assert not list(public_directory.iterdir())
