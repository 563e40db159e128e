"""A server's zones, and the text that main.cf needs to ask them.

Everything that holds a zone key stands in four parameters of our own (`mailmum_allow`,
`mailmum_block`, `mailmum_sites`, `mailmum_names`) and in one table.  The restriction lists of the
administrator only refer to them, so they stay readable, a new key changes them in one place, and
taking MailMum out is taking out a word.

The filter: a listing may answer any address of 127.0.0.0/8 but those of 127.255.255.0/24, which
mean an error and must never count as listed.  One Postfix pattern cannot say that, two can; the
second asks nothing new, since Postfix looks a name up once and keeps the answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

FILTERS = ("127.[0..254].[0..255].[0..255]", "127.255.[0..254].[0..255]")
"""Patterns that together accept every code a listing may have, and nothing else."""

ALLOW = "mailmum_allow"
BLOCK = "mailmum_block"
SITES = "mailmum_sites"
NAMES = "mailmum_names"
PARAMETERS = (ALLOW, BLOCK, SITES, NAMES)
REPLY_FILE = "mailmum_rbl_reply"

_KEY = r"[a-z][0-9a-z]{11,62}"
_LISTS = "bl|wl|dbl|dwl"
_REPLY = (
    "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using {name}"
    "${{rbl_reason?; $rbl_reason}}"
)


@dataclass(frozen=True, slots=True)
class ServerZones:
    """What a mail server asks.

    Attributes:
        name: the server's name.
        bl: zone of blocked addresses, the whole name with the key.
        wl: zone of allowed addresses.
        dbl: zone of blocked names.
        dwl: zone of allowed names.
        base: the configured base below which all of them stand.
    """

    name: str
    bl: str
    wl: str
    dbl: str
    dwl: str
    base: str

    @property
    def key(self) -> str:
        """The zone key."""
        return self.bl.partition(".")[0]

    @property
    def test_entry(self) -> str:
        """The name that always answers 127.0.0.2 (RFC 5782 section 5)."""
        return f"2.0.0.127.{self.bl}"

    def public(self, zone: str) -> str:
        """The zone's name without the key: what a stranger may see."""
        return zone.partition(".")[2]

    def holds(self, name: str) -> bool:
        """Whether a DNS list (with or without a filter) is one of ours, under any key."""
        return re.fullmatch(f"{_KEY}\\.{self._below}", name.partition("=")[0].lower()) is not None

    def with_key(self, text: str) -> str:
        """The text with this server's key wherever a former one stood before the same base."""
        return re.sub(rf"(?<![\w.-]){_KEY}(?=\.{self._below}(?![\w.-]))", self.key, text)

    @property
    def _below(self) -> str:
        return rf"(?:{_LISTS})\.{re.escape(self.base)}"


def allow_restrictions(zones: ServerZones) -> str:
    """Let allowed addresses pass, and allowed names that the DNS confirms both ways."""
    wanted = (("permit_dnswl_client", zones.wl), ("permit_rhswl_client", zones.dwl))
    return ", ".join(_filtered(wanted))


def block_restrictions(zones: ServerZones, *, trial: bool) -> str:
    """Reject blocked addresses, and blocked names: confirmed, claimed by reverse DNS, or HELO.

    In a trial each only logs what it would have rejected.
    """
    wanted = (
        ("reject_rbl_client", zones.bl),
        ("reject_rhsbl_client", zones.dbl),
        ("reject_rhsbl_reverse_client", zones.dbl),
        ("reject_rhsbl_helo", zones.dbl),
    )
    before = "warn_if_reject " if trial else ""
    return ", ".join(before + text for text in _filtered(wanted))


def reply_table(zones: ServerZones) -> str:
    """The rbl_reply_maps table: replies that name the list without its key.

    Postfix looks a list up with its filter, and from 3.10 on without it when that finds nothing.
    """
    rows = [
        "# Replies of the Postfix SMTP server that do not show the zone key.",
        "# Written by `mailmum postfix setup`; run it again rather than edit this.",
    ]
    for zone in (zones.bl, zones.dbl):
        reply = _REPLY.format(name=zones.public(zone))
        rows += [f"{zone}{end} {reply}" for end in ("", *(f"={text}" for text in FILTERS))]
    return "\n".join(rows) + "\n"


def screen_sites(zones: ServerZones, *, block_weight: int, allow_weight: int) -> str:
    """Entries of postscreen_dnsbl_sites."""
    weights = ((zones.bl, block_weight), (zones.wl, allow_weight))
    return ", ".join(f"{zone}={text}*{weight}" for zone, weight in weights for text in FILTERS)


def screen_names(zones: ServerZones) -> str:
    """The postscreen_dnsbl_reply_map table: names without the key."""
    rows = (f"{{{zone} = {zones.public(zone)}}}" for zone in (zones.bl, zones.wl))
    return "inline:{ " + ", ".join(rows) + " }"


def _filtered(wanted: tuple[tuple[str, str], ...]) -> Iterator[str]:
    return (f"{word} {zone}={text}" for word, zone in wanted for text in FILTERS)
