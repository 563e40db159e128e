"""Requests to URLs that somebody else has chosen: feeds are fetched and webhooks called by these.

An account's URL must not become a way into the network that the service stands in (server-side
request forgery).  The rules of this file and its parts:

- https only, unless plain http is asked for; no user name in a URL, no fragment.
- The name is resolved here, every address of it is checked, and the connection goes to the address
  that was checked, with the name for TLS and the Host header.  No proxy of the environment is used.
- Redirects are followed for GET and HEAD, few of them, each checked anew as if it had been given;
  a secret header does not go along to another host.
- Size and time are bounded as a whole, after decompression too.

    reply = request("GET", "https://lists.example/drop.txt", limit=16 * 1024**2)

Conditional requests are a matter of headers: `conditional` makes them from an earlier reply, and a
status of 304 comes back like any other.
"""

import socket
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from mailmum import __version__
from mailmum.daemons.outgoing_connect import Deadline, connect
from mailmum.daemons.outgoing_faults import Unreached, Unsafe
from mailmum.daemons.outgoing_http import Reply, Request, exchange
from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.domain.reachable import PUBLIC_ONLY, Address, Reachable, parse_reachable
from mailmum.domain.texts import shown

__all__ = [
    "Outgoing",
    "Place",
    "Reply",
    "Unreached",
    "Unsafe",
    "conditional",
    "parse_url",
    "request",
]

LIMIT = 1024**2
TIMEOUT = 30.0
_URL_LIMIT = 2000
_PORTS = {"https": 443, "http": 80}
_MOVED = {301, 302, 303, 307, 308}
_SECRET = {"authorization", "cookie", "proxy-authorization"}
_EVERYWHERE = parse_reachable("0.0.0.0/0, ::/0")


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart: what is connected to, and what is asked for there."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in canonical form."""
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How requests go out from here.

    Attributes:
        reach: hosts and networks that are reached though they are not public.
        plain: whether http is allowed, too.
        redirects: how many are followed; one more is a fault.
        trust: which authorities to trust, else those of the system.
    """

    reach: Reachable = PUBLIC_ONLY
    plain: bool = False
    redirects: int = 3
    trust: ssl.SSLContext | None = None

    def check(self, url: str) -> Place:
        """Take a URL apart that is kept to be asked later; the network is not asked.

        A name may stand for something else by then, so every request is checked anew.

        Raises:
            BadInput: it is not understood.
            Unsafe: its host alone tells that requests may not go there.
        """
        place = parse_url(url, plain=self.plain)
        address = _told_by(place.host)
        space = None if address is None else self.reach.why_not(place.host, address)
        if address is not None and space is not None:
            raise Unsafe.at(place.host, str(address), space)
        return place

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limit: int = LIMIT,
        timeout: float = TIMEOUT,
    ) -> Reply:
        """Make a request and return what comes back, of whatever status.

        Args:
            method: GET, HEAD, POST and so on.
            url: where to.
            headers: besides Host, User-Agent, Accept-Encoding and Content-Length.
            body: what is sent.
            limit: bytes that the reply's body may have, packed and unpacked.
            timeout: seconds for the whole, redirects included.

        Raises:
            BadInput: the URL is not understood.
            Unsafe: it leads to where requests may not go.
            Unreached: there is no whole reply within the limits.
        """
        deadline = Deadline.after(timeout)
        place = parse_url(url, plain=self.plain)
        sent = _headers(headers or {}, body)
        for _ in range(self.redirects + 1):
            asked = _Asked(method, place, sent, body, limit)
            reply = self._once(asked, deadline)
            target = reply.headers.get("location")
            if reply.status not in _MOVED or method not in ("GET", "HEAD") or not target:
                return reply
            moved = _moved(place, target, plain=self.plain)
            sent = sent if moved.authority == place.authority else _without_secrets(sent)
            place = moved
        raise Unreached(
            f"{shown(url)} redirects more than {self.redirects} times",
            fix="give the address at which it ends",
        )

    def _once(self, asked: "_Asked", deadline: Deadline) -> Reply:
        place = asked.place
        trust = (self.trust or ssl.create_default_context()) if place.scheme == "https" else None
        headers = (("Host", place.authority), *asked.headers.items())
        what = Request(asked.method, place.host, place.target, headers, asked.body, asked.limit)
        with closing(connect(place.host, place.port, trust, self.reach, deadline)) as connection:
            return replace(exchange(connection, what, deadline), url=place.url)


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    place: Place
    headers: dict[str, str]
    body: bytes
    limit: int


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    limit: int = LIMIT,
    timeout: float = TIMEOUT,
    allow_private: bool = False,
) -> Reply:
    """`Outgoing.request` to the public Internet, or anywhere with `allow_private`."""
    way = Outgoing(reach=_EVERYWHERE) if allow_private else Outgoing()
    return way.request(method, url, headers=headers, body=body, limit=limit, timeout=timeout)


def parse_url(url: str, *, plain: bool = False) -> Place:
    """Take a URL apart.

    Raises:
        BadInput: it is none, or not one that is fetched from here.
    """
    text = url.strip()
    parts = _split(text)
    schemes = ("https", "http") if plain else ("https",)
    if parts.scheme not in schemes:
        raise _bad(text, "does not begin with https://", "only encrypted connections are made")
    if "@" in parts.netloc:
        raise _bad(text, "has a user name or password in it", "leave it out")
    host = _host(parts.hostname or "", text)
    port = _port(parts, text)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port, target)


def conditional(reply_headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that ask only for what has changed since an earlier reply (RFC 9110 section 13)."""
    asked = {}
    if etag := reply_headers.get("etag"):
        asked["If-None-Match"] = etag
    if modified := reply_headers.get("last-modified"):
        asked["If-Modified-Since"] = modified
    return asked


