"""Snapshots: what goes in comes out; what is damaged is refused, in every way it can be."""

import struct
import tracemalloc
from array import array
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.domain.clients import NameSubject, Subject
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import parse_target
from mailmum.index.index import Index
from mailmum.index.records import Changes, KeyRecord, ServerRecord
from mailmum.index.snapshot import SnapshotDamaged, dump, load
from tests.domain.worlds import SERVERS, lists_of_listings, subjects, times
from tests.index.model import Model, check, key_of

TRAILER = 24


ASKERS = ((4, 0xC0000200, 0xC00002FF), (6, 1 << 120, (1 << 128) - 1))


def sample() -> Index:
    """An index with something of everything, some of it in overlays."""
    texts = ["203.0.113.7", "203.0.113.0/24", "203.0.113.0/28", "2001:db8::1", "2001:db8::/32",
             "mail.spam.example", ".spam.example", ".top"]  # fmt: skip
    model = Model(position=77)
    number = 0
    for text in texts:
        for source in Source:
            number += 1
            model.listings[number] = Listing(
                number, 1, 11 * (number % 2), list(Action)[number % 3 == 0], parse_target(text),
                source, source.value, f"Grund {number % 3} ä", 0x7F000009 if number % 4 else None,
                1000 + number if number % 5 else None,
            )  # fmt: skip
    keys = (KeyRecord(key_of(12)), KeyRecord("old", 99))
    model.servers[12] = ServerRecord(
        12,
        1,
        "ref",
        keys,
        300,
        0x7F000005,
        active=False,
        ends=5,
        blocks_from=None,
        askers=ASKERS,
        text="Sent spam hierher ä",
    )
    model.servers[11] = replace(model.servers[11], blocks_from=7)
    index = Index.build(model.everything())
    late = replace(model.listings[1], id=99, expires=None)
    index.apply(Changes(78, listings=(late,), gone=(model.listings[2],)))
    return index


SAMPLE = b"".join(dump(sample()))


def resealed(data: bytes) -> bytes:
    """Header and body with a trailer that fits: damage that no checksum tells."""
    return data + struct.pack("=Q16s", len(data), blake2b(data, digest_size=16).digest())


@settings(max_examples=150)
@given(lists_of_listings(), st.lists(st.tuples(subjects(), times()), min_size=1, max_size=4))
def test_an_index_comes_back_as_it_was(
    listings: list[Listing], asked: list[tuple[Subject, float]]
) -> None:
    """Position, servers and every answer; and writing it again gives the same bytes."""
    model = Model({listing.id: listing for listing in listings}, position=5)
    index = Index.build(model.everything())
    data = b"".join(dump(index))
    restored = load(data)
    assert restored.position == 5
    for subject, now in asked:
        check(restored, model, subject, now)
    assert b"".join(dump(restored)) == data


def test_servers_come_back_with_every_field() -> None:
    """Keys that are revoked too."""
    before, after = sample().image(), load(SAMPLE).image()
    assert after.servers == before.servers
    assert after.position == 78


def test_an_overlay_is_settled_on_the_way() -> None:
    """The snapshot of an index with changes is the snapshot of it once merged."""
    index = sample()
    assert index.overlay_size
    assert load(b"".join(dump(index))).overlay_size == 0
    index.finish_merge(index.begin_merge().run())
    assert b"".join(dump(index)) == SAMPLE


def test_changes_after_the_call_do_not_matter() -> None:
    """The pieces may be drawn in another thread while changes go on."""
    index = sample()
    pieces = dump(index)
    first = next(pieces)
    for number, text in enumerate(["203.0.113.7", "other.example", "mail.spam.example"], 200):
        new = Listing(number, 1, 0, Action.ALLOW, parse_target(text))
        index.apply(Changes(number, listings=(new,)))
    index.finish_merge(index.begin_merge().run())
    assert b"".join([first, *pieces]) == SAMPLE


