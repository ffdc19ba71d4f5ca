"""What several of these tests share lies beside them, in ``shelf``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