def _headers(given: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Ours first, which what is given overrides; Content-Length is never another's to say."""
    sent = {
        "User-Agent": f"mailmum/{__version__}",
        "Accept-Encoding": "gzip",
        "Connection": "close",
    }
    own = {name.lower(): name for name in sent}
    for name, value in given.items():
        sent.pop(own.get(name.lower(), ""), None)
        sent[name] = value
    if body:
        sent["Content-Length"] = str(len(body))
    return sent


def _without_secrets(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _SECRET}


def _moved(place: Place, target: str, *, plain: bool) -> Place:
    try:
        return parse_url(urljoin(place.url, target.strip()), plain=plain)
    except (BadInput, ValueError) as error:
        reason = error.problem if isinstance(error, BadInput) else str(error)
        raise Unreached(
            f"{shown(place.host)} redirects to what is not followed: {reason}",
            fix="give the address at which it ends",
        ) from None


def _split(text: str) -> SplitResult:
    if len(text) > _URL_LIMIT:
        raise _bad(text, f"has more than {_URL_LIMIT} characters", "shorten it")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise _bad(text, "has characters that no URL has", "encode them, as %20 for a space")
    try:
        return urlsplit(text)
    except ValueError as error:
        raise _bad(
            text, f"is no URL ({error})", "write for example https://lists.example/a"
        ) from None


def _host(host: str, text: str) -> str:
    if not host:
        raise _bad(text, "names no host", "write for example https://lists.example/drop.txt")
    with suppress(ValueError):
        return str(ip_address(host))
    try:
        return parse_name(host)
    except BadInput as error:
        raise _bad(text, f"names no host ({error.problem})", "check its spelling") from None


def _told_by(host: str) -> Address | None:
    """The address that a host has whatever the DNS says."""
    with suppress(ValueError):
        return ip_address(host)
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return IPv4Address("127.0.0.1")
    # Numbers that the system's resolver takes for addresses, such as 0x7f000001.
    with suppress(OSError):
        return IPv4Address(socket.inet_aton(host))
    return None


def _port(parts: SplitResult, text: str) -> int:
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise _bad(text, "has no port between 1 and 65535", "leave the port out")
    return port


def _bad(text: str, reason: str, fix: str) -> BadInput:
    return BadInput(f"{shown(text)} {reason}", fix=fix, field="url")
