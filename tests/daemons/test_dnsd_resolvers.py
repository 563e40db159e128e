"""dnsd below a delegation, with unbound, BIND and Knot Resolver asking from the root on.

All of them minimise query names (RFC 9156), take NXDOMAIN for the end of a branch (RFC 8020), and
two vary the case of letters.  They find each zone by its SOA and NS.  So this shows that the zones
fit together: the root's delegation of BASE, and those of keys below it.
"""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from mailmum.dns.zones import ZoneConfig
from tests.daemons.dnsd_kit import BASE, BL, DBL, KEY, WL, Database, Served, reverse, serving
from tests.daemons.test_dnsd_unbound import resolve, reverse6
from tests.support.postfix_dns import PORT
from tests.support.resolvers import bind, free_address, knot_resolver, root_zone
from tests.support.unbound import unbound

LISTED = {
    f"{reverse('203.0.113.7')}.{BL}": "127.0.0.2",
    f"{reverse('198.51.100.9')}.{BL}": "127.0.0.3",
    f"{reverse('192.0.2.25')}.{WL}": "127.0.0.2",
    f"{reverse6('2001:db8::7')}.{BL}": "127.0.0.2",
    f"{reverse6('2001:db8:1:2::3')}.{BL}": "127.0.0.3",
    f"mx.spam.example.{DBL}": "127.0.1.2",
    f"a.deep.name.bulk.example.{DBL}": "127.0.1.3",
    f"2.0.0.127.{WL}": "127.0.0.2",
    f"test.{DBL}": "127.0.0.2",
}
UNLISTED = (
    f"{reverse('203.0.113.8')}.{BL}",
    f"{reverse('192.0.2.25')}.{BL}",
    f"{reverse6('2001:db8::8')}.{BL}",
    f"a.mx.spam.example.{DBL}",
    f"1.0.0.127.{BL}",
    f"nobody.{BASE}",
    f"{reverse('203.0.113.7')}.unknownkey00.bl.{BASE}",
)
EMPTY = (f"spam.example.{DBL}", f"113.0.203.{BL}", BL, f"bl.{BASE}")

UNBOUND = """\
server:
    do-not-query-localhost: no
    qname-minimisation: yes
    qname-minimisation-strict: yes
    use-caps-for-id: yes
    harden-below-nxdomain: yes
    module-config: "iterator"
    root-hints: "{hints}"
"""


@contextlib.contextmanager
def named_delegation(tmp_path: Path) -> Iterator[tuple[Served, str]]:
    """The daemon at port 53 of its own address, and the address of a root above it."""
    database = Database(tmp_path)
    database.block("203.0.113.7", "198.51.100.0/24", "2001:db8::7", "2001:db8:1::/48")
    database.block("mx.spam.example", ".bulk.example", "192.0.2.0/24")
    database.block("192.0.2.25", action="allow")
    address = free_address()
    zone = ZoneConfig(BASE, addresses=(address,))
    with (
        serving(database, host=address, port=PORT, zone=zone) as served,
        root_zone(BASE, address) as root,
    ):
        yield served, root


@contextlib.contextmanager
def resolver(name: str, root: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """One of the resolvers, beginning at this root; its address and port."""
    with ExitStack() as stack:
        if name == "unbound":
            hints = tmp_path / "hints"
            hints.write_text(f". 3600 NS ns.root.\nns.root. 3600 A {root}\n")
            yield stack.enter_context(unbound(UNBOUND.format(hints=hints))), PORT
        else:
            start = bind if name == "BIND" else knot_resolver
            yield stack.enter_context(start(root))


@pytest.mark.parametrize("name", ["unbound", "BIND", "Knot Resolver"])
def test_a_resolver_finds_everything_from_the_root_on(name: str, tmp_path: Path) -> None:
    """What is listed, what is not, what is above it, and the zones' own records."""
    with (
        named_delegation(tmp_path) as (served, root),
        resolver(name, root, tmp_path) as at,
    ):
        # What is not listed first: a wrong NXDOMAIN above an entry would hide the entry.
        for asked in UNLISTED:
            assert resolve(*at, asked) == ("NXDOMAIN", []), asked
        for asked in EMPTY:
            assert resolve(*at, asked) == ("NOERROR", []), asked
        for asked, code in LISTED.items():
            assert resolve(*at, asked) == ("NOERROR", [code]), asked
        for zone in (BASE, BL, DBL):
            assert resolve(*at, zone, "NS") == ("NOERROR", [f"ns.{BASE}."])
            assert resolve(*at, zone, "SOA")[1][0].startswith(f"ns.{BASE}. hostmaster.{BASE}.")
        assert resolve(*at, f"ns.{BASE}") == ("NOERROR", [served.host])
        # After all that it still knows the way.
        assert resolve(*at, f"{reverse('198.51.100.10')}.{BL}") == ("NOERROR", ["127.0.0.3"])


def test_the_zones_fit_together(tmp_path: Path) -> None:
    """Each apex has its SOA and NS with AA, the parent knows of the child, and DS is its."""
    with serving(Database(tmp_path)) as served:
        for apex in (BASE, *(f"{KEY}.{kind}.{BASE}" for kind in ("bl", "wl", "dbl", "dwl"))):
            for type_ in ("SOA", "NS"):
                response = served.ask(apex, type_)
                assert response.flags & dns.flags.AA
                (rrset,) = response.answer
                assert rrset.name.to_text() == f"{apex}."
            assert served.ask(apex, "MX").authority[0].name.to_text() == f"{apex}."
        response = served.ask(BL, "DS")
        assert response.rcode() == dns.rcode.NOERROR
        assert response.authority[0].name.to_text() == f"{BASE}."
        response = served.ask(f"{reverse('192.0.2.1')}.{BL}")
        assert response.authority[0].name.to_text() == f"{BL}."
