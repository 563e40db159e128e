"""Requests to URLs of others, against a real HTTPS server on loopback."""

import gzip
import itertools
import socket
import ssl
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.daemons import outgoing
from mailmum.daemons.outgoing import Outgoing, Reply, Unreached, Unsafe, conditional, parse_url
from mailmum.daemons.outgoing_http import gunzip
from mailmum.domain.errors import BadInput
from mailmum.domain.reachable import parse_reachable
from tests.support.https import Asked, Site, Write, https_site, moved, text


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests of this file."""
    with https_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    """The server with nothing on it."""
    running_site.answers.clear()
    running_site.asked.clear()
    return running_site


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses by name, in place of the system's resolver."""
    known: dict[str, list[str]] = {"lists.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    real = socket.getaddrinfo

    def asked(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if host not in known:
            return real(host, port, *rest, **named)
        return [(0, 0, 0, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr("mailmum.daemons.outgoing_connect.socket.getaddrinfo", asked)
    return known


def fetch(site: Site, path: str, host: str = "localhost", **given: Any) -> Reply:
    """A request to the server, which may be reached."""
    way = Outgoing(reach=parse_reachable("127.0.0.1"), trust=site.trust)
    return way.request(given.pop("method", "GET"), site.url(path, host), **given)


def test_a_reply_has_status_headers_and_body(site: Site) -> None:
    """Names of headers in small letters; a status that is no success is a reply like any other."""
    site.answers["/a?b=c"] = text(b"192.0.2.1\n", ETag='"x1"')
    reply = fetch(site, "/a?b=c")
    assert (reply.status, reply.body, reply.headers["etag"]) == (200, b"192.0.2.1\n", '"x1"')
    assert reply.ok
    assert fetch(site, "/none").status == 404
    assert site.asked[0].headers["host"] == f"localhost:{site.port}"


def test_a_body_and_headers_are_sent(site: Site) -> None:
    """What is given overrides ours; the length is always that of the body."""
    site.answers["/hook"] = text(b"", 204)
    body = b"{}" * 100_000
    reply = fetch(
        site, "/hook", method="POST", body=body, headers={"user-agent": "x", "X-Sign": "s"}
    )
    assert reply.status == 204
    (asked,) = site.asked
    assert (asked.method, asked.body) == ("POST", body)
    assert (asked.headers["user-agent"], asked.headers["x-sign"]) == ("x", "s")


def test_loopback_is_refused_without_a_connection(site: Site) -> None:
    """By address in any spelling, and by name."""
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        with pytest.raises(Unsafe, match="not reached from here"):
            outgoing.request("GET", site.url("/", host))
    assert site.asked == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "017700000001"])
def test_numbers_that_the_resolver_takes_for_addresses_lead_nowhere(site: Site, host: str) -> None:
    """They are no names, so they are not even resolved."""
    with pytest.raises((BadInput, Unsafe)):
        outgoing.request("GET", site.url("/", host))
    assert site.asked == []


MAPPED = IPv6Address("::ffff:10.0.0.1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::ffff:10.0.0.1]", "localhost", "in.localhost", "0x7f000001"]
)
def test_what_is_refused_anyway_is_told_before_it_is_asked(host: str) -> None:
    """Unless it may be reached; what names stand for is not looked up."""
    url = f"https://{host}/list"
    with pytest.raises(Unsafe, match="not reached from here; who runs"):
        Outgoing().check(url)
    here = Outgoing(reach=parse_reachable("127.0.0.0/8, 10.0.0.0/8"))
    for way, place in ((here, url), (Outgoing(), "https://nowhere.invalid/list")):
        # How Python writes an address with another in it depends on its version.
        assert way.check(place).url == place.replace("::ffff:10.0.0.1", str(MAPPED))


def test_one_closed_address_closes_the_name(site: Site, names: dict[str, list[str]]) -> None:
    """Even when the first is public."""
    names["lists.example"] = ["8.8.8.8", "10.0.0.1"]
    with pytest.raises(Unsafe, match=r"10\.0\.0\.1, which is in private space"):
        Outgoing().request("GET", site.url("/", "lists.example"))


def test_a_name_that_answers_otherwise_later_gains_nothing(
    site: Site, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the address that was checked, by number."""
    names["lists.example"] = ["8.8.8.8"]
    reached = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(address)
        names["lists.example"] = ["127.0.0.1"]
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("mailmum.daemons.outgoing_connect.socket.create_connection", connect)
    with pytest.raises(Unreached, match="Connection refused"):
        Outgoing(trust=site.trust).request("GET", site.url("/", "lists.example"))
    assert reached == [("8.8.8.8", site.port)]


def test_the_name_is_what_tls_and_host_speak_of(site: Site, names: dict[str, list[str]]) -> None:
    """A certificate for the name satisfies; one for other names does not."""
    site.answers["/"] = text(b"ok")
    assert fetch(site, "/", "lists.example").body == b"ok"
    assert site.asked[0].headers["host"] == f"lists.example:{site.port}"
    names["strange.example"] = ["127.0.0.1"]
    with pytest.raises(Unreached, match=r"not to be trusted.*strange"):
        fetch(site, "/", "strange.example")


def test_an_unknown_authority_is_not_trusted(site: Site) -> None:
    """The system's store does not know the authority of the test."""
    way = Outgoing(reach=parse_reachable("localhost"))
    with pytest.raises(Unreached, match="not to be trusted"):
        way.request("GET", site.url("/"))


def test_the_next_address_is_tried(site: Site, names: dict[str, list[str]]) -> None:
    """When the first refuses."""
    names["lists.example"] = ["127.9.9.9", "127.0.0.1"]
    site.answers["/"] = text(b"ok")
    way = Outgoing(reach=parse_reachable("127.0.0.0/8"), trust=site.trust)
    assert way.request("GET", site.url("/", "lists.example")).body == b"ok"


def test_redirects_are_followed_and_counted(site: Site) -> None:
    """Relative ones too; the reply says where it came from."""
    site.answers |= {"/a": moved("b"), "/b": moved("/c", 308), "/c": text(b"end")}
    reply = fetch(site, "/a")
    assert (reply.body, reply.url) == (b"end", site.url("/c"))
    site.answers["/c"] = moved("/a")
    with pytest.raises(Unreached, match="redirects more than 3 times"):
        fetch(site, "/a")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("https://10.0.0.1/", Unsafe),
        ("https://[fd00::1]/", Unsafe),
        ("http://localhost/", Unreached),
        ("file:///etc/passwd", Unreached),
        ("https://user@localhost/", Unreached),
        ("https://[/", Unreached),
    ],
)
def test_a_redirect_is_checked_as_if_it_had_been_given(
    site: Site, target: str, error: type[Exception]
) -> None:
    """A public site leads to no private place, and not out of https."""
    site.answers["/a"] = moved(target)
    with pytest.raises(error):
        fetch(site, "/a")


