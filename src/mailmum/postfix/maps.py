"""Postfix tables: patterns and results of access(5) and cidr_table(5), and what they mean.

Results.  `OK`, `RELAY`, `permit` and a number accept; `REJECT` and `5NN text` reject; `DUNNO` ends
the search of this table, which is how exceptions are written, so it allows, too.  All else has no
counterpart among listings: deferring, filtering, other restrictions.  A three-digit reply code with
no text behind it is refused, since Postfix takes it for a number and accepts.

Patterns of an access table, as smtpd(8) looks them up for a client:

- `domain.tld` matches the domain and all under it as long as `parent_domain_matches_subdomains`
  names `smtpd_access_maps`, which is the default: so it is read as a domain.
- `.domain.tld` matches what is under it when that setting lacks `smtpd_access_maps`.
- `203.0.113` and `2001:db8:1` are networks by whole octets and groups.

A table written here gives a domain both lines and a host one, so that it holds under either
setting; under the default one a host covers the names below it as well.  IPv6 addresses are matched
as text in compressed form, cut at colons: the line `2001:db8::1` also matches 2001:db8::1:5.  Only
targets whose text cannot be mistaken so are written; a CIDR table holds them all.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action
from mailmum.domain.names import parse_name
from mailmum.domain.targets import NameTarget, NetworkTarget, Target, parse_network
from mailmum.domain.texts import REASON_LIMIT, clean_line, shown

DEFAULT_STATUS = "5.7.1"
_ACCEPTS = ("OK", "RELAY", "PERMIT")
_DEFERS = ("DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT")
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?:\s+|$)", re.ASCII)
_OCTETS = re.compile(r"[0-9]+(?:\.[0-9]+){0,3}", re.ASCII)
_GROUPS = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}", re.ASCII)
_CIDR = re.compile(r"\[([^\]/]*)(/[^\]]*)?\](/.*)?|(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Result:
    """What a table says about a client.

    Attributes:
        action: block or allow.
        reason: the text of the reply, without reply code and status.
        only_skips: whether it was `DUNNO`, which accepts nothing, but ends the search.
    """

    action: Action
    reason: str = ""
    only_skips: bool = False


def parse_result(text: str) -> Result:
    """Read the right-hand side of a table line.

    Raises:
        BadInput: it neither accepts nor rejects.
    """
    word, *more = text.split(None, 1) or [""]
    rest = more[0] if more else ""
    upper = word.upper()
    if upper == "DUNNO":
        return Result(Action.ALLOW, only_skips=True)
    if upper == "REJECT":
        return Result(Action.BLOCK, _reason(rest))
    if upper in _ACCEPTS and not (upper == "PERMIT" and rest):
        return Result(Action.ALLOW)
    code = bool(re.fullmatch("[45][0-9]{2}", word, re.ASCII))
    if code and not rest:
        raise BadInput(f"{word} with no text behind it counts as OK in Postfix", fix="write REJECT")
    if text.isascii() and text.isdigit():
        return Result(Action.ALLOW)
    if upper in _DEFERS or (code and word[0] == "4"):
        raise BadInput(f"{shown(word)} defers, and a listing can only block or allow")
    if code:
        return Result(Action.BLOCK, _reason(rest))
    raise BadInput(
        f"{shown(word)} neither accepts nor rejects" if word else "there is no action",
        fix="OK, DUNNO, REJECT and 5NN with a text can be read",
    )


def result_text(action: Action, reason: str) -> str:
    """The right-hand side for a listing.

    The status always stands before a text, so that a reason that begins like one stays whole.
    """
    if action is Action.ALLOW:
        return "OK"
    return f"REJECT {DEFAULT_STATUS} {reason}" if reason else "REJECT"


def parse_cidr_pattern(text: str) -> NetworkTarget:
    """Read the pattern of a CIDR table.

    Raises:
        BadInput: no address or network, or host bits set.
    """
    found = _CIDR.fullmatch(text)
    assert found is not None
    bracketed, inner, outer, bare = found.groups()
    if inner and outer:
        raise BadInput(f"{shown(text)} has two prefix lengths")
    pattern = bare if bracketed is None else bracketed + (inner or outer or "")
    address, slash, length = pattern.partition("/")
    if slash and not (length.isascii() and length.isdigit()):
        # A netmask, which other programs take, is none here.
        raise BadInput(f"{shown(text)}: {shown(length)} is not a prefix length")
    if not re.fullmatch("[0-9A-Fa-f:.]+", address, re.ASCII):
        raise BadInput(f"{shown(text)} is no address", fix="names belong in an access table")
    return _not_mapped(parse_network(pattern), text)


def parse_access_pattern(text: str) -> Target:
    """Read the pattern of an access table, as far as it is about clients.

    Raises:
        BadInput: it is about senders or recipients, or would never match.
    """
    pattern = text.lower()
    if "@" in pattern or pattern == "<>":
        raise BadInput(f"{shown(text)} is a mail address; listings are about hosts and networks")
    if pattern == "unknown":
        raise BadInput(
            "unknown stands for clients without a verified name, which no listing covers"
        )
    if "/" in pattern or "[" in pattern:
        raise BadInput(
            f"{shown(text)} never matches in an access table",
            fix="import the file as postfix-cidr if that is what it is",
        )
    if ":" in pattern:
        return _groups(pattern, text)
    if _OCTETS.fullmatch(pattern):
        return _octets(pattern)
    return NameTarget(parse_name(pattern.removeprefix("."), field="target"), True)


def access_keys(target: Target, *, host_too: bool = False) -> list[str] | None:
    """The patterns that stand for a target, None when an access table cannot express it.

    Args:
        target: a name, an IPv4 network, or an IPv6 address or network.
        host_too: whether the host of the same name as this domain has a line of its own.
    """
    if isinstance(target, NameTarget):
        if not target.whole:
            return [target.name]
        return [f".{target.name}"] if host_too else [target.name, f".{target.name}"]
    if target.version == 6:
        return _ipv6_keys(target)
    level = octet_level(target)
    return [octet_key(unit, level) for unit in octet_units(target)]


def octet_level(target: NetworkTarget) -> int:
    """The prefix length, a multiple of 8, of the patterns that make up an IPv4 network."""
    return max(8, -(-target.prefix // 8) * 8)


def octet_units(target: NetworkTarget) -> range:
    """The patterns that make up an IPv4 network, as numbers: their leading bits."""
    shift = 32 - octet_level(target)
    return range(target.first >> shift, (target.last >> shift) + 1)


def octet_key(unit: int, level: int) -> str:
    """The text of one of these patterns."""
    return ".".join(str(unit >> shift & 255) for shift in range(level - 8, -1, -8))


def _reason(text: str) -> str:
    words = _STATUS.sub("", text, count=1) if _STATUS.match(text) else text
    return clean_line(words.replace("\t", " "), field="reason", limit=REASON_LIMIT)


def _octets(pattern: str) -> NetworkTarget:
    parts = pattern.split(".")
    if any(len(part) > 3 or int(part) > 255 or (part[0] == "0" and part != "0") for part in parts):
        raise BadInput(
            f"{shown(pattern)} is no address: octets go from 0 to 255, without leading 0"
        )
    bits = 8 * len(parts)
    return parse_network(".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{bits}")


def _groups(pattern: str, text: str) -> NetworkTarget:
    try:
        IPv6Address(pattern)
    except AddressValueError:
        if not _GROUPS.fullmatch(pattern):
            raise BadInput(
                f"{shown(text)} is no IPv6 address, and no first groups of one",
                fix="write for example 2001:db8:1",
            ) from None
        return parse_network(f"{pattern}::/{16 * (pattern.count(':') + 1)}")
    return _not_mapped(parse_network(pattern), text)


def _not_mapped(network: NetworkTarget, text: str) -> NetworkTarget:
    if ":" in text and network.version == 4:
        raise BadInput(
            f"{shown(text)} never matches: Postfix writes IPv4 clients as IPv4",
            fix=f"write {network.text} if that is meant",
        )
    return network


def _ipv6_keys(target: NetworkTarget) -> list[str] | None:
    count, odd = divmod(target.prefix, 16)
    groups = [target.first >> shift & 0xFFFF for shift in range(112, 112 - 16 * count, -16)]
    # A zero group may vanish into `::`, and a single group could be read as an octet.
    if odd or count < 2 or 0 in groups:
        return None
    return [":".join(f"{group:x}" for group in groups)]
