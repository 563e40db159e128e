"""TXT answers of the compiled hot path: the same bytes, and only odd ones left to Python."""

import ipaddress
import struct
from dataclasses import replace

import dns.message
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmum.domain.clients import parse_subject
from mailmum.domain.listings import Action, Listing
from mailmum.index.records import Changes, KeyRecord, ServerRecord
from mailmum.index.wording import NO_TEXT, packed
from tests.dns.both import Both, extension
from tests.dns.strategies import REASONS
from tests.dns.world import CONFIG, KEY, MAIN, NOW, OLD_KEY, World, make_engine, reverse, zone_of
from tests.formats.oracles import query_name, rbldnsd

ZONE, NAMES = zone_of("bl"), zone_of("dbl")
CLIENTS = {
    "203.0.113.7": f"7.113.0.203.{ZONE}",
    "198.51.100.0/24": f"200.100.51.198.{ZONE}",
    "2001:db8::/32": f"{reverse('2001:db8::a0:1')}.{ZONE}",
    "mail.spam.example": f"MAIL.spam.example.{NAMES}",
    ".bulk.example": f"a-b.c_d.bulk.example.{NAMES}",
}
# Every byte may stand there; some begin, end or hold a key, some are as long as they may be.
reasons = st.sampled_from(REASONS) | st.text(max_size=260) | st.text("aZ. é", max_size=260)


def strings(both: Both, name: str, *, edns: bool = True) -> bytes | None:
    """What the TXT record says; None when it is left to Python."""
    answer = both.ask(name, "TXT", use_edns=0 if edns else -1)
    if answer is None:
        return None
    ((record,),) = answer.answer
    return b"".join(record.strings)


def text_of(world: World, name: str) -> bytes:
    """What the Python engine says."""
    query = dns.message.make_query(name, "TXT").to_wire()
    written = make_engine(world).handle(query, None, NOW, True)
    assert written is not None
    ((record,),) = dns.message.from_wire(written).answer
    return b"".join(record.strings)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(sorted(CLIENTS)), reasons, min_size=1), reasons, st.booleans()
)
def test_every_reason_is_told(said: dict[str, str], text: str, later: bool) -> None:
    """Of an address, a network and a name, settled or new; where there is none, the server's.

    What is left to Python is too long for a string, or has a key in it.
    """
    world = World(servers=(replace(MAIN, text=text),))
    for target, reason in said.items():
        world.add(target, reason=reason)
    both = Both(World(servers=world.servers) if later else world)
    if later:
        both.index.apply(Changes(43, listings=tuple(world.listings)))
    for target, reason in said.items():
        ours, theirs = strings(both, CLIENTS[target]), text_of(world, CLIENTS[target])
        shown = reason or text
        odd = any(char in shown for char in "\u212a\u0130…")
        assert ours == theirs or (ours is None and (len(theirs) > 200 or odd or b"\xe2" in theirs))


group = st.sampled_from([0, 0, 0, 0, 1, 0x10, 0xDB8, 0xABCD, 0xFFFF])


@given(st.lists(group, min_size=8, max_size=8))
def test_addresses_are_spelt_as_everywhere(groups: list[int]) -> None:
    """IPv6 in its shortest form, and IPv4."""
    address = ipaddress.IPv6Address(struct.pack(">8H", *groups))
    world = World()
    world.add("::/1", reason="No")
    world.add("8000::/1", reason="No")
    world.add("128.0.0.0/1", reason="No")
    both = Both(world)
    if any(groups[:4]):
        said = strings(both, f"{reverse(str(address))}.{ZONE}")
        assert said == f"No. See https://mx.example.net/why/ref1ref1/{address}".encode()
    octets = [128 | groups[0] & 127, *(one & 255 for one in groups[1:4])]
    four = ipaddress.IPv4Address(bytes(octets))
    said = strings(both, f"{reverse(str(four))}.{ZONE}")
    assert said == f"No. See https://mx.example.net/why/ref1ref1/{four}".encode()