def test_a_post_is_not_sent_on(site: Site) -> None:
    """The caller sees the redirect."""
    site.answers["/a"] = moved("/b")
    assert fetch(site, "/a", method="POST", body=b"x").status == 302
    assert len(site.asked) == 1


def test_secrets_stay_with_their_host(site: Site, names: dict[str, list[str]]) -> None:
    """They go along a redirect on the same host only."""
    site.answers |= {"/a": moved("/b"), "/b": moved(site.url("/c", "other.example"))}
    site.answers["/c"] = text(b"")
    fetch(site, "/a", "lists.example", headers={"Authorization": "Bearer x"})
    assert ["authorization" in one.headers for one in site.asked] == [True, True, False]


def test_a_body_over_the_limit_is_refused(site: Site) -> None:
    """By its announced length, or as it comes; the limit itself passes."""
    site.answers["/said"] = text(b"x" * 1001)
    site.answers["/fits"] = text(b"x" * 1000)
    site.answers["/endless"] = _endless
    assert len(fetch(site, "/fits", limit=1000).body) == 1000
    for path in ("/said", "/endless"):
        with pytest.raises(Unreached, match="more than 1000 bytes"):
            fetch(site, path, limit=1000)


def _endless(_asked: Asked, write: Write) -> None:
    write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        write(b"400\r\n" + b"x" * 1024 + b"\r\n")


def test_gzip_is_unpacked_within_the_limit(site: Site) -> None:
    """A bomb of 100 MB in 100 KB never gets unpacked."""
    plain = bytes(range(256)) * 100
    site.answers["/gz"] = text(gzip.compress(plain), Content_Encoding="gzip")
    site.answers["/bomb"] = text(gzip.compress(bytes(10**8)), Content_Encoding="gzip")
    site.answers["/cut"] = text(gzip.compress(plain)[:-9], Content_Encoding="gzip")
    site.answers["/br"] = text(b"..", Content_Encoding="br")
    assert fetch(site, "/gz").body == plain
    with pytest.raises(Unreached, match="more than 1 MB"):
        fetch(site, "/bomb")
    with pytest.raises(Unreached, match="breaks off"):
        fetch(site, "/cut")
    with pytest.raises(Unreached, match="unknown coding"):
        fetch(site, "/br")


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 50))
def test_gzip_in_members_and_pieces(parts: list[bytes], size: int) -> None:
    """However it is packed and cut, it comes out whole."""
    packed = b"".join(map(gzip.compress, parts))
    pieces = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(gunzip(pieces)) == b"".join(parts)


