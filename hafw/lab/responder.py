"""Program: ``python -m hafw.lab.responder NAME PIDFILE`` stands in for nginx where it is not installed.

It serves what the lab's nginx serves: the router's name as the page, 204 for ``/healthz``, and a pid file.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

PROCESS_NAME: Final = "responder"
"""Of the process whose id is in the pid file: who watches it asks for that too."""


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
    Path("/proc/self/comm").write_text(PROCESS_NAME, encoding="ascii")
    server = ThreadingHTTPServer(("", 80), _Page)
    Path(pid_file).write_text(f"{os.getpid()}\n", encoding="ascii")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
