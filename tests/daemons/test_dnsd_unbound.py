"""dnsd behind a real resolver that minimises query names (RFC 9156) strictly."""

import contextlib
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from mailmum.dns.zones import ZoneConfig
from tests.daemons.dnsd_kit import BASE, BL, DBL, WL, Database, reverse, serving
from tests.support.postfix_dns import PORT
from tests.support.unbound import unbound

CONFIG = """\
server:
    do-not-query-localhost: no
    qname-minimisation: yes
    qname-minimisation-strict: yes
    use-caps-for-id: yes
    harden-below-nxdomain: yes
    domain-insecure: "{base}"
{kind}-zone:
    name: "{base}"
    {kind}-addr: 127.0.0.1@{port}
"""


@contextlib.contextmanager
def resolving(tmp_path: Path, kind: str) -> Iterator[str]:
    """The address of a resolver in front of dnsd with some listings."""
    database = Database(tmp_path)
    database.block("203.0.113.7", "198.51.100.0/24", "2001:db8::7", "2001:db8:1::/48")
    database.block("mx.spam.example", ".bulk.example")
    database.block("192.0.2.0/24")
    database.block("192.0.2.25", action="allow")
    database.block("mail.bulk.example", action="allow")
    with serving(database, zone=ZoneConfig(BASE)) as served:
        config = CONFIG.format(base=BASE, kind=kind, port=served.port)
        with unbound(config) as address:
            yield address


def resolve(address: str, port: int, name: str, type_: str = "A") -> tuple[str, list[str]]:
    """Return code and answers, through the resolver."""
    response = dns.query.udp(dns.message.make_query(name, type_), address, 10, port)
    answers = [str(item) for rrset in response.answer for item in rrset]
    return dns.rcode.to_text(response.rcode()), answers


def reverse6(text: str) -> str:
    """The nibbles of an IPv6 address before a zone."""
    return ipaddress.IPv6Address(text).reverse_pointer.removesuffix(".ip6.arpa")


@pytest.mark.parametrize("kind", ["stub", "forward"])
def test_listed_and_unlisted_clients_are_resolved(tmp_path: Path, kind: str) -> None:
    """IPv4, IPv6 and names; NXDOMAIN only where nothing is."""
    listed = {
        f"{reverse('203.0.113.7')}.{BL}": "127.0.0.2",
        f"{reverse('198.51.100.9')}.{BL}": "127.0.0.3",
        f"{reverse('192.0.2.1')}.{BL}": "127.0.0.3",
        f"{reverse('192.0.2.25')}.{WL}": "127.0.0.2",
        f"{reverse6('2001:db8::7')}.{BL}": "127.0.0.2",
        f"{reverse6('2001:db8:1:2::3')}.{BL}": "127.0.0.3",
        f"{reverse6('::ffff:203.0.113.7')}.{BL}": "127.0.0.2",
        f"mx.spam.example.{DBL}": "127.0.1.2",
        f"x.mail.bulk.example.{DBL}": "127.0.1.3",
        f"2.0.0.127.{WL}": "127.0.0.2",
        f"{reverse6('::ffff:127.0.0.2')}.{BL}": "127.0.0.2",
        f"test.{DBL}": "127.0.0.2",
    }
    unlisted = (
        f"{reverse('203.0.113.8')}.{BL}",
        f"{reverse('192.0.2.25')}.{BL}",
        f"{reverse6('2001:db8::8')}.{BL}",
        f"{reverse('1.0.0.2')}.{BL}",
        f"a.mx.spam.example.{DBL}",
        f"1.0.0.127.{BL}",
        f"invalid.{DBL}",
    )
    with resolving(tmp_path, kind) as address:
        # What is not listed first: a wrong NXDOMAIN above an entry would hide the entry.
        for name in unlisted:
            assert resolve(address, PORT, name) == ("NXDOMAIN", []), name
        for name in (f"spam.example.{DBL}", f"mail.bulk.example.{DBL}", f"113.0.203.{BL}", BL):
            assert resolve(address, PORT, name) == ("NOERROR", []), name
        for name, code in listed.items():
            assert resolve(address, PORT, name) == ("NOERROR", [code]), name
        _, texts = resolve(address, PORT, f"{reverse('203.0.113.7')}.{BL}", "TXT")
        assert texts == ['"Blocked by the mail server\'s own policy"']


@pytest.mark.parametrize("kind", ["stub", "forward"])
def test_who_asks_for_name_servers_does_not_spoil_lookups(tmp_path: Path, kind: str) -> None:
    """A resolver goes by NS records it has been asked for, and dnsd is not on port 53."""
    with resolving(tmp_path, kind) as address:
        for zone in (BASE, BL, DBL):
            # DS of BASE itself is for the resolver to ask above BASE.
            for type_ in ("NS", "SOA") if zone == BASE else ("NS", "SOA", "DS"):
                assert resolve(address, PORT, zone, type_)[0] == "NOERROR"
        assert resolve(address, PORT, f"ns.{BASE}") == ("NOERROR", [])
        assert resolve(address, PORT, f"{reverse('203.0.113.7')}.{BL}") == (
            "NOERROR",
            ["127.0.0.2"],
        )