def test_rbldnsd_puts_the_same_client_into_its_texts() -> None:
    """Of addresses and names; it has a template, in which $ is the client."""
    template = ":127.0.0.3:No. See https://mx.example.net/why/ref1ref1/$\n"
    hosts = [f"m{number}.a-b.c_d.example" for number in range(20)]
    fours = [f"{200 - one % 70}.{9 * one % 256}.{one % 3}.{one}" for one in range(0, 256, 9)]
    sixes = [ipaddress.IPv6Address(1 << 125 | 0xDB8 << 4 * one) for one in range(28)]
    world, ends = World(), (*fours, *map(str, sixes), *hosts)
    for target in ("0.0.0.0/1", "128.0.0.0/1", "2000::/3", ".example"):
        world.add(target, reason="No")
    both = Both(world)
    zones = {
        "four.example": ("ip4trie", f"{template}0.0.0.0/1\n128.0.0.0/1\n"),
        "six.example": ("ip6trie", f"{template}2000::/3\n"),
        "name.example": ("dnset", template + "".join(f"{host}\n" for host in hosts)),
    }
    with rbldnsd(zones) as answers:
        for client in ends:
            subject = parse_subject(client)
            zone = "name" if client in hosts else "six" if ":" in client else "four"
            _, said = answers.ask(subject, f"{zone}.example")
            ours = strings(both, f"{query_name(subject)}.{NAMES if client in hosts else ZONE}")
            assert said == [(ours or b"").decode()]


@pytest.mark.parametrize("url", ["", "https://mx.example.net", "https://é.example", "x" * 300])
def test_links_begin_with_the_public_url(url: str) -> None:
    """None without one; one that is not ASCII, or long, is left to Python."""
    world = World()
    world.add("203.0.113.7", reason="Sent spam!")
    both = Both(world, config=replace(CONFIG, public_url=url))
    expected = f"Sent spam! See {url}/why/ref1ref1/203.0.113.7" if url else "Sent spam!"
    plain = url.isascii() and len(url) < 200
    assert strings(both, f"7.113.0.203.{ZONE}") == (expected.encode() if plain else None)


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        (f"It asked for {KEY.upper()}", f"7.113.0.203.{ZONE}"),
        (f"It asked for {OLD_KEY}", f"7.113.0.203.{ZONE}"),
        (f"It asked for \u212a{KEY[1:]}", f"7.113.0.203.{ZONE}"),
        ("x" * 255, f"7.113.0.203.{ZONE}"),
        ("No", f"{KEY}.spam.example.{NAMES}"),
        ("No", f"a{OLD_KEY}b.spam.example.{NAMES}"),
    ],
)
def test_no_key_is_told(reason: str, name: str) -> None:
    """In reason and client; Python strikes it out."""
    world = World()
    world.add("203.0.113.7", reason=reason)
    world.add(".spam.example", reason=reason)
    assert strings(Both(world), name) is None


def test_what_fits_is_told_in_one_string() -> None:
    """To the byte; what is longer is Python's, and so is an answer that is too long for UDP."""
    world = World()
    room = 255 - len(". See https://mx.example.net/why/ref1ref1/203.0.113.7")
    world.add("203.0.113.7", reason="x" * room)
    world.add("203.0.113.8", reason="x" * (room + 1))
    world.add(".example", reason="No")
    both = Both(world)
    assert len(strings(both, f"7.113.0.203.{ZONE}") or b"") == 255
    assert strings(both, f"8.113.0.203.{ZONE}") is None
    labels = ".".join(["a" * 63, "b" * 63, "c" * 15])
    assert strings(both, f"{labels}.example.{NAMES}", edns=False) is not None


def test_a_listing_without_a_code_asked_for_is_no_error() -> None:
    """AAAA of what is listed: the name is there, and has no such record."""
    world = World()
    world.add("203.0.113.7")
    answer = Both(world).ask(f"7.113.0.203.{ZONE}", "AAAA")
    assert answer is not None
    assert (answer.rcode(), len(answer.answer), len(answer.authority)) == (0, 0, 1)


def test_the_memory_of_texts_is_bounded() -> None:
    """Those that nobody says any more are let go, and those that are said stay."""
    stays = World().add("203.0.113.1", reason="Stays")
    both = Both(World())
    name = replace(World().add("stays.example", reason="So"), id=2)
    both.index.apply(Changes(43, listings=(stays, name)))
    was: tuple[Listing, ...] = ()
    for turn in range(1000):
        reason = f"Reason {turn}" * (1 + turn % 3)
        name = replace(World().add("a.example"), id=3, reason=f"Name: {reason}")
        now = (replace(World().add("203.0.113.7"), id=4, reason=reason), name)
        both.index.apply(Changes(44 + turn, gone=was, listings=now))
        was = now
        assert both.mirror.world.texts < 200
        if turn % 50 == 0:
            assert (strings(both, f"7.113.0.203.{ZONE}") or b"").startswith(reason.encode())
            assert (strings(both, f"1.113.0.203.{ZONE}") or b"").startswith(b"Stays. See")
            assert (strings(both, f"stays.example.{NAMES}") or b"").startswith(b"So. See")


