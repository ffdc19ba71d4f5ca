"""HAProxy dies, and the address moves: the real daemon, the real HAProxy, its plugin."""

import shutil
import subprocess

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.long, pytest.mark.peer("haproxy")]

VIP = "10.77.0.250"
CONFIG = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend www
    bind :80
    http-request return status 200 content-type text/plain string {host}
"""


@pytest.fixture
def haproxy(program_of):
    """Start it on a router; single processes, so that their death is the death of HAProxy."""
    program = program_of("haproxy")

    def start(router):
        config, admin = router.lab.path(router.host, "haproxy.cfg"), socket_of(router)
        config.write_text(CONFIG.format(socket=admin, host=router.host))
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return router.lab.popen(router.host, [program, "-db", "-f", str(config)], **quiet)

    return start


def socket_of(router):
    return router.lab.path(router.host, "haproxy.sock")


@pytest.fixture
def balanced(pair, tools, haproxy):
    """Both routers with HAProxy, lb1 MASTER; its HAProxy, too."""
    running = {router.host: haproxy(router) for router in pair}
    for router in pair:
        tools.until(socket_of(router).exists, "its socket")
        router.write(
            tools.instance(),
            "[instance.VI_1.check.haproxy]\ncritical = true\nfall = 30\n",
            f'[plugin.haproxy]\nuser = "root"\nsocket = "{socket_of(router)}"\nfrontends = ["www"]\ntimeout = "700ms"',
        )
        router.launch()
    for router in pair:
        router.wait_until_ready()
    pair[0].wait_until_it_serves()
    pair[1].wait_until_it_follows()
    return running


def test_haproxy_is_killed_and_the_address_moves_although_the_check_may_fail_thirty_times(
    pair, tools, balanced, haproxy
):
    lb1, lb2 = pair
    with lb1.news() as left, lb2.news() as right:
        balanced["lb1"].kill()
        balanced["lb1"].wait()
        assert left.wait("state_changed", instance="VI_1")["reason"] == "check-failed"
        right.state("MASTER")
    tools.until(lambda: lb2.has() and not lb1.has(), "the address")
    haproxy(lb1)
    tools.until(lambda: lb1.has() and not lb2.has(), "the address again, by preemption")


def test_an_operator_closes_the_frontend_and_the_address_moves(pair, tools, balanced):
    lb1, lb2 = pair
    for router in pair:
        router.write(router.config.read_text().replace("fall = 30", "fall = 1"))
        assert router.hafw("reload").returncode == 0
    tools.until(lambda: lb1.instance()["state"] == "MASTER", "MASTER after the reload")
    with lb2.news() as right:
        code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        code += "s.sendall(b'disable frontend www' + bytes([10])); print(s.recv(99))"
        assert "denied" not in lb1.lab.run("lb1", [shutil.which("python3"), "-c", code, str(socket_of(lb1))])
        right.state("MASTER")
    tools.until(lambda: lb2.has() and not lb1.has(), "the address")
