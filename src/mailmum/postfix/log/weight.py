"""What the tables weigh: how long the things in them are is for strangers to choose.

The tables have room for so many sessions and messages, and for so much memory.  To weigh them takes
as long as to read some thousand lines; so it is done when enough was read to have made them too
heavy, which of an ordinary log, where little is open, is seldom and takes no time.  When they are,
the older half of each goes out, handed out as far as it is known, and counted.

    >>> weight(["a" * 1000, {"b": "c" * 1000}]) // 1000
    2
"""

from collections.abc import Mapping
from itertools import islice
from sys import getsizeof
from typing import Any

from mailmum.postfix.log.book import Book, Host, Message, Session
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.sessions import Sessions

MAX_WEIGHT = 40 << 20
_GROWN = 4
"""Bytes of memory that one of the log becomes, at most roughly."""
_LEAST_READ = 2 << 20


class Scale:
    """Keeps the tables of a reader below a weight."""

    def __init__(self, book: Book, messages: Messages, sessions: Sessions) -> None:
        self._book = book
        self._messages = messages
        self._sessions = sessions
        self._unread = MAX_WEIGHT // _GROWN

    def read(self, size: int) -> None:
        """So many bytes more were read."""
        self._unread -= size
        if self._unread > 0:
            return
        now = self._weigh()
        while now > MAX_WEIGHT:
            self._lighten()
            now = self._weigh()
        self._unread = max((MAX_WEIGHT - now) // _GROWN, _LEAST_READ)

    def _weigh(self) -> int:
        book = self._book
        tables: list[Mapping[str, object]] = [book.sessions, book.early, self._sessions.unsure]
        for host in book.hosts.values():
            tables += [host.fresh, host.known, host.orphans, host.gone, host.ids]
        return sum(map(weight, tables))

    def _lighten(self) -> None:
        book = self._book
        for host in list(book.hosts.values()):
            for _ in range(_half(host.fresh)):
                self._messages.make_room(host)
            self._forget(host)
        for _ in range(_half(self._sessions.unsure)):
            self._sessions.decide_oldest()
        for _ in range(_half(book.sessions)):
            self._sessions.end_oldest()
        _drop(book.early)

    def _forget(self, host: Host) -> None:
        for _ in range(_half(host.orphans)):
            self._messages.give_up_oldest(host)
        for table in (host.known, host.gone, host.ids):
            _drop(table)


def weight(thing: object) -> int:
    """Bytes of memory of something that a table holds, with all that it holds.

    What two of them share counts twice, and the message that another carries on with each.
    """
    size = getsizeof(thing)
    if isinstance(thing, (list, tuple)):
        # Most are lines, and a call for each of them is most of the time that this takes.
        if all(type(one) is str for one in thing):
            size += sum(map(getsizeof, thing))
        else:
            size += sum(map(weight, thing))
    elif isinstance(thing, dict):
        size += sum(map(getsizeof, thing)) + sum(map(weight, thing.values()))
    if isinstance(thing, Message):
        size += _held(thing)
        if thing.parent is not None:
            size += sum(map(getsizeof, thing.parent)) + _held(thing.parent)
    elif isinstance(thing, Session):
        size += _held(thing)
    return size


def _held(thing: Message | Session) -> int:
    return sum(weight(one) for one in vars(thing).values() if not isinstance(one, Message))


def _half(table: Mapping[str, object]) -> int:
    return (len(table) + 1) // 2


def _drop(table: dict[str, Any]) -> None:
    for key in list(islice(table, _half(table))):
        del table[key]
