"""A reader's open sessions and messages as bytes, so that following goes on after a restart.

One line `mailmum-log VERSION SHA256` and JSON, compressed.  The checksum tells damage; nothing in
the JSON can do more than be data (no pickle).  Messages refer to one another by their number.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from mailmum.postfix.log.book import Book, Host, Message, Opened, Session
from mailmum.traffic.sightings import Delivery, Outcome

_NAME = b"mailmum-log"
_VERSION = b"1"
_PLAIN = ("score", "spam", "helo", "sender", "reason", "queued", "removed", "message_id", "blank")
_SESSION = ("outcome", "code", "reason", "rbl", "helo", "said", "named", "queue_ids", "held")
_AT_ONCE = 256
_json = json.JSONEncoder(separators=(",", ":")).encode
_TABLES = ("fresh", "known", "orphans")


class Many(NamedTuple):
    """A list in the state that is made and written some items at a time: there may be many."""

    items: Iterator[Any]


def seal(state: dict[str, Any]) -> bytes:
    """State with version and checksum."""
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(text.encode("ascii")) for text in _written(state))
    body += packer.flush()
    digest = hashlib.sha256(body).hexdigest().encode()
    return b" ".join((_NAME, _VERSION, digest)) + b"\n" + body


def _written(value: Any, depth: int = 2) -> Iterator[str]:
    """JSON, in pieces; lists that are `Many` stand so deep at most."""
    if isinstance(value, Many):
        comma = "["
        while some := list(islice(value.items, _AT_ONCE)):
            yield comma + _json(some)[1:-1]
            comma = ","
        yield "]" if comma == "," else "[]"
    elif isinstance(value, dict) and value and depth:
        comma = "{"
        for key, one in value.items():
            yield f"{comma}{_json(key)}:"
            yield from _written(one, depth - 1)
            comma = ","
        yield "}"
    else:
        yield _json(value)


def unseal(data: bytes) -> dict[str, Any]:
    """The state sealed; ValueError when it is damaged or of another version."""
    line, _, body = data.partition(b"\n")
    words = line.split(b" ")
    if len(words) != 3 or words[0] != _NAME:
        raise ValueError("this is no state of a log reader: begin to read the log anew")
    if words[1] != _VERSION:
        raise ValueError(
            f"the state of the log reader has version {words[1].decode('ascii', 'replace')!r}, and "
            f"{_VERSION.decode()!r} is read here: begin to read the log anew"
        )
    if hashlib.sha256(body).hexdigest().encode() != words[2]:
        raise ValueError("the state of the log reader is damaged: begin to read the log anew")
    state = json.loads(zlib.decompress(body))
    assert isinstance(state, dict)
    return state


def pack_book(book: Book) -> dict[str, Any]:
    """All tables."""
    numbers: dict[int, int] = {}
    messages: list[list[str]] = []

    def number(message: list[str]) -> int:
        if id(message) not in numbers:
            numbers[id(message)] = len(messages)
            messages.append(message)
        return numbers[id(message)]

    hosts = [
        [
            host.name,
            *({key: number(one) for key, one in getattr(host, table).items()} for table in _TABLES),
        ]
        for host in book.hosts.values()
    ]
    sessions = ([key, _pack_opened(one)] for key, one in book.sessions.items())
    # Parents are found, and appended, on the way.
    packed = (_pack_message(message, number) for message in messages)
    return {
        "time": book.time,
        "now": book.clock.now,
        "dropped": book.dropped,
        "scoring": book.scoring,
        "early": list(book.early.items()),
        "gone": {host.name: host.gone for host in book.hosts.values()},
        "ids": {host.name: host.ids for host in book.hosts.values()},
        "sessions": Many(sessions),
        "hosts": hosts,
        "messages": Many(packed),
    }


def unpack_book(book: Book, state: dict[str, Any]) -> None:
    """Fill an empty book."""
    book.time = state["time"]
    book.clock.set(state["now"])
    book.dropped = state["dropped"]
    book.scoring = state["scoring"]
    for queue_id, (time, score, spam) in state.get("early", ()):
        book.early[queue_id] = (time, score, spam)
    messages = [_unpack_message(one) for one in state["messages"]]
    for message, one in zip(messages, state["messages"], strict=True):
        if "parent" in one:
            message.parent = messages[one["parent"]]
    for key, one in state["sessions"]:
        book.sessions[key] = _unpack_opened(one)
    for name, *tables in state["hosts"]:
        host = book.hosts[name] = Host(name)
        for table, numbers in zip(_TABLES, tables, strict=True):
            host.gone, host.ids = state["gone"][name], state["ids"][name]
            getattr(host, table).update((key, messages[one]) for key, one in numbers.items())


def _pack_opened(opened: Opened) -> Any:
    return pack_session(opened) if isinstance(opened, Session) else opened


def _unpack_opened(state: Any) -> Opened:
    opened: Opened = unpack_session(state) if isinstance(state, dict) else state
    return opened


def pack_session(session: Session) -> dict[str, Any]:
    """One session."""
    return dict(vars(session))


def unpack_session(state: dict[str, Any]) -> Session:
    """One session, back."""
    session = Session(state["stamp"], state["who"])
    for name in _SESSION:
        if name in state:
            setattr(session, name, state[name])
    session.queue_ids = tuple(session.queue_ids)
    session.named = tuple(session.named)
    session.outcome = Outcome(session.outcome)
    if session.held is not None:
        recipient, reason = session.held
        session.held = (recipient, reason)
    return session


def _pack_message(message: list[str], number: Callable[[list[str]], int]) -> dict[str, Any]:
    if not isinstance(message, Message):
        return {"lines": message}
    given = vars(message)
    state: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    state["lines"] = list(message)
    if message.fates is not None:
        state["fates"] = message.fates
    if message.told is not None:
        state["told"] = list(message.told.items())
    if message.children is not None:
        state["children"] = message.children
    if message.adopted is not None:
        state["adopted"] = message.adopted
    if message.parent is not None:
        state["parent"] = number(message.parent)
    return state


def _unpack_message(state: dict[str, Any]) -> Message:
    message = Message(state["lines"])
    for name in _PLAIN:
        if name in state:
            setattr(message, name, state[name])
    if "fates" in state:
        message.fates = {
            recipient: {target: Delivery(one) for target, one in fate.items()}
            for recipient, fate in state["fates"].items()
        }
    if "told" in state:
        message.told = {
            recipient: None if one is None else Delivery(one) for recipient, one in state["told"]
        }
    if "children" in state:
        message.children = {
            queue_id: [(recipient, target) for recipient, target in of]
            for queue_id, of in state["children"].items()
        }
    if "adopted" in state:
        address, name, service = state["adopted"]
        message.adopted = (address, name, service)
    return message
