"""The daemon without root: which capabilities it needs, and that it needs no others."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

VIP = "10.77.0.250"
NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
AMBIENT = ["--inh-caps", "+net_raw,+net_admin", "--ambient-caps", "+net_raw,+net_admin"]


@pytest.mark.parametrize(
    ("dropped", "named"),
    [
        ("-net_raw", "CAP_NET_RAW missing"),
        ("-net_admin", "CAP_NET_ADMIN missing"),
        ("-net_raw,-net_admin", "CAP_NET_ADMIN and CAP_NET_RAW missing"),
    ],
)
def test_a_missing_capability_is_named_and_the_exit_code_is_7(pair, tools, dropped, named):
    router = pair[0]
    router.write(tools.instance())
    router.launch(prefix=["setpriv", "--bounding-set", dropped])
    assert router.guard.wait(10) == 7
    (line,) = router.log().splitlines()
    assert named in line
    assert "AmbientCapabilities=" in line


def test_nobody_with_two_ambient_capabilities_is_elected_and_binds(pair, tools, for_everybody):
    router = pair[0]
    for path in (router.config.parent, router.run_directory):
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
    router.config.with_name("notify").chmod(0o666)
    capture = router.lab.capture()
    router.start(tools.instance(), prefix=[*for_everybody, *NOBODY, *AMBIENT])
    status = Path(f"/proc/{router.pid}/status").read_text()
    assert "CapEff:\t0000000000003000\n" in status
    assert "Uid:\t0" not in status
    router.wait_for("MASTER")
    tools.until(lambda: router.has(VIP))
    assert tools.until(lambda: capture.adverts("lb1"))
    assert tools.until(lambda: capture.claims("lb1"))
    assert router.stop() == 0
    assert not router.has(VIP)
