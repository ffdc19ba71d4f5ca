"""Every mistake in ``[plugin.webhook]`` by its name, and no secret in any of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hafw_webhook.options import Options

from hafw.api import Duration, Secret
from hafw.config.convert import convert

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
RULE = 'must be like "https://example.com/hook"'
FIELDS = (
    "the fields are {node}, {instance}, {what}, {reason}, {id}, {time}, {text}, {details}, {severity}, {type}, "
    "{from}, {to}, {priority}, {peer}, {addresses}, {token}"
)


@pytest.fixture
def refusal(configured):
    def refusal(url="https://example.com/s3cr3t", **options):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
            configured(url, **options)
        assert "s3cr3t" not in str(caught.value)
        return str(caught.value).splitlines()

    return refusal


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://s3cr3t.example/", f"url: {RULE}"),
        ("s3cr3t", f"url: {RULE}"),
        ("", f"url: {RULE}"),
        ("https:///s3cr3t", f"url: {RULE}"),
        ("https://x:99999/s3cr3t", f"url: {RULE}, with a port from 1 to 65535 if any"),
        ("https://x/s3cr3t ü", f"url: {RULE}, with blanks, control and non-ASCII characters percent-encoded"),
        ("https://x/s3cr3t\r\nHost: y", f"url: {RULE}, with blanks, control and non-ASCII characters percent-encoded"),
        (["https://x/", "x/s3cr3t"], f"url[1]: {RULE}"),
        ([], "url: is empty: it names nobody to tell"),
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_it(url, said, refusal):
    assert refusal(url) == [said]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"instances": ("VI_9",)}, 'instances[0]: = "VI_9": must be one of VI_1'),
        (
            {"template": {"x": {"y": ["{host}"]}}},
            'template.x.y[0]: = "{host}": {host} is no plain field: ' + FIELDS,
        ),
        (
            {"template": "{node.__class__}"},
            'template: = "{node.__class__}": {node.__class__} is no plain field: ' + FIELDS,
        ),
        ({"template": "{node!r:>9}"}, 'template: = "{node!r:>9}": {node} is no plain field: ' + FIELDS),
        ({"template": "{token}"}, 'template: needs token, such as token = "file:/etc/hafw/hook.token"'),
        ({"template": "{node}", "shape": "slack"}, 'template: is a shape of its own: leave it out, or shape = "slack"'),
        ({"headers": {"Host": Secret("x")}}, "headers.Host: is set by hafw: leave it out"),
        (
            {"headers": {"X Y": Secret("x")}},
            "headers.X Y: is no name of a header: letters, digits and hyphens, such as Authorization",
        ),
        (
            {"headers": {"X": Secret("s3cr3t\r\nY: z")}},
            "headers.X: must be printable ASCII on one line, without blanks at its ends",
        ),
        (
            {"secret": Secret("s3cr3t")},
            "secret: is shorter than 16 octets and can be guessed: openssl rand -hex 32 makes one",
        ),
        ({"connect_timeout": Duration(20)}, "connect_timeout: is longer than timeout, which is for all of an attempt"),
        ({"patience": Duration(5)}, "timeout: is longer than patience, which is for all attempts"),
        ({"ca_file": "/nonexistent"}, 'ca_file: = "/nonexistent": cannot be read: no such file or directory'),
        ({"ca_file": __file__}, f'ca_file: = "{__file__}": cannot be read: it holds no certificates'),
        *(
            (
                {"proxy": Secret(proxy)},
                'proxy: must be like "http://proxy.example.com:3128": no other kind of proxy is spoken to',
            )
            for proxy in ("socks5://s3cr3t", "https://u:s3cr3t@p/", "http://p/s3cr3t", "p:3128")
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(options, said, refusal):
    assert refusal(**options) == [said]


def test_every_mistake_is_told_at_once(refusal):
    lines = refusal("x", instances=("a",), template="{x}", headers={"Host": Secret("y")}, ca_file="/nonexistent")
    assert [line.split(":")[0] for line in lines] == ["url", "instances[0]", "template", "headers.Host", "ca_file"]


def test_secrets_that_everybody_on_the_way_can_read_are_warned_of(configured):
    with pytest.warns(UserWarning, match=r"^url: http:// shows its secrets to everybody on the way: https://$"):
        configured("http://example.com/", headers={"Authorization": Secret("x")})
    configured("http://127.0.0.1/", headers={"Authorization": Secret("x")})
    configured("http://example.com/")


def test_the_url_of_slack_in_the_configuration_itself_is_warned_of(configured):
    said = (
        r'^url: whoever reads this file can post there, for the URL is the secret: url = "file:/etc/hafw/slack\.url"$'
    )
    with pytest.warns(UserWarning, match=said):
        configured("https://hooks.slack.com/services/T0/B0/x", shape="slack")


def test_the_examples_of_the_documentation_are_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("https://example.com/0123456789abcdef")
    secret.chmod(0o600)
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        text = re.sub(r"file:/etc/hafw/[\w.]+", f"file:{secret}", block)
        for name, table in tomllib.loads(text)["plugin"].items():
            table.pop("plugin", None)
            options, problems = convert(table, Options, f"plugin.{name}")
            assert problems == []
            assert options.url


def test_a_misspelt_word_is_an_error_with_a_suggestion():
    _, (problem,) = convert({"url": "https://x/", "on": ["mastr"]}, Options, "plugin.webhook")
    assert problem.path == "plugin.webhook.on[0]"
    assert problem.message.endswith("(did you mean master?)")
