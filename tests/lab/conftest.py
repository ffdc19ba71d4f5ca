import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def public_directory():
    """pytest's own belongs to root alone, and the demo's plugins are nobody."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
