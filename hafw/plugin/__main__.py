"""``python -m hafw.plugin DESCRIPTOR``: started by the daemon, never by hand."""

from __future__ import annotations

import sys

from hafw.plugin.serve import serve

serve(int(sys.argv[1]))
