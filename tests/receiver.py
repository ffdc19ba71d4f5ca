"""``python tests/receiver.py PORT BOOK``: takes webhooks on the loopback address, a line of the book for each.

A program of its own, so that it can stand in a network namespace, and its work is not that of the test.
"""

from __future__ import annotations

import http.server
import json
import sys
from pathlib import Path


class Receiver(http.server.BaseHTTPRequestHandler):
    """Writes down what it is told, and then says that it has it; one after another, so the book is in order."""

    def do_POST(self) -> None:
        """One message."""
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        of_group = said["type"] == "group_changed"
        whom = ("GROUP", said["group"]) if of_group else ("INSTANCE", said["instance"])
        words = said["run"], said["seq"], 0, *whom, said["from"], said["to"], 0  # which attempt it is, it is not told
        BOOK.write(" ".join(map(str, words)) + "\n")
        BOOK.flush()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the book says it all."""


if __name__ == "__main__":
    with Path(sys.argv[2]).open("a", encoding="utf-8") as BOOK:
        http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
