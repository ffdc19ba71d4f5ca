"""Program: ``python -m hafw.lab.responder NAME PIDFILE`` stands in for nginx where it is not installed.

It serves what the lab's nginx serves: its name as the page, 204 for ``/healthz``, and a pid file.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Page(BaseHTTPRequestHandler):
    name = b""

    def do_GET(self) -> None:
        body = b"" if self.path == "/healthz" else self.name + b"\n"
        self.send_response(200 if body else 204)
        if body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Fifty lines per second help nobody."""


def main(name: str, pid_file: str) -> None:
    """Serve until killed."""
    _Page.name = name.encode()
    server = ThreadingHTTPServer(("", 80), _Page)
    Path(pid_file).write_text(f"{os.getpid()}\n", encoding="ascii")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
