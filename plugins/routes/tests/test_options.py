from __future__ import annotations

import pytest
from hafw_routes.options import Options, Route, Rule, mistakes, wishes


def of(**keys) -> Route:
    return Route(**{"instance": "VI_1", "to": "10.0.0.0/8", "via": "192.0.2.254", **keys})


def rule_of(**keys) -> Rule:
    return Rule(**{"instance": "VI_1", "table": 100, "from_": "192.0.2.250/32", **keys})


def told(*entries: Route | Rule) -> list[str]:
    options = Options(
        route=tuple(each for each in entries if isinstance(each, Route)),
        rule=tuple(each for each in entries if isinstance(each, Rule)),
    )
    return [f"{key}: {message}" for key, message in mistakes(options, ["VI_1", "VI_2"])]


@pytest.mark.parametrize(
    "entry",
    [
        of(),
        of(to="default"),
        of(to="2001:db8::/32", via="fe80::1", dev="eth0"),
        of(via="", dev="eth0"),
        of(via="", kind="blackhole"),
        rule_of(),
        rule_of(from_="", fwmark=7),
    ],
)
def test_what_ip_would_take_is_taken(entry):
    assert told(entry) == []


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (of(instance="VI_3"), 'route[0].instance: = "VI_3": must be one of VI_1, VI_2'),
        (of(to="10.0.0.1/8"), 'route[0].to: = "10.0.0.1/8": has host bits: did you mean 10.0.0.0/8?, or "default"'),
        (
            of(to="ten"),
            'route[0].to: = "ten": must be a network such as 10.0.0.0/8 or 2001:db8::/32, or "default"',
        ),
        (of(via="gw"), 'route[0].via: = "gw": must be an address such as 192.0.2.1 or 2001:db8::1'),
        (of(src="192.0.2.0/24"), 'route[0].src: = "192.0.2.0/24": must be an address such as 192.0.2.1 or 2001:db8::1'),
        (
            of(via="2001:db8::1"),
            'route[0].to: = "10.0.0.0/8": mixes IPv4 and IPv6 with via or src: one family a route',
        ),
        (of(via=""), "route[0].via: is missing: where to? via = ..., or dev = ..."),
        (
            of(to="default", via="", dev="eth0"),
            'route[0].via: is missing: of which family is the default route? via = ..., or to = "0.0.0.0/0" or "::/0"',
        ),
        (of(kind="blackhole"), 'route[0].kind: = "blackhole": goes nowhere: leave via and dev out'),
        (rule_of(from_="x"), 'rule[0].from: = "x": must be a network such as 10.0.0.0/8 or 2001:db8::/32'),
        (
            rule_of(to="2001:db8::/32"),
            'rule[0].to: = "2001:db8::/32": is of another family than from = "192.0.2.250/32"',
        ),
        (
            rule_of(from_=""),
            (
                "rule[0].from: is missing: a rule for everything would catch this machine's own traffic:"
                " from, to, iif, ..."
            ),
        ),
    ],
)
def test_what_cannot_work_is_named_with_the_way_out(entry, line):
    assert told(entry) == [line]


def test_nothing_to_do_is_a_mistake():
    assert told() == ["route: is missing: [[plugin.routes.route]] or [[plugin.routes.rule]] says what there shall be"]


def test_each_instance_has_its_own_in_the_words_of_ip():
    options = Options(
        route=(of(src="192.0.2.250", table=100, metric=5), of(instance="VI_2", to="default")), rule=(rule_of(),)
    )
    assert {name: [each.text for each in some] for name, some in wishes(options).items()} == {
        "VI_1": [
            "10.0.0.0/8 via 192.0.2.254 src 192.0.2.250 table 100 metric 5",
            "rule from 192.0.2.250/32 table 100",
        ],
        "VI_2": ["default via 192.0.2.254"],
    }
