"""Batches of log lines that wait to be handed in: one in memory, or many in a folder.

Each batch begins where the one before it ends, so what waits is a chain that begins where the
service stands.  Without a folder one batch waits, and no more is read meanwhile: the log itself
keeps the rest, for as long as rotation leaves it there.

In a folder there is room for a given number of bytes.  When it is full the oldest batches are
dropped, but never the very first, which the service may have already.  The batch after a gap takes
the place of those that were dropped and says how many lines they had, so the chain stays whole and
nothing is lost in silence.  A file is written whole or not at all, and the chain tells which files
count: being killed at any moment costs nothing.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from mailmum.cli.failures import Failure
from mailmum.cli.output import warn
from mailmum.daemons.positions import Position

LEAST_SPOOL = 4 * 1024 * 1024
_ENDING = ".batch"


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of a log.

    Attributes:
        after: position at which they begin, None for the beginning.
        position: position after them.
        count: how many lines there are.
        lost: lines that were dropped before these.
        read: Unix time at which they were read and there was nothing more; 0 when there was.
        body: the lines, compressed with gzip.
    """

    after: str | None
    position: str
    count: int
    lost: int
    read: float
    body: bytes

    def pack(self) -> bytes:
        """As bytes."""
        head = {name: getattr(self, name) for name in self.__slots__ if name != "body"}
        return json.dumps(head).encode() + b"\n" + self.body

    @classmethod
    def unpack(cls, data: bytes) -> "Batch":
        """Read what `pack` made.

        Raises:
            ValueError: it is something else.
        """
        head, _, body = data.partition(b"\n")
        try:
            batch = cls(**json.loads(head), body=body)
            Position.parse(batch.position)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return batch


class _Waiting(NamedTuple):
    """A file of a spool."""

    size: int
    position: str


class Queue(Protocol):
    """Batches that wait."""

    @property
    def full(self) -> bool:
        """Whether nothing more is to be read just now."""
        ...

    @property
    def last(self) -> str | None:
        """The position after all that waits; None when nothing does."""
        ...

    def put(self, batch: Batch) -> int:
        """Add a batch; how many lines had to be dropped for it."""
        ...

    def first(self) -> Batch | None:
        """The batch that waits longest."""
        ...

    def take(self) -> None:
        """Forget that one."""
        ...

    def forget(self, position: str) -> bool:
        """Forget all up to this position; whether it is one of those that wait."""
        ...

    def move(self, after: str | None) -> None:
        """Let the first begin elsewhere."""
        ...

    def clear(self) -> None:
        """Forget all."""
        ...


class InMemory:
    """Room for one batch."""

    def __init__(self) -> None:
        self._batch: Batch | None = None

    @property
    def full(self) -> bool:
        """Whether one waits."""
        return self._batch is not None

    @property
    def last(self) -> str | None:
        """The position after it."""
        return None if self._batch is None else self._batch.position

    def put(self, batch: Batch) -> int:
        """Keep it."""
        self._batch = batch
        return 0

    def first(self) -> Batch | None:
        """The batch, if there is one."""
        return self._batch

    def take(self) -> None:
        """Forget it."""
        self._batch = None

    def forget(self, position: str) -> bool:
        """Forget it, if it ends there."""
        if self.last != position:
            return False
        self._batch = None
        return True

    def move(self, after: str | None) -> None:
        """Let it begin elsewhere."""
        if self._batch is not None:
            self._batch = replace(self._batch, after=after)

    def clear(self) -> None:
        """Forget it."""
        self._batch = None


