"""A snapshot: the whole index as bytes, so that a daemon can start while the database is away.

    header    8 bytes magic, 2 format version, 2 byte order
    body      position; servers; tables of addresses; tables of names; entries; feeds
    trailer   length of header and body (8 bytes), BLAKE2b checksum of both (16 bytes)

Columns are written as they stand in memory, which is what makes a million listings load in a
fraction of a second; so a snapshot belongs to the kind of machine that made it.  What is read is
not trusted for its checksum alone: every length is held against the bytes that are there before
anything is made of them, numbers of terms and the order of rows are checked, and whatever is wrong
raises `SnapshotDamaged`.

    >>> load(b"".join(dump(Index()))).position
    0
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from struct import Struct
from typing import TypeVar

from mailmum.domain.listings import Action, Source
from mailmum.index.addresses import AddressTable
from mailmum.index.base import Base, assembled, no_pause
from mailmum.index.coding import (
    Reader,
    SnapshotDamaged,
    SnapshotOutdated,
    column,
    names,
    number,
    optional,
    text,
)
from mailmum.index.entries import packed, unpacked
from mailmum.index.firsts import Firsts, Pause, restored_firsts
from mailmum.index.index import Image, Index
from mailmum.index.names import CapturedNames, NameColumns, NameTable
from mailmum.index.records import FeedRecord, KeyRecord, ServerRecord
from mailmum.index.rows import Details
from mailmum.index.tables import NAMES, TableKey, Tables
from mailmum.index.terms import Terms, Tier

__all__ = ["SnapshotDamaged", "SnapshotOutdated", "dump", "load"]

MAGIC = b"MailMum\n"
VERSION = 3
_BYTE_ORDER = 0x0102
_HEADER = Struct("=8sHH")
_TRAILER = Struct("=Q16s")
_BITS = {4: 32, 6: 128}
_Table = TypeVar("_Table")


def dump(index: Index, pause: Pause = no_pause) -> Iterator[bytes]:
    """The snapshot of an index, in pieces of bounded length.

    The state is noted in the call itself, which belongs to the thread that applies changes; the
    pieces may be drawn in any other.

    Args:
        index: the index.
        pause: called now and then while overlays are merged, where no piece comes for long.
    """
    return _sealed(index.image(), pause)


def load(data: "bytes | memoryview") -> Index:
    """The index of a snapshot.

    Raises:
        SnapshotOutdated: it is of another version.
        SnapshotDamaged: the bytes are not a whole and sound snapshot of this format.
    """
    reader = Reader(_checked(memoryview(data)))
    try:
        index = _read_index(reader)
    except (ValueError, OverflowError) as error:
        raise SnapshotDamaged(str(error)) from None
    if reader.left:
        raise SnapshotDamaged(f"{reader.left} bytes stand after its end")
    return index


def _sealed(image: Image, pause: Pause) -> Iterator[bytes]:
    checksum = blake2b(digest_size=16)
    length = 0
    for piece in _pieces(image, pause):
        checksum.update(piece)
        length += len(piece)
        yield piece
    yield _TRAILER.pack(length, checksum.digest())


def _checked(data: memoryview) -> memoryview:
    """The body, once length and checksum are right."""
    if len(data) < _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise SnapshotDamaged("it does not begin as a snapshot of MailMum does")
    _, version, byte_order = _HEADER.unpack_from(data)
    if byte_order != _BYTE_ORDER:
        raise SnapshotDamaged("it was written on another kind of machine, or is damaged")
    if version != VERSION:
        raise SnapshotOutdated(f"its format is {version}, and this version reads {VERSION}")
    end = len(data) - _TRAILER.size
    length, digest = _TRAILER.unpack_from(data, end) if end >= _HEADER.size else (0, b"")
    if length != end:
        raise SnapshotDamaged(f"it has {len(data)} bytes, which is not its length when written")
    if blake2b(data[:end], digest_size=16).digest() != digest:
        raise SnapshotDamaged("its checksum is wrong")
    return data[_HEADER.size : end]


def _pieces(image: Image, pause: Pause) -> Iterator[bytes]:
    yield _HEADER.pack(MAGIC, VERSION, _BYTE_ORDER)
    yield number(image.position) + number(len(image.servers))
    for record in image.servers:
        yield _server(record)
    yield number(len(image.bases))
    for key, base in image.bases.items():
        replaced = image.replaced.get(key)
        yield from _table(key, _addresses(base.merged(replaced, pause) if replaced else base))
    yield number(len(image.names))
    for key, captured in image.names.items():
        yield from _table(key, _names(captured))
    yield from _feeds(image.feeds)


def _server(record: ServerRecord) -> bytes:
    keys = (text(key.key) + optional(key.until) for key in record.keys)
    fields = (
        number(record.id),
        number(record.account),
        text(record.ref),
        text(record.name),
        text(record.text),
        number(record.ttl),
        optional(record.code),
        number(record.active),
        optional(record.ends),
        optional(record.blocks_from),
        number(len(record.keys)),
    )
    askers = (_address(*asker) for asker in record.askers)
    return b"".join((*fields, *keys, number(len(record.askers)), *askers))


def _address(version: int, first: int, last: int) -> bytes:
    return number(version) + first.to_bytes(16, "big") + last.to_bytes(16, "big")


def _table(key: TableKey, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield b"".join(map(number, key))
    yield from parts


def _terms(terms: Sequence[Terms]) -> Iterator[bytes]:
    yield number(len(terms))
    for said in terms:
        words = (said.action.value, said.source.value, said.origin, said.reason)
        yield b"".join(map(text, words)) + optional(said.code)


def _addresses(base: Base) -> Iterator[bytes]:
    yield from _terms(base.terms)
    for rows in (base.hosts, base.networks):
        for values in rows.firsts.arrays():
            yield from column(values)
        yield from column(rows.details.ids)
        yield from column(rows.details.kinds)
        yield from column(rows.details.expires or array("q"))
    yield from column(array("B", base.networks.shifts))


def _names(captured: CapturedNames) -> Iterator[bytes]:
    rows = captured.columns()
    yield from _terms(rows.terms)
    yield names(rows.hosts)
    yield names(rows.domains)
    for values in (rows.ids, rows.kinds, rows.expires):
        yield from column(values)


def _feeds(records: Sequence[FeedRecord]) -> Iterator[bytes]:
    """Entries first, each once whoever subscribes; then feeds with the number of theirs."""
    numbers = {entries: at for at, entries in enumerate({one.entries: 0 for one in records})}
    yield number(len(numbers))
    for entries in numbers:
        data = packed(entries)
        yield number(len(data))
        yield data
    yield number(len(records))
    for one in records:
        words = text(one.action.value) + text(one.name) + text(one.reason)
        places = number(one.id) + number(one.account) + number(one.scope)
        yield places + words + optional(one.code) + number(numbers[one.entries])


def _read_feeds(reader: Reader) -> Iterator[FeedRecord]:
    known = [unpacked(reader.take(reader.count(1))) for _ in range(reader.count(24))]
    for _ in range(reader.count(57)):
        id_, account, scope = (reader.number() for _ in range(3))
        action, name, reason = Action(reader.text()), reader.text(), reader.text()
        code, at = reader.optional(), reader.number()
        if not 0 <= at < len(known) or id_ <= 0:
            raise SnapshotDamaged("a feed has entries that are not there")
        yield FeedRecord(id_, account, scope, action, name, reason, code, known[at])


def _read_index(reader: Reader) -> Index:
    position = reader.number()
    servers = [_read_server(reader) for _ in range(reader.count(56))]
    addresses = _read_tables(reader, _read_addresses)
    named = _read_tables(reader, _read_names)
    feeds = tuple(_read_feeds(reader))
    return Index(Tables(addresses, named, feeds), servers, position)


def _read_server(reader: Reader) -> ServerRecord:
    number, account = reader.number(), reader.number()
    ref, name, said, ttl = reader.text(), reader.text(), reader.text(), reader.number()
    code, active, ends = reader.optional(), reader.number(), reader.optional()
    blocks_from = reader.optional()
    keys = tuple(KeyRecord(reader.text(), reader.optional()) for _ in range(reader.count(9)))
    askers = tuple(_read_asker(reader) for _ in range(reader.count(40)))
    head = (number, account, ref, keys, ttl, code, bool(active), ends, blocks_from)
    return ServerRecord(*head, askers, name, said)


def _read_asker(reader: Reader) -> tuple[int, int, int]:
    version = reader.number()
    first, last = (int.from_bytes(reader.take(16), "big") for _ in range(2))
    if version not in _BITS or not 0 <= first <= last < 1 << _BITS[version]:
        raise SnapshotDamaged("a network that may ask is none")
    return version, first, last


def _read_tables(
    reader: Reader, read: Callable[[Reader, TableKey], _Table]
) -> dict[TableKey, _Table]:
    tables: dict[TableKey, _Table] = {}
    for _ in range(reader.count(32)):
        account, scope, tier, kind = (reader.number() for _ in range(4))
        key = TableKey(account, scope, Tier(tier), kind)
        if key in tables:
            raise SnapshotDamaged(f"{key} stands in it twice")
        tables[key] = read(reader, key)
    return tables


def _read_terms(reader: Reader) -> list[Terms]:
    made: list[Terms] = []
    head, action, source, origin = b"", Action.BLOCK, Source.PERSON, ""
    for _ in range(reader.count(33)):
        # Where each listing has a text of its own there are as many, which begin all the same.
        if not head or not reader.follows(head):
            start = reader.left
            action, source, origin = Action(reader.text()), Source(reader.text()), reader.text()
            head = reader.passed(start)
        made.append(Terms(action, source, origin, reader.text(), reader.optional()))
    return made


def _read_addresses(reader: Reader, key: TableKey) -> AddressTable:
    if key.kind not in _BITS:
        raise SnapshotDamaged(f"{key} is no table of addresses")
    bits = _BITS[key.kind]
    terms = _read_terms(reader)
    hosts, networks = (_read_rows(reader, bits, len(terms)) for _ in range(2))
    shifts = bytes(reader.column("B"))
    _check_hosts(hosts[0])
    _check_networks(networks[0], shifts)
    return AddressTable(assembled(hosts, networks, shifts, terms), key.account, key.scope)


def _read_rows(reader: Reader, bits: int, terms: int) -> tuple[Firsts, Details]:
    firsts = [reader.column("I")] if bits == 32 else [reader.column("Q"), reader.column("Q")]
    ids, kinds, expires = reader.column("BHIQ"), reader.column("BHI"), reader.column("q")
    lengths = {len(ids), len(kinds), *map(len, firsts)} | ({len(expires)} if expires else set())
    _check_columns(lengths, kinds, terms)
    return restored_firsts(bits, firsts), Details(ids, kinds, expires or None)


def _read_names(reader: Reader, key: TableKey) -> NameTable:
    if key.kind != NAMES:
        raise SnapshotDamaged(f"{key} is no table of names")
    terms = _read_terms(reader)
    hosts, domains = reader.names(), reader.names()
    ids, kinds, expires = reader.column("Q"), reader.column("I"), reader.column("q")
    lengths = {len(hosts) + len(domains), len(ids), len(kinds), len(expires)}
    _check_columns(lengths, kinds, len(terms))
    table = NameTable(key.account, key.scope)
    table.restore(NameColumns(hosts, domains, ids, kinds, expires, terms))
    return table


def _check_columns(lengths: set[int], kinds: "array[int]", terms: int) -> None:
    if len(lengths) > 1:
        raise SnapshotDamaged("the columns of a table differ in length")
    if _largest(kinds, terms) >= terms:
        raise SnapshotDamaged("a listing has terms that are not there")


def _largest(kinds: "array[int]", terms: int) -> int:
    """The largest number in a column; when it holds none but of known terms, any of these."""
    if kinds.typecode != "B":
        return max(kinds, default=-1)
    unknown = kinds.tobytes().translate(None, bytes(range(min(terms, 256))))
    return max(unknown, default=-1)


def _check_hosts(firsts: Firsts) -> None:
    before = 0
    for first in firsts.values:
        if first < before:
            raise SnapshotDamaged("addresses are out of order")
        before = first


def _check_networks(firsts: Firsts, shifts: bytes) -> None:
    values = firsts.values
    if len(values) != len(shifts):
        raise SnapshotDamaged("the columns of a table differ in length")
    before = (-1, 0)
    for row, shift in enumerate(shifts):
        first = values[row]
        if not 0 < shift <= firsts.bits or first & ((1 << shift) - 1):
            raise SnapshotDamaged("a network has bits set beyond its prefix")
        if (first, -shift) < before:
            raise SnapshotDamaged("networks are out of order")
        before = (first, -shift)
