"""Every example of the page is a test file, and passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/plugins/testing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^<!-- run -->\n```python\n# (\w+)\.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

SLOW = {"test_promises": [pytest.mark.long], "test_lan": [pytest.mark.long, pytest.mark.wire]}


def test_the_page_has_no_example_that_is_not_run():
    assert len(re.findall(r"^```python", PAGE, re.MULTILINE)) == len(EXAMPLES) > 0


@pytest.mark.parametrize(
    ("name", "source"),
    [pytest.param(*each, marks=SLOW.get(each[0], ())) for each in EXAMPLES],
)
def test_the_example_passes(name, source, pytester):
    pytester.makepyfile(**{name: source})
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--hafw-lan")
    done.assert_outcomes(passed=source.count("\ndef test_"))
