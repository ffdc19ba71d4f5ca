"""What the segment says of our addresses: whether anybody else answers for them, whether the gateway's answers come.

A kernel never answers its own questions on the wire. What can be seen from the MASTER's own host is this: nobody else
answers when it asks for its addresses (who does is a claim like any other, and the election hears of it), and a
neighbour that is asked in the name of an address answers *to us*. Both are asked after a takeover, and now and then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from heapq import nsmallest
from itertools import pairwise
from typing import TYPE_CHECKING

import trio

from hafw.config.instance import VERIFY_OFF
from hafw.vrrp.device import device_of
from hafw.vrrp.settings import State
from hafw.wire.asking import AnswerSocket, echo, question
from hafw.wire.gateways import default_gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.daemon.run import Daemon
    from hafw.records import Record
    from hafw.vrrp.events import AddressesClaimed
    from hafw.vrrp.settings import IPAddress

    Place = tuple[str, bytes, IPAddress | None]
    Say = Callable[[bytes], None]

QUESTIONS = (0.0, 0.2, 0.8, 2.0)
"""Seconds at which a neighbour is asked, until it answers."""
PATIENCE = 1.0
"""Seconds after the last question; the same for an echo."""
VERIFY_EVERY = 60.0
PROBE_EVERY = 10.0
"""Seconds between two rounds of asking who else has our addresses."""
PROBES = 16
"""Addresses of one router that are asked for in a round: of thousands each comes up in turn."""
AT_ONCE = 4
"""Neighbours that are asked at the same time."""
CLAIM_KEPT = 180.0
"""Seconds for which the claim of another machine counts."""
ECHO_NUMBER = 0x6866
"""Identifier of our pings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of the question whether an announcement has arrived."""

    address: str
    """In whose name was asked."""
    target: str
    """Who was asked; empty: nobody, and ``detail`` says why."""
    answered: bool | None = None
    ms: float | None = None
    """From the question to its answer."""
    attempts: int | None = None
    mac: str = ""
    """Of the target."""
    echo: bool | None = None
    """Whether an echo came back *here*; ``None``: it answers no pings, those of our own address neither."""
    detail: str = ""


@dataclass(slots=True)
class Findings:
    """What is known of one router's addresses."""

    scope: trio.CancelScope
    probed: dict[IPAddress, float] = field(default_factory=dict)
    """When it was last asked who has them."""
    claimed: dict[IPAddress, tuple[str, float]] = field(default_factory=dict)
    """By which MAC, and when."""
    verified: dict[int, tuple[Verification, float]] = field(default_factory=dict)
    """By family, and when."""


