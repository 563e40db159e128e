"""The grammar of Postfix restriction lists, and edits that leave everything else as it stands.

A list such as `smtpd_client_restrictions` is one line of words separated by commas or blanks; text
in braces is one word, some words take the next one as their argument, and `warn_if_reject` belongs
to what follows it (postconf(5); smtpd_check_parse in Postfix).  An item remembers where it stands
in the text, so that an edit touches only its own place: whatever the administrator wrote keeps its
order, its spelling and its separators, and taking out what was put in gives back the same text.

    >>> [item.word for item in parse("permit_mynetworks, reject_rbl_client zen.example")]
    ['permit_mynetworks', 'reject_rbl_client']
    >>> before("a, b", parse("a, b")[1], "$x")
    'a, $x, b'
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailmum.postfix.current import REFERENCE

WARN = "warn_if_reject"
OWN_PEOPLE = frozenset(
    {
        "permit_inet_interfaces",
        "permit_mynetworks",
        "permit_sasl_authenticated",
        "permit_tls_all_clientcerts",
        "permit_tls_clientcerts",
    }
)
"""Restrictions that let an administrator's own people through."""

_DNS_LISTS = frozenset(
    {
        "reject_rbl",
        "reject_rbl_client",
        "reject_rhsbl_client",
        "reject_rhsbl_helo",
        "reject_rhsbl_recipient",
        "reject_rhsbl_reverse_client",
        "reject_rhsbl_sender",
    }
)
_WITH_ARGUMENT = _DNS_LISTS | {
    "check_address_map",
    "check_policy_service",
    "permit_dnswl_client",
    "permit_rhswl_client",
    "sleep",
}
_SEPARATORS = ", \t\r\n"
_BRANCHING = re.compile(r"[{}()?]|:(?!/)")
_DEEPEST = 8


class Closing(StrEnum):
    """How a list ends by itself, whatever the client."""

    OPEN = "open"
    PERMITS = "permits"
    REJECTS = "rejects"


_CLOSING = {
    "permit": Closing.PERMITS,
    "reject": Closing.REJECTS,
    "defer": Closing.REJECTS,
    "defer_if_permit": Closing.REJECTS,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One restriction with its argument, where it stands in the text.

    Attributes:
        word: the restriction in lower case, or as written when it is a `$reference` or a table.
        argument: what it takes, empty for most.
        start: index of its first character, that of a `warn_if_reject` before it included.
        end: index after its last character.
    """

    word: str
    argument: str
    start: int
    end: int

    @property
    def reference(self) -> str:
        """The parameter that a `$name` stands for, empty for everything else."""
        found = REFERENCE.fullmatch(self.word)
        return "" if found is None else next(filter(None, found.groups()))

    @property
    def text(self) -> str:
        """The restriction as Postfix reads it, without `warn_if_reject`."""
        return f"{self.word} {self.argument}".rstrip()


def parse(value: str) -> tuple[Item, ...]:
    """The items of a restriction list; never fails, as Postfix itself complains only at use."""
    items: list[Item] = []
    found = list(words(value))
    at = 0
    while at < len(found):
        start = found[at][1]
        while found[at][0].lower() == WARN and at + 1 < len(found):
            at += 1
        word, _, end = found[at]
        argument = ""
        if _takes_argument(word.lower()) and at + 1 < len(found):
            at += 1
            argument, _, end = found[at]
        plain = word if word.startswith("$") or ":" in word else word.lower()
        items.append(Item(plain, argument, start, end))
        at += 1
    return tuple(items)


def is_dns_list(item: Item) -> bool:
    """Whether the item rejects by a DNS list, whoever's."""
    return item.word in _DNS_LISTS or item.word == "reject_maps_rbl"


def flatten(item: Item, parameters: Mapping[str, str], depth: int = 0) -> Iterator[Item]:
    """The item itself, or the items of the parameters that a `$name` stands for.

    Of a conditional reference such as `${name?{text}}` every branch is taken for what it may bring.
    """
    if not item.word.startswith("$") or depth == _DEEPEST:
        yield item
        return
    name = item.reference
    text = parameters.get(name, "") if name else _BRANCHING.sub(" ", item.word[1:])
    for inner in parse(text):
        yield from flatten(inner, parameters, depth + 1)


def closing(items: Iterable[Item]) -> Closing:
    """How the (flattened) list ends by itself."""
    for item in items:
        if item.word in _CLOSING:
            return _CLOSING[item.word]
    return Closing.OPEN


def before(value: str, item: Item | None, text: str) -> str:
    """The list with `text` put before the item, or at the end when that is None."""
    if item is not None:
        return f"{value[: item.start]}{text}, {value[item.start :]}"
    kept = value.rstrip(_SEPARATORS)
    return f"{kept}, {text}" if kept else text


def without(value: str, unwanted: Callable[[Item], bool]) -> str:
    """The list without the items that are unwanted: the inverse of `before`."""
    items = parse(value)
    for index in reversed(range(len(items))):
        item = items[index]
        if not unwanted(item):
            continue
        if index + 1 < len(items):
            value = value[: item.start] + value[items[index + 1].start :]
        else:
            value = value[: items[index - 1].end if index else 0] + value[item.end :]
        items = parse(value)
    return value


def _takes_argument(word: str) -> bool:
    return word in _WITH_ARGUMENT or (word.startswith("check_") and word.endswith("_access"))


def words(value: str) -> Iterator[tuple[str, int, int]]:
    """The words of a list, each with where it begins and ends; text in braces is one."""
    start = depth = 0
    for index, character in enumerate(f"{value},"):
        last = index == len(value)
        if last or (depth <= 0 and character in _SEPARATORS):
            if start < index:
                yield value[start:index], start, index
            start = index + 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
