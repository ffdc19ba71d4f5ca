"""C-TMR with the literals of the table, in seconds; none of them is computed by the code under test."""

import itertools

import pytest

MS = 0.001
TABLE = [
    # priority, version, interval in s, Skew_Time in ms, Master_Down_Interval in ms
    (1, 3, 1.0, 996.09375, 3996.09375),
    (1, 3, 0.1, 99.609375, 399.609375),
    (1, 3, 0.01, 9.9609375, 39.9609375),
    (1, 2, 1.0, 996.09375, 3996.09375),
    (100, 3, 1.0, 609.375, 3609.375),
    (100, 3, 0.1, 60.9375, 360.9375),
    (100, 3, 0.01, 6.09375, 36.09375),
    (100, 2, 1.0, 609.375, 3609.375),
    (100, 2, 10.0, 609.375, 30609.375),
    (100, 3, 10.0, 6093.75, 36093.75),
    (95, 3, 10.0, 6289.0625, 36289.0625),
    (200, 3, 1.0, 218.75, 3218.75),
    (200, 3, 0.1, 21.875, 321.875),
    (200, 3, 0.01, 2.1875, 32.1875),
    (200, 2, 1.0, 218.75, 3218.75),
    (254, 3, 1.0, 7.8125, 3007.8125),
    (254, 3, 0.1, 0.78125, 300.78125),
    (254, 3, 0.01, 0.078125, 30.078125),
    (254, 2, 1.0, 7.8125, 3007.8125),
    (255, 3, 1.0, 3.90625, 3003.90625),
    (255, 3, 0.1, 0.390625, 300.390625),
    (255, 3, 0.01, 0.0390625, 30.0390625),
    (255, 2, 1.0, 3.90625, 3003.90625),
]


def backup(bench, priority, version, interval):
    """BACKUP with nobody but a MASTER as good as it heard at 1 s; the owner becomes one by losing to another owner."""
    vr = bench(priority=priority, version=version, advertisement_interval=interval, owner=priority == 255).known()
    vr.startup()
    vr.at(1.0).advert(255)
    assert vr.state == "BACKUP"
    return vr


@pytest.mark.parametrize(("priority", "version", "interval", "skew"), [row[:4] for row in TABLE])
def test_c_tmr_02_c_tmr_04_skew_time_after_a_goodbye(bench, priority, version, interval, skew):
    vr = backup(bench, priority, version, interval)
    vr.advert(0)
    assert vr.router.listener.down_at - 1.0 == pytest.approx(skew * MS, rel=1e-9)
    assert vr.router.listener.skew_time == pytest.approx(skew * MS, rel=1e-9)


@pytest.mark.parametrize(("priority", "version", "interval", "down"), [(*row[:3], row[4]) for row in TABLE])
def test_c_tmr_03_c_tmr_04_master_down_interval_after_an_advert(bench, priority, version, interval, down):
    vr = backup(bench, priority, version, interval)
    assert vr.router.listener.down_at - 1.0 == pytest.approx(down * MS, rel=1e-9)
    assert vr.router.listener.master_down_interval == pytest.approx(down * MS, rel=1e-9)


def test_c_tmr_01_the_longest_interval_of_version_3(bench):
    vr = bench(priority=100, advertisement_interval=40.95).backup()
    assert vr.deadline == pytest.approx(147.80390625)


def test_c_tmr_03_down_timer_adverts_replace_the_three(bench):
    assert bench(priority=100, down_timer_adverts=5).backup().deadline == 5.609375


def test_c_tmr_05_starts_as_our_own_interval_and_follows_the_master(bench):
    vr = bench(priority=100).backup()
    assert vr.router.listener.master_adver_interval == 1.0
    vr.at(1.0).advert(200, interval=0.5)
    assert vr.router.listener.master_adver_interval == 0.5
    vr.at(1.5).advert(200, interval=3.0)
    assert vr.router.listener.master_adver_interval == 3.0


def test_c_tmr_06_no_two_priorities_fire_together_at_10_ms(bench):
    deadlines = [bench(priority=n, advertisement_interval=0.01).backup().deadline for n in range(254, 0, -1)]
    steps = [later - earlier for earlier, later in itertools.pairwise(deadlines)]
    assert min(steps) == pytest.approx(0.0000390625, rel=1e-6)
    assert max(steps) == pytest.approx(0.0000390625, rel=1e-6)


def test_c_tmr_08_only_differences_of_time_matter(bench):
    """Whatever the clock shows at the start, the same happens after the same time."""

    def life(start):
        vr = bench(priority=100).known()
        vr.at(start).startup()
        vr.later(1.0).advert(200)
        vr.later(1.0).advert(0)
        vr.due()
        vr.installed()
        times, actions = zip(*vr.run(until=vr.now + 10.0), strict=True)
        return [at - start for at in times], actions

    (late, late_actions), (early, early_actions) = life(2.0**20), life(0.0)
    assert late == pytest.approx(early)
    assert late_actions == early_actions
