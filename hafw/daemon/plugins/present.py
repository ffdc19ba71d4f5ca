"""How things are, as plugins were told last: for a new process of one that asks to be told again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from hafw.daemon.plugins.mailbox import Letter


class Present:
    """The last letter about the state of every instance and group, and about every address."""

    def __init__(self) -> None:
        self._letters: dict[str, dict[str, Letter]] = {}

    def note(self, lane: str, letter: Letter) -> None:
        """It has just been told."""
        if letter.change is not None and letter.change.new == "DELETED":
            self.forget(lane)
        elif letter.event is None:  # one of the stream is news of that moment, and of no present
            self._letters.setdefault(lane, {})[letter.subject] = letter

    def forget(self, lane: str) -> None:
        """There is nothing to tell of it."""
        self._letters.pop(lane, None)

    def keep_only(self, lanes: Container[str]) -> None:
        """Forget the others: they are not configured any more."""
        for lane in [each for each in self._letters if each not in lanes]:
            self.forget(lane)

    def state(self, lane: str) -> str:
        """What was told last of an instance or group; empty: nothing."""
        letter = self._letters.get(lane, {}).get("")
        change = letter and (letter.change or letter.group_change)
        return change.new if change else ""

    def unsorted(self) -> list[tuple[str, Letter]]:
        """Each with its lane."""
        return [(lane, each) for lane, letters in self._letters.items() for each in letters.values()]

    def letters(self) -> list[tuple[str, Letter]]:
        """Each with its lane, the oldest first: members of a group before the group."""
        return sorted(self.unsorted(), key=lambda each: each[1].number)
