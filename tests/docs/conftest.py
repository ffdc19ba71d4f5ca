"""The harness lies beside its tests; it plays pages on the machines that the migration is played on."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
