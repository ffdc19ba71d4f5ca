"""The webhook of a real daemon: every transition arrives, in order, though the receiver fails and the plugin dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.long]

RECEIVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Conversation(BaseHTTPRequestHandler):
    troubles = [503, 500, 429]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.troubles.pop() if self.troubles else 200
        if status == 200:
            with open(sys.argv[1], "a") as log:
                log.write(json.dumps([self.headers["Idempotency-Key"], json.loads(body)]) + "\\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

HTTPServer(("127.0.0.1", 8099), Conversation).serve_forever()
"""
SECTION = """
[plugin.webhook]
url = "http://127.0.0.1:8099/hook"
on = ["master", "backup", "fault", "stop", "maintenance"]
secret = "file:{key}"
"""


@pytest.fixture
def told(pair):
    """A receiver beside lb1, which fails at first; called, it gives what it has taken."""
    lab, log = pair[0].lab, pair[0].lab.path("lb1", "told")
    argv = [sys.executable, "-c", RECEIVER, str(log)]
    process = lab.popen("lb1", argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    process.kill()
    process.wait(10)


def plugin_pid(router):
    (found,) = [each for each in router.ask("plugins")["plugins"] if each["name"] == "webhook"]
    return found["pid"]


def test_every_transition_arrives_in_order_and_says_of_whom(pair, told, tools):
    lb1, _ = pair
    key = lb1.lab.path("lb1", "key")
    key.write_text("0123456789abcdef0123456789abcdef")
    key.chmod(0o600)
    lb1.start(tools.instance(), SECTION.format(key=key))
    lb1.wait_until_it_serves()
    tools.until(lambda: any(body.get("to") == "MASTER" for _, body in told()), "MASTER told, after three refusals")
    os.kill(plugin_pid(lb1), signal.SIGKILL)
    lb1.ip("link", "set", "eth0", "down")
    lb1.wait_for("FAULT")
    lb1.ip("link", "set", "eth0", "up")
    tools.until(lambda: [body for _, body in told() if body.get("to") == "MASTER"][1:], "MASTER told again")
    assert lb1.stop() == 0
    bodies = list(dict(told()).values())
    states = [body["to"] for body in bodies if body["type"] == "state_changed"]
    assert states[:2] == ["BACKUP", "MASTER"]
    assert states[-1] == "STOP"
    assert "FAULT" in states[2:]
    froms = [body["from"] for body in bodies if body["type"] == "state_changed"]
    assert froms[1:] == states[:-1], "none is missing and none is out of its order"
    assert {body["node"] for body in bodies} == {"lb1"}
