"""What is staged is no part of the package: its tests find it where it lies."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
