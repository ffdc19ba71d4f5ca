"""The alerts and the dashboard in examples: every name in them is one, and Prometheus itself judges the rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hafw_web.metrics import FAMILIES, exposition

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "examples/prometheus/alerts.yml"
DASHBOARD = json.loads((ROOT / "examples/grafana/dashboard.json").read_text())
SERIES = {
    each.name + suffix: {*each.labels, *(["le"] if suffix == "_bucket" else [])}
    for each in FAMILIES
    for suffix in (("_bucket", "_count", "_sum") if each.kind == "histogram" else ("",))
} | {"up": set()}
OF_PROMETHEUS = {"job", "instance", "exported_instance"}
WORDS = {
    *("sum", "count", "rate", "increase", "changes", "histogram_quantile", "label_values", "vector"),
    *("by", "on", "ignoring", "or"),
}
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
RULE = re.compile(r"^      - alert: (\w+)\n(.*?)(?=^      - alert|\Z)", re.MULTILINE | re.DOTALL)


def rules():
    """Each alert with its expression and its page."""
    for name, body in RULE.findall(ALERTS.read_text()):
        folded = re.search(r"^        expr: (?:>-\n((?:          .*\n)+)|(.*)\n)", body, re.MULTILINE)
        runbook = re.search(r"^          runbook_url: (\S+)$", body, re.MULTILINE)
        yield name, " ".join((folded[1] or folded[2]).split()), runbook and runbook[1]


def queries():
    """Every expression of the dashboard, with what it belongs to."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"][1:]:
        yield variable["name"], variable["query"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


EXPRESSIONS = [*((name, expression) for name, expression, _ in rules()), *queries()]


def foreign(expression):
    """Words of an expression that are neither a series, a label of one, nor PromQL's."""
    labels = {label for name in re.findall(r"\w+", expression) if name in SERIES for label in SERIES[name]}
    for series, selector in SELECTOR.findall(expression):
        own = SERIES.get(series, set()) | OF_PROMETHEUS
        yield from (f"{series}{{{each}}}" for each in re.findall(r"(\w+)\s*[=!]", selector) if each not in own)
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", expression)
    known = SERIES.keys() | labels | OF_PROMETHEUS | WORDS
    yield from (word for word in re.findall(r"[A-Za-z_]\w*", bare) if word not in known)


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_an_expression_names_only_metrics_and_labels_that_there_are(where, expression):
    assert list(foreign(expression)) == []


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("hafw_vrrp_status > 0", "hafw_vrrp_status"),
        ('hafw_up{state="MASTER"}', "hafw_up{state}"),
        ("sum by (node) (hafw_up)", "node"),
        ("hafw_takeover_seconds > 0", "hafw_takeover_seconds"),
    ],
)
def test_a_name_that_is_none_is_found(expression, word):
    assert list(foreign(expression)) == [word]


def test_there_is_an_alert_for_each_trouble():
    assert {name for name, _, _ in rules()} >= {
        *("HafwDown", "HafwNoMaster", "HafwTwoMasters", "HafwFlapping", "HafwCheckFailing", "HafwAdvertsLate"),
        *("HafwPluginDown", "HafwDegraded", "HafwPeerMismatch"),
    }
    assert len([*rules()]) == ALERTS.read_text().count("- alert:")


def test_every_alert_leads_to_a_section_of_the_runbook():
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    for name, _, runbook in rules():
        page, _, anchor = runbook.partition("#")
        assert (page, anchor in anchors) == ("docs/runbook.md", True), f"{name}: {runbook}"


def test_the_dashboard_can_be_imported():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    taken = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken)), "no panel hides another"
    assert max(x for x, _ in taken) < 24


def promtool(*words, cwd=None, text=None):
    """What it says against it; empty: nothing."""
    done = subprocess.run(["promtool", *words], cwd=cwd, input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.peer("prometheus")
def test_prometheus_takes_the_rules_and_they_say_what_they_should(tmp_path):
    shutil.copy(ALERTS, tmp_path / "alerts.yml")
    shutil.copy(Path(__file__).with_name("rules.yml"), tmp_path)
    assert promtool("check", "rules", "alerts.yml", cwd=tmp_path) == ""
    assert promtool("test", "rules", "rules.yml", cwd=tmp_path) == ""


@pytest.mark.peer("prometheus")
def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path):
    asked = [expression for _, expression in queries() if "label_values" not in expression]
    lines = [f"      - {{record: 'x{number}', expr: {json.dumps(plain(each))}}}" for number, each in enumerate(asked)]
    (tmp_path / "rules.yml").write_text("\n".join(["groups:", "  - name: x", "    rules:", *lines, ""]))
    assert promtool("check", "rules", "rules.yml", cwd=tmp_path) == ""


@pytest.mark.peer("prometheus")
async def test_prometheus_has_nothing_against_the_metrics(status):
    assert promtool("check", "metrics", text=exposition(status).text()) == ""


def plain(expression):
    """With values in place of Grafana's variables."""
    return expression.replace("$__interval", "5m").replace("$job", ".*").replace("$router", ".*")
