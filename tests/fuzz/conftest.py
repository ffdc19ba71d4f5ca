"""The fuzz targets are no part of the package: their tests find them where they lie."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