class Segment:
    """Asks for every router that is MASTER."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._found: dict[str, Findings] = {}
        self._turns = trio.CapacityLimiter(AT_ONCE)

    # -- when ---------------------------------------------------------------------------------------------------

    def heed(self, event: Record) -> None:
        """An event of the stream: a router begins to serve, or ends."""
        name = event.get("instance", "")
        if event["type"] in {"takeover_complete", "resumed"}:
            self._end(name)
            found = self._found[name] = Findings(trio.CancelScope())
            self._daemon.start_soon(partial(self._watch, name, found))
        elif event["type"] == "state_changed" and event["to"] != State.MASTER:
            self._end(name)

    def claimed(self, event: AddressesClaimed) -> None:
        """Another machine answered for these, asked or not."""
        found = self._found.get(event.router)
        if found is not None:
            now = trio.current_time()
            found.claimed |= dict.fromkeys(event.addresses, (event.mac, now))

    def _end(self, name: str) -> None:
        found = self._found.pop(name, None)
        if found is not None:
            found.scope.cancel()

    async def _watch(self, name: str, found: Findings) -> None:
        with found.scope:
            await self._daemon.election.until(partial(self._serves, name))
            while True:
                until = trio.current_time() + VERIFY_EVERY
                self._probe(name, found)
                await self._verify(name, found)
                while trio.current_time() < until:
                    await trio.sleep(PROBE_EVERY)
                    self._probe(name, found)
                    self._daemon.wire.mismatches.stubborn(self._daemon.node.instances[name].router, trio.current_time())

    def _serves(self, name: str) -> bool:
        instance = self._daemon.node.instances.get(name)
        return instance is not None and instance.router.tenure.serving and instance.router.tenure.installed

    # -- who else has our addresses -----------------------------------------------------------------------------

    def _probe(self, name: str, found: Findings) -> None:
        """Those that were asked for longest ago. What comes of it is heard where all claims are."""
        if not self._serves(name):
            return
        addresses = self._daemon.plans[name].addresses
        for address in nsmallest(PROBES, addresses, key=lambda each: found.probed.get(each, 0.0)):
            link = self._on(name, address, asks_below=True)
            if link is None:
                continue
            interface, mac, primary = link
            if address.version == 6 and primary is None:
                continue
            asked = question(mac, None if address.version == 4 else primary, address)
            if self._daemon.announcer.send(interface, asked):
                found.probed[address] = trio.current_time()

    def _on(self, name: str, address: IPAddress, *, asks_below: bool = False) -> Place | None:
        """Interface, MAC and own address of where it is; ``asks_below``: of what is below a device of ours."""
        settings = self._daemon.node.instances[name].router.settings
        place = self._daemon.plans[name].addresses[address].interface
        interface = settings.interface if asks_below and device_of(settings) else place
        link = self._daemon.keeper.links().get(interface)
        if link is None or not link.mac:
            return None
        return interface, bytes.fromhex(link.mac.replace(":", "")), link.primary.get(address.version)

    # -- whether the gateway answers us -------------------------------------------------------------------------

    async def _verify(self, name: str, found: Findings) -> None:
        for family in (4, 6):
            address = self._spokesman(name, family)
            if address is None or self._daemon.config.instances[name].verify == VERIFY_OFF:
                continue
            async with self._turns:
                outcome = await self._verify_one(name, address)
            if not self._serves(name):  # what was asked was not asked to the end
                return
            before = found.verified.get(family)
            found.verified[family] = outcome, trio.current_time()
            if before is None or _heart(before[0]) != _heart(outcome):
                self._tell(name, outcome)

    def _spokesman(self, name: str, family: int) -> IPAddress | None:
        """The address in whose name is asked: of a family the first one that is known beyond the link."""
        plan = self._daemon.plans.get(name)
        every = [each for each in plan.addresses if each.version == family] if plan else []
        return next((each for each in every if not each.is_link_local), every[0] if every else None)

    async def _verify_one(self, name: str, address: IPAddress) -> Verification:
        place = self._on(name, address)
        if place is None:
            return Verification(address=str(address), target="", detail="its interface is gone")
        try:
            target = await self._target(name, address)
            if target is None:
                detail = f"no default gateway on {place[0]}: name a host in instance.{name}.announce.verify"
                return Verification(address=str(address), target="", detail=detail)
            return await self._ask(name, place, address, target)
        except OSError as error:
            return Verification(address=str(address), target="", detail=f"cannot ask: {error.strerror or error}")

    async def _target(self, name: str, address: IPAddress) -> IPAddress | None:
        instance = self._daemon.config.instances[name]
        if not isinstance(instance.verify, str):
            return instance.verify if instance.verify.version == address.version else None
        below = self._on(name, address, asks_below=True)
        link = self._daemon.keeper.links().get(below[0]) if below else None
        if link is None:
            return None
        found = await trio.to_thread.run_sync(default_gateway, link.ifindex, address.version)
        is_another = found is not None and found.version == address.version
        return found if is_another and found not in self._daemon.plans[name].addresses else None

    async def _ask(self, name: str, place: Place, address: IPAddress, target: IPAddress) -> Verification:
        interface, mac, own = place
        asking = AnswerSocket(interface, address.version)

        def say(frame: bytes) -> None:
            if self._serves(name):  # else the address is another's by now, and whoever hears us would learn a wrong MAC
                asking.ask(frame)

        try:
            attempts, neighbour, ms = await _locate(asking, say, mac, address, target)
            if not neighbour:
                return Verification(address=str(address), target=str(target), answered=False, attempts=attempts)
            echoed: bool | None = False
            for source in (address, own):  # our own address is asked to see whether it answers pings at all
                if source is None:
                    continue
                say(echo(mac, neighbour, source, target, ECHO_NUMBER))
                if not await _answer(asking, target, source, PATIENCE, is_echo=True):
                    continue
                echoed = source == address
                break
            else:
                echoed = None
            return Verification(
                address=str(address),
                target=str(target),
                answered=True,
                ms=round(ms, 3),
                attempts=attempts,
                mac=neighbour.hex(":"),
                echo=echoed,
            )
        finally:
            with trio.CancelScope(shield=True):  # closing waits for the kernel's other processors
                await trio.to_thread.run_sync(asking.close)

    def _tell(self, name: str, outcome: Verification) -> None:
        settings = self._daemon.config.instances[name].router
        fields = {key: value for key, value in asdict(outcome).items() if value is not None and value != ""}
        head = {"type": "announced", "instance": name, "vrid": settings.vrid, "interface": settings.interface}
        self._daemon.observer.event({**head, **fields})

    # -- for the status -----------------------------------------------------------------------------------------

    def announced(self, name: str, now: float) -> list[Record]:
        """What became of the last questions, a family each."""
        found = self._found.get(name)
        every = found.verified.values() if found else ()
        return [{**asdict(each), "asked_seconds": round(now - at, 3)} for each, at in every]

    def said_of(self, name: str, address: IPAddress, kernel: str, now: float) -> Record:
        """Whether it was asked who has it, who else answered, and what follows from all that is known of it."""
        found = self._found.get(name)
        if found is None:
            return {"asked_seconds": None, "claimed_by": "", "verified": None}
        asked = found.probed.get(address)
        mac, at = found.claimed.get(address, ("", -CLAIM_KEPT))
        claimed_by = mac if now < at + CLAIM_KEPT else ""
        return {
            "asked_seconds": None if asked is None else round(now - asked, 3),
            "claimed_by": claimed_by,
            "verified": self._is_verified(name, address, now, is_ours=kernel == "present" and not claimed_by),
        }

    def _is_verified(self, name: str, address: IPAddress, now: float, *, is_ours: bool) -> bool | None:
        """There, and ours alone as far as anybody can tell; ``None``: nobody can tell yet."""
        found = self._found[name]
        outcome, _ = found.verified.get(address.version, (None, 0.0))
        if not is_ours or (outcome is not None and False in {outcome.answered, outcome.echo}):
            return False
        asked = found.probed.get(address)
        is_told = outcome is not None or self._daemon.config.instances[name].verify == VERIFY_OFF
        return True if asked is not None and now >= asked + PATIENCE and is_told else None


def _heart(outcome: Verification) -> tuple[object, ...]:
    """What is told again when it changes."""
    return outcome.target, outcome.answered, outcome.echo


async def _locate(
    asking: AnswerSocket, say: Say, mac: bytes, address: IPAddress, target: IPAddress
) -> tuple[int, bytes, float]:
    """Ask until it answers: how often, its MAC (empty: it did not), and the milliseconds that the answer took."""
    pauses = [later - at for at, later in pairwise((*QUESTIONS, QUESTIONS[-1] + PATIENCE))]
    for attempts, pause in enumerate(pauses, 1):
        asked = trio.current_time()
        say(question(mac, address, target))
        if neighbour := await _answer(asking, target, address, pause, is_echo=False):
            return attempts, neighbour, (trio.current_time() - asked) * 1000
    return len(pauses), b"", 0.0


async def _answer(
    asking: AnswerSocket, target: IPAddress, address: IPAddress, seconds: float, *, is_echo: bool
) -> bytes:
    """The MAC that answered, if any did; an answer to another address, or another answer, is none."""
    with trio.move_on_after(seconds):
        while True:
            await _readable(asking)
            for each in asking.answers():
                if (each.source, each.to, each.is_echo) == (target, address, is_echo):
                    return each.mac
    return b""


async def _readable(asking: AnswerSocket) -> None:
    """Until one of its sockets is."""
    async with trio.open_nursery() as nursery:

        async def wait(descriptor: int) -> None:
            await trio.lowlevel.wait_readable(descriptor)
            nursery.cancel_scope.cancel()

        for descriptor in asking.filenos():
            nursery.start_soon(wait, descriptor)