class Spool:
    """Room for so many bytes in a folder.

    Args:
        folder: made when it is not there.
        limit: bytes that its files may have together.

    Raises:
        Failure: it cannot be used.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(
                f"{folder} is in use", "another mailmum ship sends the same log; stop one of them"
            ) from None
        with _told(folder):
            self._waiting = self._chain()

    @property
    def full(self) -> bool:
        """Never: the oldest give way."""
        return False

    @property
    def last(self) -> str | None:
        """The position after all that waits."""
        return self._waiting[max(self._waiting)].position if self._waiting else None

    def put(self, batch: Batch) -> int:
        """Add a batch; how many lines had to be dropped for it.

        Raises:
            Failure: it cannot be written.
        """
        with _told(self._folder):
            number = max(self._waiting, default=0) + 1
            self._write(number, batch)
            return self._shrink()

    def first(self) -> Batch | None:
        """The batch that waits longest."""
        return self._read(min(self._waiting)) if self._waiting else None

    def take(self) -> None:
        """Forget that one."""
        self._remove(min(self._waiting))

    def forget(self, position: str) -> bool:
        """Forget all up to this position; whether it is one of those that wait."""
        ends = [number for number, one in self._waiting.items() if one.position == position]
        for number in [number for number in self._waiting if ends and number <= ends[0]]:
            self._remove(number)
        return bool(ends)

    def move(self, after: str | None) -> None:
        """Let the first begin elsewhere."""
        if self._waiting:
            number = min(self._waiting)
            self._write(number, replace(self._read(number), after=after))

    def clear(self) -> None:
        """Forget all."""
        for number in list(self._waiting):
            self._remove(number)

    def close(self) -> None:
        """Let others use it."""
        os.close(self._lock)

    def _shrink(self) -> int:
        """Drop the oldest but one until there is room."""
        lost = 0
        while self._size() > self._limit and len(self._waiting) > 2:
            second, third = sorted(self._waiting)[1:3]
            gone, heir = self._read(second), self._read(third)
            # First the heir: should we be killed here, the chain leads past the dropped one.
            lines = gone.count + gone.lost
            self._write(third, replace(heir, after=gone.after, lost=heir.lost + lines))
            self._remove(second)
            lost += gone.count
        return lost

    def _size(self) -> int:
        return sum(one.size for one in self._waiting.values())

    def _chain(self) -> dict[int, _Waiting]:
        """The files that count; others are removed."""
        found = self._found()
        ends = {batch.position for batch in found.values()}
        kept: list[int] = []
        for number in sorted(found, reverse=True):
            heir = found[kept[-1]] if kept else None
            if heir is not None and heir.after != found[number].position:
                if heir.after in ends:
                    # Its heir was written, and then we were killed before it was removed.
                    continue
                warn(f"{self._folder}: a file is damaged or gone, and its lines with it")
                found[kept[-1]] = replace(heir, after=found[number].position)
                self._put_down(kept[-1], found[kept[-1]])
            kept.append(number)
        for number in found.keys() - set(kept):
            self._path(number).unlink()
        return {
            number: _Waiting(self._path(number).stat().st_size, found[number].position)
            for number in kept
        }

    def _found(self) -> dict[int, Batch]:
        """The batches in the folder; what is no batch is removed."""
        found: dict[int, Batch] = {}
        for path in self._folder.iterdir():
            if path.name == "lock":
                continue
            try:
                if path.suffix != _ENDING:
                    raise ValueError("half written when we were killed")
                found[int(path.stem)] = Batch.unpack(path.read_bytes())
            except ValueError:
                path.unlink()
        return found

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:016}{_ENDING}"

    def _read(self, number: int) -> Batch:
        return Batch.unpack(self._path(number).read_bytes())

    def _write(self, number: int, batch: Batch) -> None:
        self._waiting[number] = _Waiting(self._put_down(number, batch), batch.position)

    def _put_down(self, number: int, batch: Batch) -> int:
        """Write a file whole or not at all; its size."""
        path = self._path(number)
        partial = path.with_suffix(".new")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(batch.pack())
            file.flush()
            os.fsync(handle)
            size = file.tell()
        partial.replace(path)
        return size

    def _remove(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        del self._waiting[number]


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(
            f"the spool {folder} cannot be used: {error.strerror}",
            "choose another with --spool, or make room there",
        ) from None