def test_a_piece_that_is_unpacked_is_bounded() -> None:
    """Memory does not depend on how well something is packed."""
    pieces = gunzip(iter([gzip.compress(bytes(10**7))]))
    assert max(len(piece) for piece in itertools.islice(pieces, 100)) <= 65536


@pytest.mark.parametrize("pause", ["before", "head", "body"])
def test_time_is_limited_as_a_whole(site: Site, pause: str) -> None:
    """Whoever sends a byte now and then does not get more of it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nX-Long: " + b"y" * 50_000
    whole = {"before": b"", "head": head, "body": head + b"\r\n\r\n" + b"x" * 90_000}[pause]
    at_once = 0 if pause == "head" else len(whole)

    def slow(_asked: Asked, write: Write) -> None:
        write(whole[:at_once]) if at_once else None
        for byte in itertools.chain(whole[at_once:], itertools.repeat(120)):
            if pause != "before":
                write(bytes([byte]))
            if site.closing.wait(0.02):
                return

    site.answers["/slow"] = slow
    with pytest.raises(Unreached, match=r"not done within 0\.5 seconds"):
        fetch(site, "/slow", timeout=0.5)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """The system's resolver may take a minute."""

    def hang(*_: Any, **__: Any) -> Any:
        site.closing.wait(30)
        raise OSError("too late")

    monkeypatch.setattr("mailmum.daemons.outgoing_connect.socket.getaddrinfo", hang)
    with pytest.raises(Unreached, match="not done within"):
        Outgoing().request("GET", "https://lists.example/", timeout=0.2)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n123456789",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"",
    ],
)
def test_a_broken_reply_is_a_fault_with_a_cause(site: Site, raw: bytes) -> None:
    """Never an answer, never another kind of error."""
    site.answers["/"] = lambda _asked, write: write(raw)
    with pytest.raises(Unreached, match="localhost"):
        fetch(site, "/")


def test_what_is_no_tls_and_what_is_closed(site: Site) -> None:
    """Both say so."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    way = Outgoing(reach=parse_reachable("127.0.0.1"), plain=True)
    with pytest.raises(Unreached, match="cannot be reached"):
        way.request("GET", f"https://127.0.0.1:{port}/")
    with pytest.raises(Unreached, match=r"broke off|broken HTTP|ended the connection"):
        way.request("GET", f"http://127.0.0.1:{site.port}/")


def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's own words are told."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("mailmum.daemons.outgoing_connect.socket.getaddrinfo", unknown)
    with pytest.raises(Unreached, match=r"cannot be resolved: Name or service not known"):
        Outgoing().request("GET", "https://no-such-host.example/")


def test_what_changed_since_is_asked_for(site: Site) -> None:
    """By tag and time of an earlier reply; 304 has no body."""

    def answer(asked: Asked, write: Write) -> None:
        known = asked.headers.get("if-none-match") == '"v1"'
        text(b"" if known else b"list", 304 if known else 200, ETag='"v1"')(asked, write)

    site.answers["/a"] = answer
    first = fetch(site, "/a")
    again = fetch(site, "/a", headers=conditional(first.headers))
    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert conditional({"last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}) == {
        "If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "lists.example/a",
        "http://lists.example/",
        "ftp://lists.example/",
        "https:///a",
        "https://",
        "https://user:secret@lists.example/",
        "https://lists.example:0/",
        "https://lists.example:99999/",
        "https://lists.example/a b",
        "https://lists.example/\r\nX: y",
        "https://lists.example\\@10.0.0.1/",
        "https://[::1/",
        "https://exa mple/",
        "https://ä.example/",
        "https://" + "a" * 3000,
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Each with the field at fault."""
    with pytest.raises(BadInput) as caught:
        parse_url(url)
    assert caught.value.field == "url"


@given(st.text(max_size=60).map("https://".__add__))
def test_any_url_is_understood_or_refused(url: str) -> None:
    """What is understood says the same when it is read again."""
    try:
        place = parse_url(url)
    except BadInput:
        return
    assert parse_url(place.url) == place


def test_contexts_check_names_and_certificates() -> None:
    """The default of what requests trust."""
    context = ssl.create_default_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
