import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from hafw.daemon.plugins.processes import session_of
from hafw.lab import routers
from hafw.lab.network import Lab
from hafw.lab.ruler import Ruler

pytestmark = pytest.mark.wire

CLIENT = "client"


@pytest.fixture
def lab():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with Lab() as lab:
        lab.add_host("lb1", "10.77.0.1/24", "fe80::1/64")
        lab.add_host(CLIENT, "10.77.0.100/24", "fe80::100/64")
        yield lab


@pytest.mark.parametrize("address", ["10.77.0.1", "fe80::1%eth0"])
def test_the_ruler_hears_every_answer_and_sees_the_cut(lab, address):
    ping = Ruler(lab, CLIENT, address, kind="ping")
    assert ping.wait_for_answer(since=0.0, timeout=10)
    cut = lab.cut("lb1")
    while not any(probe.sent > cut for probe in ping.read()):
        time.sleep(0.01)
    mended = lab.mend("lb1")
    assert ping.wait_for_answer(since=mended, timeout=10)
    outage = ping.outage(cut - 0.2, time.time())
    assert outage.lost > 0
    assert outage.longest >= ping.timeout


def test_a_page_says_who_served_it(lab):
    routers.start_web(lab, "lb1")
    pages = Ruler(lab, CLIENT, "10.77.0.1", kind="pages")
    assert pages.wait_for_answer("lb1", since=0.0, timeout=10)


def test_the_stand_in_serves_the_same_page_as_nginx(lab):
    pid_file = lab.path("lb1", "web.pid")
    web = lab.python("lb1", "hafw.lab.responder", "lb1", str(pid_file))
    pages = Ruler(lab, CLIENT, "10.77.0.1", kind="pages")
    assert pages.wait_for_answer("lb1", since=0.0, timeout=10)
    assert int(pid_file.read_text()) == web.pid
    assert Path(f"/proc/{web.pid}/comm").read_text() == "responder\n"


def test_the_capture_names_the_port_that_a_frame_came_in_on(lab):
    capture = lab.capture()
    claim = (
        "import socket, sys\n"
        "link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
        "link.bind(('eth0', 0))\n"
        "link.send(bytes.fromhex('ffffffffffff' '020000000001' '0806' '0001' '0800' '0604' '0001'"
        " '020000000001' '0a4d00fa' '000000000000' '0a4d00fa'))\n"
    )
    before = time.time()
    lab.run("lb1", ["python3", "-c", claim])
    (heard,) = capture.claims()
    assert (heard.host, str(heard.address)) == ("lb1", "10.77.0.250")
    assert before <= heard.time <= time.time()


def test_the_host_has_its_addresses_and_no_others(lab):
    assert lab.addresses("lb1") == {"10.77.0.1", "fe80::1"}


def test_nothing_is_left_not_even_what_detached_itself(lab):
    lab.popen("lb1", ["sh", "-c", "setsid sleep 1000 & echo $! > $0", str(lab.path("lb1", "pid"))]).wait(10)
    detached = int(lab.path("lb1", "pid").read_text())
    directory = lab.directory
    assert Path(f"/proc/{detached}").exists()
    lab.close()
    assert is_dead(detached)
    assert not directory.exists()


def test_nothing_is_left_of_a_lab_that_was_killed(public_directory):
    """The janitor holds the other end of our pipe: its end is the end of the cleaning."""
    program = (
        "import sys, time; from hafw.lab.network import Lab; lab = Lab(); lab.add_host('lb1')\n"
        "print(lab.popen('lb1', ['sleep', '1000'], stdout=2).pid, flush=True); time.sleep(1000)\n"
    )
    environment = {**os.environ, "TMPDIR": str(public_directory)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment) as lab:
        started = int(lab.stdout.readline())
        lab.kill()
        assert lab.stdout.read() == ""
    assert is_dead(started)
    assert not list(public_directory.iterdir())


def test_nobody_reaches_its_directory_though_root_has_a_private_one_for_such_files(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Lab() as lab:
        assert all(up.stat().st_mode & 0o001 for up in (lab.directory, *lab.directory.parents))


def is_dead(pid):
    """In a container nobody may take a dead orphan off the process table."""
    return session_of(pid)[0] in {"", "Z"}


@pytest.mark.usefixtures("lab")
def test_the_network_outside_is_not_touched():
    outside = subprocess.run(["ip", "-oneline", "link"], check=True, capture_output=True, text=True).stdout
    assert "lb1" not in outside
    assert "switch" not in outside
