"""A bus of our own with a systemd on it that says what the test wants. The real one is in tests/deploy."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from hafw_systemd import Options, Systemd
from jeepney import DBusAddress, MessageType, message_bus, new_error, new_method_return, new_signal
from jeepney.io.blocking import open_dbus_connection

PATIENCE = 20.0
NAME = "nginx.service"
PATH = "/org/freedesktop/systemd1/unit/nginx_2eservice"
DAEMON = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/><allow receive_sender="*" eavesdrop="true"/>
  </policy>
</busconfig>
"""


class StagedSystemd:
    """It knows one unit, and answers about any other as the real one does."""

    def __init__(self, address):
        self.unit = ("loaded", "active", "running", "")
        self.asked = queue.Queue()
        self.silent = False
        self._connection = open_dbus_connection(address)
        self._connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.systemd1"), timeout=PATIENCE)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def becomes(self, active, sub, load="loaded", job=""):
        """From now on, and as it says to whoever listens."""
        self.unit = (load, active, sub, job)
        changed = {"ActiveState": ("s", active), "SubState": ("s", sub)}
        where = DBusAddress(PATH, interface="org.freedesktop.DBus.Properties")
        body = ("org.freedesktop.systemd1.Unit", changed, [])
        self._send(new_signal(where, "PropertiesChanged", "sa{sv}as", body))

    def _send(self, message):
        with self._lock:
            self._connection.send(message)

    def _run(self):
        """Until the bus ends, which may be while it answers."""
        with contextlib.suppress(OSError):
            while True:
                message = self._connection.receive()
                if message.header.message_type == MessageType.method_call and not self.silent:
                    self._answer(message)

    def _answer(self, message):
        method = next(value for key, value in message.header.fields.items() if key.name == "member")
        if method == "ListUnitsByNames":
            (name,) = message.body[0]
            load, active, sub, job = self.unit if name == NAME else ("not-found", "inactive", "dead", "")
            row = (name, name, load, active, sub, "", PATH, 1 if job else 0, job, "/")
            self._send(new_method_return(message, "a(ssssssouso)", ([row],)))
        elif method == "Subscribe":
            self._send(new_method_return(message))
        else:
            self._send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", ("no such method",)))
        self.asked.put(method)

    def close(self):
        """When the bus has ended: then the thread hears of it, and needs the connection no more."""
        self._thread.join(PATIENCE)
        self._connection.close()


class StagedBus:
    """A real dbus-daemon."""

    def __init__(self, folder):
        self.socket = folder / "bus"
        self._config = folder / "bus.conf"
        self._config.write_text(DAEMON.format(socket=self.socket))
        self.start()

    def start(self):
        command = ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--nopidfile", "--print-address"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout.readline().startswith(b"unix:"), "ready"
        self.systemd = StagedSystemd(f"unix:path={self.socket}")

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self.systemd.close()


@pytest.fixture
def bus():
    """Where everybody finds it, which is not below pytest's own folders."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        bus = StagedBus(Path(folder))
        yield bus
        bus.stop()


@pytest.fixture
def configured():
    with contextlib.ExitStack() as ends:

        def make(**options):
            plugin = Systemd()
            plugin.configure(Options(**options))
            ends.callback(lambda: plugin._bus and plugin._bus.close())
            return plugin

        yield make


@pytest.fixture
def watched(configured):
    """The plugin, and a queue of what its monitor reports."""

    def start(**options):
        plugin, reports = configured(**options), queue.Queue()
        threading.Thread(target=plugin.monitor, args=[reports.put], daemon=True).start()
        return plugin, reports

    return start
