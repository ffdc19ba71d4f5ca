"""C-TMR-06 for every priority, interval and version."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafw.node import InstanceSettings, Node
from hafw.vrrp.settings import RouterSettings

NAME = "VI_1"
VIPS = (ip_address("10.77.0.250"),)


def skew_and_down(priority, interval, version):
    router = RouterSettings(
        name=NAME,
        interface="eth0",
        vrid=51,
        version=version,
        priority=priority,
        advertisement_interval=interval,
        virtual_addresses=VIPS,
    )
    node = Node([InstanceSettings(router=router)], 0.0)
    return node.instances[NAME].router.listener.skew_time, node.instances[NAME].router.listener.master_down_interval


intervals = st.one_of(
    st.tuples(st.just(3), st.integers(1, 4095).map(lambda n: n / 100)), st.tuples(st.just(2), st.integers(1, 255))
)


@settings(deadline=None)
@given(st.lists(st.integers(1, 254), min_size=2, max_size=2, unique=True).map(sorted), intervals)
def test_c_tmr_06_skew_is_strictly_ordered_by_priority(pair, version_and_interval):
    version, interval = version_and_interval
    (low_skew, low_down), (high_skew, high_down) = (skew_and_down(each, interval, version) for each in pair)
    assert 0 < high_skew < low_skew < max(interval, 1.0)
    assert 3 * interval < high_down < low_down < 3 * interval + max(interval, 1.0)
    assert low_skew - high_skew == pytest.approx((pair[1] - pair[0]) / 256 * (1.0 if version == 2 else interval))
