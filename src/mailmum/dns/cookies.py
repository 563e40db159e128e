"""DNS cookies (RFC 7873): a client that shows ours again has proved that it receives our answers.

A server cookie has the layout of RFC 9018 section 4: version, three reserved bytes, a timestamp
and an eight-byte hash over all of that, the client's cookie and its address.  The hash is BLAKE2s
of the standard library and not SipHash, so the version is from the range for private use (RFC 9018
section 8): it says truthfully that servers of another make cannot check it, which matters only for
an anycast group of different makes.

    >>> cookies = Cookies(b"secret")
    >>> sent, _ = cookies.reply(b"12345678", "192.0.2.1", now=1_000_000)
    >>> cookies.reply(sent, "192.0.2.1", now=1_000_001)[1]
    True
"""

import hashlib
import hmac
from struct import Struct

CLIENT_SIZE, GOOD_SIZE = 8, 24
"""Bytes of the client's part, and of all of a cookie of ours."""

VERSION = 240
OLDEST, RENEW, NEWEST = 3600, 1800, 300
"""Seconds (RFC 9018 section 4.3): how old a cookie may be, when it is renewed, how far ahead."""

_PLAIN = Struct(">B3xI")


class Cookies:
    """Makes and checks server cookies with one secret, which all workers share."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.blake2s(secret).digest()

    def reply(self, cookie: bytes, address: str, now: float) -> tuple[bytes, bool]:
        """The cookie to answer with, and whether the one given was good.

        Args:
            cookie: data of the client's COOKIE option: 8 bytes, or with the server's part 16 to 40.
            address: the client's.
            now: Unix time in seconds.
        """
        client, given = cookie[:CLIENT_SIZE], cookie[CLIENT_SIZE:]
        age = self._age(client, given, address, int(now))
        if age is not None and age < RENEW:
            return cookie, True
        return client + self._make(client, address, int(now) & 0xFFFF_FFFF), age is not None

    def stays_good(self, cookie: bytes, address: str, now: float) -> tuple[int, int] | None:
        """From when to before when a cookie is answered with itself; None when it is not now."""
        if self.reply(cookie, address, now) != (cookie, True):
            return None
        made = int.from_bytes(cookie[CLIENT_SIZE + 4 : CLIENT_SIZE + 8], "big")
        return made - NEWEST, made + RENEW

    def _age(self, client: bytes, given: bytes, address: str, now: int) -> int | None:
        """Seconds since the cookie was made; None when it is not ours or not of this time."""
        if len(given) != _PLAIN.size + 8 or given[0] != VERSION:
            return None
        made = int.from_bytes(given[4:8], "big")
        if not hmac.compare_digest(given, self._make(client, address, made)):
            return None
        # Serial number arithmetic (RFC 1982), as the timestamp has 32 bits.
        age = (now - made + 0x8000_0000) % 0x1_0000_0000 - 0x8000_0000
        return age if -NEWEST <= age <= OLDEST else None

    def _make(self, client: bytes, address: str, made: int) -> bytes:
        plain = _PLAIN.pack(VERSION, made)
        text = client + plain + address.encode("ascii", "replace")
        return plain + hashlib.blake2s(text, key=self._secret, digest_size=8).digest()
