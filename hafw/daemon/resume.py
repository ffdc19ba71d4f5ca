"""The first thing that a daemon does: speak for the routers that a dead one was MASTER of.

The peers wait for three intervals, and a daemon needs a good part of a second until its election runs. So the will
carries the adverts as they are sent, this module imports next to nothing (no trio, no configuration), and whatever it
finds in order speaks at once; a thread goes on with it until the election takes over. Nothing else is decided here: a
router whose record, file, interface or segment is not exactly as it was is given up, and the guard hands it over.
"""

from __future__ import annotations

import functools
import socket
import threading
import time
from ipaddress import ip_address
from math import inf
from typing import TYPE_CHECKING

from hafw import will as last_will
from hafw.lifeline import SLOTS, Beat, Inheritance, Line, Sign, rivals_heard
from hafw.seal import Messenger
from hafw.wire.systemd import notify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hafw.vrrp.settings import IPAddress
    from hafw.will import Bequest, Will
    from hafw.wire.sockets import VrrpSocket

SPEAKS_AT_MOST = 10.0
"""Seconds that a stand-in speaks: a daemon whose start hangs must not look alive for ever."""

SocketKey = tuple[str, int, "IPAddress | None"]


@functools.cache
def life() -> Life:
    """This daemon's; made, and its routers resumed, by the first call."""
    began = Life(Inheritance.take())
    began.begin()
    return began


class Life:
    """What a daemon has of its guard, and tells it. Without a guard it has nothing, and nobody is told."""

    def __init__(self, inheritance: Inheritance | None) -> None:
        self.inheritance = inheritance or Inheritance(line=-1, beat=-1)
        self.line: Line | None = None
        self.sockets: dict[SocketKey, VrrpSocket] = {}
        """Inherited, to be adopted."""
        self.resumed: dict[str, Bequest] = {}
        self.silence: dict[str, float] = {}
        """By resumed router: the seconds between the dead daemon's last advert and our first."""
        self.withheld: set[str] = set()
        """Routers that the guard is handing over; they may not start before it has said that this is done."""
        self.will = last_will.Will(0)
        self._beat: Beat | None = None
        self._slots: dict[str, int] = {}
        self._stand_in: StandIn | None = None
        if inheritance is None:
            return
        self.line = Line.raised(inheritance.line)
        self._beat = Beat(inheritance.beat)
        self.withheld |= set(inheritance.withheld)
        for shared in inheritance.sockets:
            opened = shared.adopt()
            self.sockets[shared.interface, shared.family, opened.group] = opened

    @staticmethod
    def now() -> float:
        """The clock of the beat, which all processes share; trio's own begins anywhere."""
        return time.monotonic()

    # -- the beginning ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Resume what can be resumed, and give up the rest of what was to be."""
        if self._beat is None or not self.inheritance.resume:
            self._say({"awake": True})
            return
        self.will = _will_as_it_was()
        mine = {each.name: each for each in self.will.bequests if each.name in self.inheritance.resume}
        voices = [voice for each in mine.values() if (voice := self._voice(each))]
        self._stand_in = StandIn(whole(voices, mine.values()), self._beat)
        rivals = self._stand_in.begin()
        for voice in self._stand_in.voices:
            self.resumed[voice.bequest.name] = voice.bequest
            self.silence[voice.bequest.name] = voice.silence
            self._slots[voice.bequest.name] = voice.bequest.slot
        self._say({"awake": True})
        self.give_up(set(self.inheritance.resume) - self.resumed.keys(), rivals)

    def _voice(self, bequest: Bequest) -> Voice | None:
        group = ip_address(bequest.group) if bequest.group else None
        opened = self.sockets.get((bequest.interface, bequest.family, group))
        sign = self._beat.sign(bequest.slot) if self._beat else None
        if opened is None or sign is None or opened.ifindex != _ifindex(bequest.interface):
            return None
        try:
            return Voice(bequest, opened, sign)
        except ValueError:
            return None

    def take_over(self) -> dict[str, float]:
        """The election is ready: silence the stand-in. By router still resumed, when it last spoke."""
        if self._stand_in is None:
            return {}
        rivals = self._stand_in.end()
        lost = self.resumed.keys() - {voice.bequest.name for voice in self._stand_in.voices}
        self.give_up(lost | rivals, rivals)  # one that could not speak any more is neither MASTER nor BACKUP
        return {voice.bequest.name: voice.spoke_at for voice in self._stand_in.voices}

    def give_up(self, names: Collection[str], rivals: Collection[str] = ()) -> None:
        """These are not resumed after all: the guard is to hand them over, without a goodbye if there is a rival."""
        if not names:
            return
        for name in names:
            self.resumed.pop(name, None)
        self.withheld |= set(names)
        self._say({"yielded": list(names), "rivals": list(rivals)})

    # -- what the guard is told ---------------------------------------------------------------------------------

    def spoke(self, name: str, due_in: float, patience: float, release_in: float) -> None:
        """An advert has left, or the state changed; the next one is due in so many seconds, ``inf``: never.

        ``release_in``: seconds until the addresses go that are held for others; ``inf``: there are none.
        """
        if self._beat is None:
            return
        slot = self.slot_of(name)
        self._beat.promise(slot, 0.0 if release_in == inf else time.monotonic() + release_in)
        if due_in == inf:
            self._beat.silence(slot)
        else:
            now = time.monotonic()
            self._beat.mark(slot, Sign(now, now + due_in, patience))

    def slot_of(self, name: str) -> int:
        """Where the beat tells of this router; negative: nowhere."""
        if name not in self._slots:
            taken = set(self._slots.values())
            self._slots[name] = next((slot for slot in range(SLOTS) if slot not in taken), -1)
        return self._slots[name]

    def forget(self, name: str) -> None:
        """This router has left the configuration."""
        if name in self._slots and self._beat is not None:
            self._beat.silence(self._slots.pop(name))

    def opened(self, key: SocketKey, opened: VrrpSocket) -> None:
        """The guard keeps a duplicate."""
        if self.line is not None:
            fields = {"interface": key[0], "ifindex": opened.ifindex, "family": key[1], "group": _text(key[2])}
            self.line.say({"opened": fields}, opened.fileno())

    def closed(self, key: SocketKey, opened: VrrpSocket) -> None:
        """Its duplicate is not needed any more."""
        fields = {"interface": key[0], "ifindex": opened.ifindex, "family": key[1], "group": _text(key[2])}
        self._say({"closed": fields})

    def ask_for_successor(self) -> bool:
        """We are about to end, and another daemon is to go on; False: nobody is there to start it."""
        return self.line is not None and self.line.say({"replace": True})

    def heed_guard(self) -> list[str]:
        """Routers of which the guard said now that their handover is done."""
        done: list[str] = []
        while self.line is not None and (message := self.line.hear()):
            done += [name for name in message[0].get("done", ()) if name in self.withheld]
        self.withheld -= set(done)
        return done

    def notify(self, state: str) -> None:
        """systemd, by way of the guard if there is one: nobody else can speak in our name on the line."""
        if self.line is None:
            notify(state)
        else:
            self.line.say({"notify": state})

    def _say(self, message: dict[str, object]) -> None:
        if self.line is not None:
            self.line.say(message)