def test_a_cut_snapshot_is_damaged() -> None:
    """Wherever it is cut."""
    for size in range(len(SAMPLE)):
        with pytest.raises(SnapshotDamaged):
            load(SAMPLE[:size])


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_damage(place: int, change: int) -> None:
    """Any byte, changed to any other."""
    data = bytearray(SAMPLE)
    data[place] ^= change
    with pytest.raises(SnapshotDamaged):
        load(bytes(data))


@given(st.binary(max_size=200), st.booleans())
def test_garbage_is_damage(garbage: bytes, with_header: bool) -> None:
    """With the right beginning too."""
    with pytest.raises(SnapshotDamaged):
        load(SAMPLE[:12] + garbage if with_header else garbage)


@given(st.binary(min_size=1, max_size=20))
def test_bytes_after_the_end_are_damage(more: bytes) -> None:
    """Behind the trailer, or before it."""
    with pytest.raises(SnapshotDamaged):
        load(SAMPLE + more)
    with pytest.raises(SnapshotDamaged, match="after its end"):
        load(resealed(SAMPLE[:-TRAILER] + more))


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """The sample with a few bytes set, cut out or put in, sealed anew."""
    data = bytearray(SAMPLE[:-TRAILER])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(12, len(data)))
        span = draw(st.integers(0, 9))
        edges = [b"", b"\0", b"\1", b"\xff", b"\xff" * 8, b"\x7f" * 8, b"\0" * 8, b"BHIQq"]
        data[place : place + span] = draw(st.one_of(st.sampled_from(edges), st.binary(max_size=9)))
    return resealed(bytes(data))


ASKED = [parse_target(text) for text in ("203.0.113.7", "2001:db8::1")]


@settings(max_examples=1500)
@given(mutations())
def test_damage_under_a_right_checksum(data: bytes) -> None:
    """Is told as damage, or gives an index that answers: never another exception."""
    try:
        index = load(data)
    except SnapshotDamaged as damage:
        assert str(damage)  # noqa: PT017 - both outcomes are right, and each is looked at
        return
    for _, server in SERVERS:
        state = index.key(key_of(server).encode(), 0.0)
        if state is None:
            continue
        for target in ASKED:
            index.find_address(state.server, target.version, target.first, 0.0)  # type: ignore[union-attr]
        index.find_name(state.server, "mail.spam.example", 0.0)
        index.covering(1, server, NameSubject("mail.spam.example"), 0.0)
    b"".join(dump(index))


def test_a_length_beyond_all_memory_takes_none() -> None:
    """Counts are held against the bytes that follow before anything is made of them."""
    body = SAMPLE[:-TRAILER]
    huge = [1 << 40, -1]
    tracemalloc.start()
    try:
        for place in range(12, len(body) - 8, 4):
            for count in huge:
                data = resealed(body[:place] + struct.pack("=q", count) + body[place + 8 :])
                with suppress(SnapshotDamaged):
                    load(data)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(SAMPLE) + 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, b"X", "does not begin as a snapshot"),
        (8, b"\1", "its format is 1, and this version reads 3"),
        (10, b"\1\2", "another kind of machine"),
        (len(SAMPLE) - 20, b"\xff", "which is not its length when written"),
        (40, b"\xff\xfe", "its checksum is wrong"),
    ],
)
def test_the_reason_is_told(place: int, value: bytes, reason: str) -> None:
    """So that the log says what to do."""
    data = SAMPLE[:place] + value + SAMPLE[place + len(value) :]
    with pytest.raises(SnapshotDamaged, match=reason):
        load(data)


def two_of_each() -> bytes:
    """Header and body of an index with few rows, whose columns are easily found among the bytes."""
    texts = ["203.0.113.7", "203.0.113.9", "198.51.100.0/24", "198.51.100.0/28",
             "a.example", "b.example"]  # fmt: skip
    listings = {
        number: Listing(number, 1, 0, Action.BLOCK, parse_target(text), expires=7000 + number)
        for number, text in enumerate(texts, start=11)
    }
    return b"".join(dump(Index.build(Model(listings).everything())))[:-TRAILER]