def test_a_server_with_hundreds_of_keys_is_left_to_python() -> None:
    """Each would have to be looked for in every text."""
    keys = tuple(KeyRecord(f"{number:016}", int(NOW)) for number in range(100))
    world = World(servers=(replace(MAIN, keys=(KeyRecord(KEY), *keys)),))
    world.add("203.0.113.7")
    both = Both(world)
    assert strings(both, f"7.113.0.203.{ZONE}") is None
    assert both.ask(f"7.113.0.203.{ZONE}") is not None


def test_feeds_that_say_other_things_are_other_tables() -> None:
    """Whose columns are the same."""
    world = World()
    world.subscribe("203.0.113.0/24")
    world.subscribe("203.0.113.0/24", account=2)
    record, targets = world.feeds[1]
    world.feeds[1] = replace(record, reason="In a list"), targets
    record, targets = world.feeds[0]
    world.feeds[0] = replace(record, reason="In another"), targets
    both = Both(world)
    assert len(both.mirror._alike) == 2
    assert (strings(both, f"7.113.0.203.{ZONE}") or b"").startswith(b"In another. See")


def test_what_is_cut_off_is_not_taken() -> None:
    """Texts, keys, numbers of texts and of their places: all of it is checked when it comes in."""
    hot, both = extension(), Both(World())
    empty, none = (b"", None, None, 0, b"", 1, None), (b"", b"")
    terms = struct.pack("=IBB2xI", 0, 0, 0, 2)
    assert hot.Base(32, terms, NO_TEXT + packed("No"), empty, (*empty, *none))
    for texts in (b"", NO_TEXT, NO_TEXT + b"\x03", NO_TEXT + b"\x03\0No"):
        with pytest.raises(ValueError, match="a text is cut off"):
            hot.Base(32, terms, texts, empty, (*empty, *none))
    for said in (
        *((b"ref", b"\x05key", NO_TEXT, NO_TEXT), (b"ref", b"\x02key", NO_TEXT, NO_TEXT)),
        *((b"ref", b"", b"\x01", NO_TEXT), (b"ref", b"", NO_TEXT, b"\x01\0")),
        (b"", b"k" * 2000, NO_TEXT, NO_TEXT),
    ):
        with pytest.raises(ValueError, match=r"cut off|too many"):
            hot.Server(1, 60, 0, 0.0, 0.0, 0.0, [], said)
    world = both.mirror.world
    with pytest.raises(ValueError, match="a text is cut off"):
        world.text_of(b"\x03\0No")
    number = world.text_of(packed("No"))
    assert world.text_of(packed("No")) == number
    for text, good in ((0, True), (number, True), (number + 1, False), (1 << 31, False)):
        entry = struct.pack("=QQqIIBBBBI", 0, 0, 0, 1, 0, 0, 1, 0, 0, text)
        if good:
            world.change(1, put=entry)
        else:
            with pytest.raises(ValueError, match="an entry is out of range"):
                world.change(1, put=entry)


def test_what_servers_say_can_change() -> None:
    """Their text, and their keys."""
    world = World()
    world.add("203.0.113.7")
    both, name = Both(world), f"7.113.0.203.{ZONE}"
    for position, server in enumerate(
        (
            replace(MAIN, text="Not from there"),
            replace(MAIN, text=f"Not {KEY}"),
            ServerRecord(1, 1, "other", MAIN.keys),
        ),
        start=50,
    ):
        both.index.apply(Changes(position, servers=(server,)))
        said = strings(both, name)
        assert (said is None) == (KEY in server.text)
        if said is not None:
            start = server.text or "Blocked by the mail server's own policy"
            assert (
                said == f"{start}. See https://mx.example.net/why/{server.ref}/203.0.113.7".encode()
            )


def test_what_is_allowed_says_so() -> None:
    """And not what the server says of blocks."""
    world = World(servers=(replace(MAIN, text="Not from there"),))
    world.add("203.0.113.7", Action.ALLOW)
    said = strings(Both(world), f"7.113.0.203.{zone_of('wl')}")
    assert (said or b"").startswith(b"Allowed by the mail server's own policy. See ")
