"""Every test here may configure the log of this process; the next one finds it as it was."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def _fresh_log():
    yield
    structlog.reset_defaults()