def column(code: str, *values: int) -> bytes:
    """A column as it stands in a snapshot."""
    return code.encode() + struct.pack("=Q", len(values)) + array(code, values).tobytes()


HOSTS = (0xCB007107, 0xCB007109)
NETWORK = 0xC6336400
REFUSED = [
    ("addresses are out of order", column("I", *HOSTS), column("I", *HOSTS[::-1])),
    ("networks are out of order", column("B", 8, 4), column("B", 4, 8)),
    ("has bits set beyond its prefix", column("B", 8, 4), column("B", 11, 4)),
    ("has bits set beyond its prefix", column("B", 8, 4), column("B", 8, 0)),
    ("has bits set beyond its prefix", column("B", 8, 4), column("B", 33, 4)),
    ("differ in length", column("B", 8, 4), column("B", 8)),
    ("differ in length", column("B", 11, 12), column("B", 11, 12, 13)),
    ("differ in length", column("q", 7011, 7012), column("q", 7011)),
    ("differ in length", column("q", 7015, 7016), column("q")),
    ("has terms that are not there", column("B", 0, 0), column("B", 0, 1)),
    ("has terms that are not there", column("I", 0, 0), column("I", 0, 9)),
    ("a column has the type 'f'", column("I", *HOSTS), b"f" + column("I", *HOSTS)[1:]),
    ("a column has the type 'q'", column("I", *HOSTS), b"q" + column("I", *HOSTS)[1:]),
    ("is not UTF-8", b"a.example", b"a.exampl\xff"),
    ("a name is empty or too long", b"\x13\0\0\0\0\0\0\0a.example\nb", b"\x0a\0\0\0\0\0\0\0\nb"),
    ("3 names stand where 2 are announced", b"a.example\n", b"a.exam\nle\n"),
    ("is not a valid Action", b"block", b"blick"),
    ("is not a valid Source", b"person", b"parson"),
    ("is neither there nor missing", b"k00000000011\0", b"k00000000011\2"),
]


@pytest.mark.parametrize(("reason", "found", "put"), REFUSED)
def test_what_contradicts_itself_is_refused(reason: str, found: bytes, put: bytes) -> None:
    """Under a right checksum too."""
    body = two_of_each()
    assert found in body
    with pytest.raises(SnapshotDamaged, match=reason):
        load(resealed(body.replace(found, put, 1)))


def test_a_table_that_stands_in_it_twice_is_refused() -> None:
    """Here the account's table of addresses comes as the other account's too."""
    listings = {
        account: Listing(account, account, 0, Action.BLOCK, parse_target("203.0.113.7"))
        for account in (1, 2)
    }
    body = b"".join(dump(Index.build(Model(listings).everything())))[:-TRAILER]
    first, second = (struct.pack("=4q", account, 0, 0, 4) for account in (1, 2))
    with pytest.raises(SnapshotDamaged, match="stands in it twice"):
        load(resealed(body.replace(second, first)))


@pytest.mark.parametrize("kind", [1, 5])
def test_a_table_of_an_unknown_kind_is_refused(kind: int) -> None:
    """Rather than read as something else."""
    found, put = (struct.pack("=4q", 1, 0, 0, version) for version in (4, kind))
    with pytest.raises(SnapshotDamaged, match="is no table of addresses"):
        load(resealed(two_of_each().replace(found, put)))
    names, put = (struct.pack("=4q", 1, 0, 0, version) for version in (0, kind))
    with pytest.raises(SnapshotDamaged, match="is no table of names"):
        load(resealed(two_of_each().replace(names, put)))


@pytest.mark.parametrize("count", [-1, 1, 1 << 50])
@pytest.mark.parametrize("place", [20, 28, 36])
def test_counts_that_cannot_be_are_refused(place: int, count: int) -> None:
    """Here of servers and tables, in the snapshot of an empty index."""
    body = b"".join(dump(Index()))[:-TRAILER]
    assert load(resealed(body)).position == 0
    with pytest.raises(SnapshotDamaged, match="cannot follow in"):
        load(resealed(body[:place] + struct.pack("=q", count) + body[place + 8 :]))
