"""What an import reads: entries, lines that cannot be used, and remarks.

Every reader of this package takes chunks of bytes and gives `Entry`, `BadLine` and `Remark` values
one at a time, in the order of the file, so that a file of any length needs bounded memory.  A
reader never raises: whatever is wrong with the bytes comes out as a `BadLine`.  What becomes of the
values (all or nothing, guards, two entries with one target) is decided by whoever imports; readers
of formats that have a rule of their own for repeated targets state it in their module.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mailmum.domain.clients import AddressSubject, NameSubject
from mailmum.domain.errors import Refusal
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import NameTarget, Target
from mailmum.domain.texts import shown


class Entry(NamedTuple):
    """One listing as a file describes it; a tuple, since a file may have a million.

    Attributes:
        line: number of the line that it starts on, from 1.
        action: block or allow.
        target: whom it covers.
        reason: public text.
        note: private text.
        code: own return code as a 32-bit integer, or None.
        expires: Unix time in seconds from which it no longer holds, or None.
        source: who made it, or None when the format does not say.
        origin: name of the trigger or feed, may be empty.
        enabled: whether it is in force at all.
        scope: `account`, the name of a server, or empty when the format does not say.
    """

    line: int
    action: Action
    target: Target
    reason: str = ""
    note: str = ""
    code: int | None = None
    expires: int | None = None
    source: Source | None = None
    origin: str = ""
    enabled: bool = True
    scope: str = ""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that gives no entry: its number, its text made fit to be shown, and why.

    With `cut` it is no line but what is missing: the file is not all of the list.
    """

    line: int
    text: str
    problem: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the importing person should know although nothing is wrong."""

    line: int
    text: str
    remark: str


Item = Entry | BadLine | Remark


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file.

    Attributes:
        action: what an entry means in a format that does not say.
    """

    action: Action = Action.BLOCK


def opposite(action: Action) -> Action:
    """The action of an exception."""
    return Action.ALLOW if action is Action.BLOCK else Action.BLOCK


def is_loopback(target: Target) -> bool:
    """Whether the target is the machine itself, which tables name for their own reasons."""
    if isinstance(target, NameTarget):
        return NameSubject(target.name).is_loopback
    widest = 8 if target.version == 4 else 128
    return target.prefix >= widest and AddressSubject(target.version, target.first).is_loopback


def bad_line(line: int, text: str, problem: Refusal | str) -> BadLine:
    """A bad line, its text escaped and cut."""
    return BadLine(line, shown(text), str(problem))


def cut_off(line: int, problem: str) -> BadLine:
    """What tells, after this line, that the file is not all of the list."""
    return BadLine(line, "", problem, cut=True)


def remark(line: int, text: str, words: str) -> Remark:
    """A remark, its text escaped and cut."""
    return Remark(line, shown(text), words)
