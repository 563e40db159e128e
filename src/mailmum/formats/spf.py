"""SPF records (RFC 7208) read into terms.

    v=spf1 ip4:192.0.2.0/24 include:_spf.mail.example a:mx.mail.example/28 ~all

Only what says which hosts may send matters here.  A macro that depends on the sender cannot be
turned into networks, nor can `ptr` and `exists`; such terms come out as they are, and whoever reads
them tells that something is missing.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.domain.targets import NetworkTarget
from mailmum.domain.texts import shown

VERSION = "v=spf1"
RECORD_LIMIT = 8192
_TERM = re.compile(
    r"(?P<sign>[+?~-]?)(?P<name>[a-z][a-z0-9_.-]*)(?P<rest>[:=/].*)?", re.IGNORECASE | re.ASCII
)
_SPEC = re.compile(r"(?::(?P<domain>[^/]*))?(?:/(?P<four>[0-9]{1,3}))?(?://(?P<six>[0-9]{1,3}))?")
MECHANISMS = {"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"}
MODIFIERS = {"redirect", "exp"}


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism, or the modifier `redirect`.

    Attributes:
        name: in small letters.
        passes: whether what it matches may send.
        domain: its domain, empty where it has none of its own.
        network: of ip4 and ip6.
        prefixes: how much of an address found by a name counts, for IPv4 and IPv6.
    """

    name: str
    passes: bool = True
    domain: str = ""
    network: NetworkTarget | None = None
    prefixes: tuple[int, int] = (32, 128)


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record (section 4.5)."""
    return text.lower() == VERSION or text.lower().startswith(VERSION + " ")


def read_record(text: str) -> list[Term]:
    """The terms of a record, in order.

    Raises:
        BadInput: it is none, or has a term that RFC 7208 does not know.
    """
    if len(text) > RECORD_LIMIT or not text.isascii():
        raise BadInput("the SPF record is too long, or is not ASCII")
    if not is_spf(text):
        raise BadInput(f"{shown(text)} is no SPF record")
    return list(_terms(text.split(" ")[1:]))


def _terms(words: Iterable[str]) -> Iterator[Term]:
    seen: set[str] = set()
    for word in words:
        if not word:
            continue
        found = _TERM.fullmatch(word)
        if found is None:
            raise _odd(word)
        name, rest = found["name"].lower(), found["rest"] or ""
        if rest.startswith("=") and not found["sign"]:
            if name in MODIFIERS and name in seen:
                raise _odd(word)
            seen.add(name)
            if name == "redirect":
                yield Term(name, domain=rest[1:])
        elif name in MECHANISMS:
            yield _mechanism(word, name, rest, passes=found["sign"] in ("", "+"))
        else:
            raise _odd(word)


def _mechanism(word: str, name: str, rest: str, *, passes: bool) -> Term:
    if name in ("ip4", "ip6"):
        return Term(name, passes, network=_network(word, name, rest))
    found = _SPEC.fullmatch(rest)
    if found is None or (found["domain"] == ""):
        raise _odd(word)
    domain = found["domain"] or ""
    four, six = int(found["four"] or 32), int(found["six"] or 128)
    if four > 32 or six > 128:
        raise _odd(word)
    lengths = found["four"] is not None or found["six"] is not None
    needs, takes = name in ("include", "exists"), name not in ("all",)
    if (needs and not domain) or (domain and not takes) or (lengths and name not in ("a", "mx")):
        raise _odd(word)
    return Term(name, passes, domain, prefixes=(four, six))


def _network(word: str, name: str, rest: str) -> NetworkTarget:
    version = int(name[2])
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    try:
        # Bits beyond the prefix do no harm: receivers do not look at them.
        network = kind(rest[1:], strict=False)
    except ValueError:
        raise _odd(word) from None
    if not rest.startswith(":"):
        raise _odd(word)
    return NetworkTarget(version, int(network.network_address), network.prefixlen)


def expand(domain: str, current: str) -> str | None:
    """The name that a domain-spec stands for, None where it depends on the sender (section 7).

    Raises:
        BadInput: it is no name.
    """
    text = re.sub(r"%\{d\}", current, domain or current, flags=re.IGNORECASE)
    text = text.replace("%%", "%").replace("%_", " ").replace("%-", "%20")
    if "%{" in text:
        return None
    return parse_name(text)


def _odd(word: str) -> BadInput:
    return BadInput(f"{shown(word)} is nothing that an SPF record may have")
