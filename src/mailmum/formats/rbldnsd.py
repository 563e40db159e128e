"""Reading rbldnsd's data files: ip4set, ip4trie, ip6trie, dnset, and combinations of them.

An entry is a target and a value; `!` before it makes an exception, which becomes a listing of the
opposite action (an allow listing in a block list).  A line `:A:TXT` sets the value of the entries
below it that have none.

What MailMum reads differently from rbldnsd:

- `*.example` covers only what is under the domain; here it becomes the domain, with a remark.
- Where entries overlap, MailMum goes by the length of the prefix, an ip4set by whole octets: there
  an exception in a /20 beats a narrower entry down to /24.
- Of entries with the same target, ip4trie and ip6trie keep the first, ip4set and dnset answer all
  unless one is an exception.  All are given, in their order.
- Test entries (127.0.0.2, `test`) and other loopback addresses are left out with a remark.

Without a `$DATASET` line and when the format is called just `rbldnsd`, each entry is read by its
looks: octets, groups of hexadecimal digits, or a name.
"""

from collections.abc import Iterable, Iterator

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action
from mailmum.domain.targets import NetworkTarget, Target
from mailmum.formats.entries import (
    Entry,
    Item,
    ReadOptions,
    bad_line,
    is_loopback,
    opposite,
    remark,
)
from mailmum.formats.lines import text_lines
from mailmum.formats.rbldnsd_special import KINDS, State, apply_special
from mailmum.formats.rbldnsd_targets import Parsed, parse_entry, shape_of
from mailmum.formats.rbldnsd_values import (
    NO_VALUE,
    Value,
    fill,
    names_subject,
    parse_value,
    template_of,
)

_BLANK = " \t"
_COMMENT = ("#", ";")
_TEST = "left out: a test entry or loopback, which can never be listed; MailMum has test entries"
_BELOW = "covers only names under the domain in rbldnsd; here the domain itself is covered too"
_MAPPED = "left out: every IPv4 address in its IPv6 form; what is said of IPv4 holds for both"
_SUBJECT = "a $ in a text means the client's address; in texts of networks it becomes the network"


def read_rbldnsd(chunks: Iterable[bytes], options: ReadOptions, kind: str = "") -> Iterator[Item]:
    """Read a data file.

    Args:
        chunks: the file.
        options: `action` is what an entry means that is no exception.
        kind: the data set that the file holds (`ip4set`, `dnset`...), empty for any.
    """
    reader = _Reader(options.action, kind)
    for line in text_lines(chunks, comments=b"#;"):
        if isinstance(line, tuple):
            yield from reader.read(*line)
        else:
            yield line


class _Reader:
    def __init__(self, action: Action, kind: str) -> None:
        self._action = action
        self._state = State(kind=kind)
        self._default = NO_VALUE
        self._warned = False

    def read(self, number: int, line: str) -> Iterator[Item]:
        text = line.strip(_BLANK)
        try:
            if text.startswith("$") or (text[1:2] == "$" and text[0] in "#;:"):
                yield from self._special(number, text.partition("$")[2])
            elif not text or text[0] in _COMMENT or self._state.skipping:
                return
            elif text[0] == ":" and text[1:2] != ":":
                yield from self._set_default(number, text)
            else:
                yield from self._entry(number, text)
        except BadInput as error:
            yield bad_line(number, text, error)

    def _special(self, number: int, text: str) -> Iterator[Item]:
        if text[:7].lower() == "dataset":
            self._default = NO_VALUE
        if words := apply_special(self._state, text):
            yield remark(number, f"${text}", words)

    def _set_default(self, number: int, text: str) -> Iterator[Item]:
        try:
            self._default = parse_value(text, NO_VALUE)
        except BadInput as error:
            # Without the code the text still holds for what follows.
            self._default = Value(None, template_of(text))
            yield bad_line(number, text, error)

    def _entry(self, number: int, text: str) -> Iterator[Item]:
        exception = text[0] == "!"
        bare = text[exception:].lstrip(_BLANK)
        if _names_test(bare):
            yield remark(number, text, _TEST)
            return
        parsed = self._parse(bare)
        if not parsed.targets:
            yield remark(number, text, _MAPPED)
        if self._state.largest is not None and parsed.size > self._state.largest:
            yield remark(number, text, "left out: wider than $MAXRANGE4 allows")
            return
        rest = parsed.rest.lstrip(_BLANK)
        value = self._default
        if rest and rest[0] not in _COMMENT and not exception:
            value = parse_value(rest, value)
        action = opposite(self._action) if exception else self._action
        for target in parsed.targets:
            yield from self._listed(number, text, target, action, NO_VALUE if exception else value)
        if parsed.below:
            yield remark(number, text, _BELOW)

    def _parse(self, text: str) -> Parsed:
        kind = self._state.kind
        parsed = parse_entry(text, KINDS.get(kind) or shape_of(text))
        if parsed.is_range and kind not in ("", "ip4set"):
            raise BadInput(
                f"{kind} takes no ranges", fix="import the file as ip4set if that is what it is"
            )
        return parsed

    def _listed(
        self, number: int, text: str, target: Target, action: Action, value: Value
    ) -> Iterator[Item]:
        if is_loopback(target):
            yield remark(number, text, _TEST)
            return
        variables = self._state.variables
        wide = isinstance(target, NetworkTarget) and target.prefix < target.bits
        if wide and not self._warned and names_subject(value.template, variables):
            self._warned = True
            yield remark(number, text, _SUBJECT)
        reason = fill(value.template, target, variables)
        expires = self._state.expires
        yield Entry(number, action, target, reason, code=value.code, expires=expires)


def _names_test(text: str) -> bool:
    """Whether it is the test entry of a data set of names, a single label (RFC 5782 section 5)."""
    return text[:4].lower() == "test" and (len(text) == 4 or text[4] in " \t")
