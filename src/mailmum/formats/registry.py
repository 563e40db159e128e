"""All formats by the names that the command line and the API use."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.formats.csv_rows import read_csv, write_csv
from mailmum.formats.entries import Item, ReadOptions
from mailmum.formats.json_rows import read_json, write_json
from mailmum.formats.plain import read_plain, write_plain
from mailmum.formats.postfix_access import read_access, write_access
from mailmum.formats.postfix_cidr import read_cidr, write_cidr
from mailmum.formats.rbldnsd import read_rbldnsd
from mailmum.formats.rbldnsd_write import COMBINED, write_rbldnsd
from mailmum.formats.rows import ExportRow, WriteOptions

Reader = Callable[[Iterable[bytes], ReadOptions], Iterator[Item]]
Writer = Callable[[Iterable[ExportRow], WriteOptions], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: its name.
        read: gives entries, bad lines and remarks from chunks of bytes; never raises.
        write: gives text from rows.
        of_one_server: whether a file is the view of one server; rows of several are refused.
        says_action: whether a file itself says what it blocks and allows.
        says_source: whether a file itself says who made its listings.
    """

    name: str
    read: Reader
    write: Writer
    of_one_server: bool = True
    says_action: bool = False
    says_source: bool = False


def _rbldnsd(name: str, kind: str) -> Format:
    return Format(name, partial(read_rbldnsd, kind=kind), partial(write_rbldnsd, kind=name))


FORMATS: Mapping[str, Format] = {
    known.name: known
    for known in (
        _rbldnsd(COMBINED, ""),
        *(_rbldnsd(kind, kind) for kind in ("ip4set", "ip4trie", "ip6trie", "dnset")),
        Format("postfix-cidr", read_cidr, write_cidr, says_action=True),
        Format("postfix-access", read_access, write_access, says_action=True),
        Format("csv", read_csv, write_csv, of_one_server=False, says_action=True, says_source=True),
        Format(
            "json", read_json, write_json, of_one_server=False, says_action=True, says_source=True
        ),
        Format("plain", read_plain, write_plain),
    )
}


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        BadInput: there is none.
    """
    try:
        return FORMATS[name.strip().lower()]
    except KeyError:
        raise BadInput(
            f"{shown(name)} is no format",
            fix=f"use one of {', '.join(FORMATS)}",
            field="format",
        ) from None
