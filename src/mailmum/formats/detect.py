"""Telling the format of a file from its first bytes and its name.

A wrong guess could list a whole column of numbers, so anything unclear is refused, and the person
names the format.  Where a file means the same in several formats (a list of addresses is a plain
list and an ip4set), the simplest is taken.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from mailmum.domain.errors import BadInput
from mailmum.domain.targets import parse_target
from mailmum.domain.texts import shown
from mailmum.formats.csv_rows import parse_header

DETECT_BYTES = 65536
"""How much of the beginning is worth giving; more is not looked at."""

_SUFFIXES = {
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "cidr": "postfix-cidr",
    "rbldnsd": "rbldnsd",
    "ip4set": "ip4set",
    "ip4trie": "ip4trie",
    "ip6trie": "ip6trie",
    "dnset": "dnset",
}
_JSON = re.compile(r"\s*(?:\[\s*[{\]]|\{\s*[\"}])")
_RESULT = re.compile(
    r"\S+[ \t]+(?:OK|RELAY|PERMIT|DUNNO|REJECT|DEFER\w*|DISCARD|HOLD|FILTER|PREPEND|REDIRECT|BCC|"
    r"INFO|WARN|[45][0-9]{2})(?=[ \t]|$)",
    re.IGNORECASE | re.ASCII,
)
_RBLDNSD = re.compile(
    r"[#;:]?\$(?:SOA|NS|TTL|MAXRANGE4|TIMESTAMP|DATASET|[0-9=])(?=\s|$)"
    r"|:[0-9.]+(?=:|$)"
    r"|[^\s:]\S*[ \t]+:[0-9.]+(?=:|$)"
    r"|![ \t]*[0-9A-Za-z.:*]"
    r"|[0-9]+(?:\.[0-9]+){0,3}-[0-9.]+",
    re.ASCII,
)
_CONDITION = re.compile(r"(?:if|endif)(?![0-9A-Za-z])", re.IGNORECASE)
_COMMENT = re.compile(r"(?:^|[ \t])[#;].*")


class Unclear(BadInput):
    """It is text, and no format fits all of it."""


def detect(first: bytes, filename: str = "") -> str:
    """The name of the format of a file.

    Args:
        first: its first `DETECT_BYTES` bytes, or all of it when it is shorter.
        filename: its name, may be empty; only the suffix counts.

    Raises:
        BadInput: empty, not text, or unclear (`Unclear`).
    """
    text = _text(first)
    suffix = _SUFFIXES.get(filename.rpartition(".")[2].lower() if "." in filename else "")
    if _JSON.match(text):
        return _agreed("json", suffix, filename)
    lines = _whole_lines(text, cut=len(first) >= DETECT_BYTES)
    if lines and _is_header(lines[0]):
        return _agreed("csv", suffix, filename)
    found = _by_lines(lines)
    if found is None:
        raise _unclear(suffix, lines)
    return _agreed(found, suffix, filename)


def _text(first: bytes) -> str:
    if first[:2] == b"\x1f\x8b" or first[:3] == b"BZh" or first[:4] in (b"PK\x03\x04", b"\xfd7zX"):
        raise _refused("the file is compressed", "decompress it first")
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _refused("the file is UTF-16", "save it as UTF-8")
    if b"\0" in first:
        raise _refused("the file holds NUL bytes, so it is no text", _RIGHT)
    text = first[:DETECT_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if not text.strip():
        raise _refused("the file is empty", _RIGHT)
    return text


def _whole_lines(text: str, *, cut: bool) -> list[str]:
    lines = text.split("\n")
    if cut and len(lines) > 1:
        lines.pop()
    return [line for line in (line.rstrip("\r") for line in lines) if line.strip()]


def _is_header(line: str) -> bool:
    try:
        parse_header(line)
    except BadInput:
        return False
    return True


def _by_lines(lines: Iterable[str]) -> str | None:
    special = [line for line in lines if not _is_comment(line)]
    # A line that begins with a blank continues another in a Postfix table.
    rules = [line for line in special if line[0] not in " \t"]
    results = [line for line in rules if _RESULT.match(line)]
    if results and all(_RESULT.match(line) or _CONDITION.match(line) for line in rules):
        return _postfix([line.split()[0] for line in results], len(results) < len(rules))
    stripped = [line.strip() for line in special]
    if not results and any(_RBLDNSD.match(line) for line in stripped):
        return "rbldnsd"
    return "plain" if stripped and all(_is_plain(line) for line in stripped) else None


def _is_comment(line: str) -> bool:
    text = line.lstrip()
    return text[:1] in ("#", ";") and text[1:2] != "$"


def _postfix(patterns: list[str], conditions: bool) -> str | None:
    """Which of the two tables; addresses in full mean the same in both."""
    networks = [pattern for pattern in patterns if "/" in pattern or pattern[0] == "!"]
    others = any(not _is_address(pattern) for pattern in patterns if pattern not in networks)
    if others:
        return None if networks or conditions else "postfix-access"
    return "postfix-cidr"


def _is_address(pattern: str) -> bool:
    try:
        ip_address(pattern.strip("[]"))
    except ValueError:
        return False
    return True


def _is_plain(line: str) -> bool:
    word = _COMMENT.sub("", line).strip()
    if not word:
        return True
    try:
        parse_target(word)
    except BadInput:
        return False
    return True


def _agreed(found: str, suffix: str | None, filename: str) -> str:
    """The format found, unless the name of the file says another."""
    if suffix is None or suffix == found:
        return found
    data_sets = ("rbldnsd", "ip4set", "ip4trie", "ip6trie", "dnset")
    if suffix in data_sets and found in ("rbldnsd", "plain"):
        return suffix
    raise _refused(f"{shown(filename)} looks like {found} inside", _NAME)


def _unclear(suffix: str | None, lines: list[str]) -> Unclear:
    hint = f"; its name says {suffix}, but not what is in it" if suffix else ""
    begin = f", which begins with {shown(lines[0].strip())}" if lines else ""
    # Where it begins as a plain list does, the reason lies further down.
    odd = next((line for line in lines if not _is_plain(line)), "")
    if odd and odd != lines[0]:
        hint += f": a plain list has no line like {shown(odd.strip())}"
    return Unclear(f"the format of the file{begin}, is unclear{hint}", fix=_NAME, field="format")


_RIGHT = "check that it is the right file"
_NAME = "name the format with --format"


def _refused(problem: str, fix: str) -> BadInput:
    return BadInput(problem, fix=fix, field="format")
