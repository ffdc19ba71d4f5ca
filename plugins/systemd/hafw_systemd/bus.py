"""What systemd says of one unit over D-Bus, which everybody may ask it, and when it says something new.

``systemctl`` would be a process for each question, and says nothing by itself.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from jeepney import DBusAddress, MatchRule, MessageType, message_bus, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

if TYPE_CHECKING:
    from hafw_checks.reach import Deadline

SYSTEMD: Final = DBusAddress(
    "/org/freedesktop/systemd1", bus_name="org.freedesktop.systemd1", interface="org.freedesktop.systemd1.Manager"
)
_KEPT: Final = 16
"""Signals that wait to be read; more say nothing more."""


class BusError(Exception):
    """Why systemd could not be asked, as a verdict says it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit at this moment."""

    name: str
    """Its own, where it was asked for by an alias."""
    load: str
    """``loaded``, ``not-found``, ``masked``, ``bad-setting``, ``error``."""
    active: str
    """``active``, ``reloading``, ``inactive``, ``failed``, ``activating``, ``deactivating``."""
    sub: str
    """Of its type: ``running``, ``exited``, ``auto-restart``, ``dead``."""
    path: str
    """Its object's."""
    job: str
    """``start``, ``restart``, ``stop``; empty: nobody has asked for anything."""

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself: systemd says ``failed``, or waits to restart it."""
        return self.active == "failed" or self.sub.startswith("auto-restart")


class Bus:
    """One connection to the system bus; a context manager."""

    def __init__(self, socket: str, deadline: Deadline) -> None:
        """Raises ``BusError``."""
        self._socket = socket
        try:
            self._connection: DBusConnection = open_dbus_connection(f"unix:path={socket}", auth_timeout=deadline.left)
        except TimeoutError as error:
            raise BusError(f"no connection to {socket} within {deadline}") from error
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            hint = "" if isinstance(error, PermissionError) else ": are systemd and dbus running?"
            raise BusError(f"{said} on {socket}{hint}") from error
        except Exception as error:  # jeepney's own, when it is no bus
            raise BusError(f"{socket} is no D-Bus: {str(error) or type(error).__name__}") from error

    def close(self) -> None:
        """At once."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def unit(self, name: str, deadline: Deadline) -> Unit:
        """The unit as it is now; raises ``BusError``."""
        ((found, *_more),) = self._call("ListUnitsByNames", "as", ([name],), deadline)
        own, _description, load, active, sub, _following, path, _job, job, _job_path = found
        return Unit(own, load, active, sub, path, job)

    def listen(self, unit: Unit, deadline: Deadline) -> Any:  # noqa: ANN401 - jeepney's
        """Have systemd say when the unit changes; hands back what ``wait`` takes, a context manager."""
        rule = MatchRule(
            type="signal",
            interface="org.freedesktop.DBus.Properties",
            member="PropertiesChanged",
            path=unit.path,
        )
        self._send(message_bus.AddMatch(rule), deadline)
        with contextlib.suppress(BusError):  # it says so already
            self._call("Subscribe", "", (), deadline)
        return self._connection.filter(rule, bufsize=_KEPT)

    def wait(self, news: Any, seconds: float) -> None:  # noqa: ANN401 - jeepney's
        """Until the unit has changed, or for so long; raises ``BusError``."""
        try:
            self._connection.recv_until_filtered(news, timeout=seconds)
        except TimeoutError:
            return
        except OSError as error:
            raise BusError(f"{(error.strerror or str(error)).lower()} on {self._socket}") from error
        news.clear()

    def _call(self, method: str, signature: str, body: tuple[object, ...], deadline: Deadline) -> tuple[Any, ...]:
        return self._send(new_method_call(SYSTEMD, method, signature or None, body), deadline)

    def _send(self, message: Any, deadline: Deadline) -> tuple[Any, ...]:  # noqa: ANN401 - jeepney's
        try:
            reply = self._connection.send_and_get_reply(message, timeout=deadline.left)
        except TimeoutError as error:
            raise BusError(f"no answer of systemd within {deadline}") from error
        except OSError as error:
            raise BusError(f"{(error.strerror or str(error)).lower()} on {self._socket}") from error
        body: tuple[Any, ...] = reply.body
        if reply.header.message_type == MessageType.error:
            raise BusError(f"systemd refuses to answer: {' '.join(map(str, body)) or 'it does not say why'}")
        return body