class Voice:
    """One router that is spoken for; raises ``ValueError`` when its key cannot be had."""

    def __init__(self, bequest: Bequest, opened: VrrpSocket, sign: Sign) -> None:
        self.bequest = bequest
        self.opened = opened
        self.spoke_at = sign.spoke_at
        self.silence = 0.0
        self._sign = sign
        self._messenger = Messenger(bequest, bequest.adverts)

    @property
    def due_at(self) -> float:
        """When it is to speak next."""
        return self.spoke_at + self.bequest.interval

    def speak(self, now: float) -> bool:
        """False: too late, or nothing could be sent."""
        if now >= self.spoke_at + self._sign.patience:
            return False
        try:
            for message, source, to in self._messenger.letters():
                self.opened.send(message, source, to, self._messenger.mac)
        except OSError:
            return False
        self.silence, self.spoke_at = now - self.spoke_at, now
        return True

    def sign(self) -> Sign:
        """For the beat."""
        return Sign(self.spoke_at, self.due_at, self._sign.patience)


class StandIn:
    """Speaks for resumed routers until the election does; a router whose place is taken falls silent."""

    def __init__(self, voices: Iterable[Voice], beat: Beat) -> None:
        self.voices = list(voices)
        self._beat = beat
        self._everybody = [voice.bequest for voice in self.voices]
        self._rivals: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in", daemon=True)

    def begin(self) -> set[str]:
        """Speak for the first time, and go on beside the caller; names the routers that have a rival."""
        self._turn(inf)
        if self.voices:
            self._thread.start()
        return set(self._rivals)

    def end(self) -> set[str]:
        """Fall silent; names the routers that got a rival."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        return set(self._rivals)

    def _run(self) -> None:
        until = time.monotonic() + SPEAKS_AT_MOST
        while self.voices and time.monotonic() < until:
            due_at = min(voice.due_at for voice in self.voices)
            if self._over.wait(max(due_at - time.monotonic(), 0)):
                return
            self._turn(time.monotonic())

    def _turn(self, now: float) -> None:
        """Hear first, then say what is due at ``now``."""
        for opened in {voice.opened for voice in self.voices}:
            concerned = [voice.bequest for voice in self.voices if voice.opened is opened]
            self._rivals |= rivals_heard(opened, concerned)
        self._keep([voice for voice in self.voices if voice.bequest.name not in self._rivals])
        silent = set()
        for voice in self.voices:
            if voice.due_at > now:
                continue
            if voice.speak(time.monotonic()):
                self._beat.mark(voice.bequest.slot, voice.sign())
            else:
                silent.add(voice)
        self._keep([voice for voice in self.voices if voice not in silent])

    def _keep(self, voices: list[Voice]) -> None:
        self.voices = whole(voices, self._everybody)


def whole(voices: list[Voice], everybody: Collection[Bequest]) -> list[Voice]:
    """Without those of whose sync group another member cannot be spoken for."""
    together = last_will.whole_groups([voice.bequest.name for voice in voices], everybody)
    return [voice for voice in voices if voice.bequest.name in together]


def _will_as_it_was() -> Will:
    """Empty unless record, configuration and plans fit together as they did when the daemon died."""
    try:
        will = last_will.read()
    except last_will.BadWill:
        return last_will.Will(0)
    if will is None or not will.identity or not will.plans:
        return last_will.Will(0)
    same = last_will.identify_file(will.config) == will.identity
    planned = last_will.identify_file(last_will.plans_path()) == will.plans
    return will if same and planned else last_will.Will(0)


def _ifindex(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def _text(group: IPAddress | None) -> str:
    return "" if group is None else str(group)
