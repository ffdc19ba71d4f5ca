"""Says so much that its pipe is always full."""

from hafw.api import Verdict, hookimpl


@hookimpl
def monitor(report):
    while True:
        report(Verdict(healthy=True, detail="x" * 300))
