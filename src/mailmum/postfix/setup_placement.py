"""Where the allow and the block go among the restrictions that stand.

Rules, in this order:

1. Nothing that stands is dropped, reordered or weakened.
2. An allow overrides every DNS list, also a third party's.  A permit ends only the list it stands
   in, so the allow goes before the first DNS list of each restriction list or class that has one.
3. The block goes into one list, its home, after the administrator's own people (`mynetworks` and
   those who sign in), as the last of the list unless a third party's DNS list follows them.
4. The home is `smtpd_client_restrictions`.  When a service is unreachable an allow turns later
   rejects of the same list into "try again" (DEFER_IF_REJECT), and there that can touch the least.
   With `smtpd_delay_reject = no` a client has not signed in yet at that point, so the home is
   `smtpd_sender_restrictions`.
5. A list that ends in `reject` lets through only who is named: an allow there would open it, so it
   is left alone and the administrator told.

What the last run put in keeps its place as long as that still does its work, so a second run
changes nothing and a hand that moved it is respected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailmum.postfix.current import Current
from mailmum.postfix.restrictions import (
    OWN_PEOPLE,
    Closing,
    Item,
    before,
    closing,
    flatten,
    is_dns_list,
    parse,
    without,
)
from mailmum.postfix.setup_zones import ALLOW, BLOCK, ServerZones

LISTS = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
)
"""Lists that decide on mail.  ETRN's is not among them: a permit there would grant ETRN."""

OWN_FIRST = "permit_mynetworks, permit_sasl_authenticated"
_NEEDED = tuple(OWN_FIRST.split(", "))
_HOMES = ("smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions")
_LATE_HOMES = ("smtpd_sender_restrictions", "smtpd_recipient_restrictions")
_ALLOW, _BLOCK = f"${ALLOW}", f"${BLOCK}"
# Skipping these by an allow changes nothing: Postfix ignores permit_dnswl_client and
# permit_rhswl_client for a destination that is not its own (postconf(5)).
_UNTOUCHED = frozenset({"reject_unauth_destination", "defer_unauth_destination"})


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter of main.cf as it shall be, and as it would be without MailMum.

    Attributes:
        name: the parameter.
        value: what it shall be.
        clean: what it is or would be without us; None when main.cf does not set it.
    """

    name: str
    value: str
    clean: str | None


@dataclass(frozen=True, slots=True)
class Placement:
    """The settings of the restriction lists, the list that blocks, and what to tell."""

    settings: tuple[Setting, ...]
    home: str
    notes: tuple[str, ...]


def place(zones: ServerZones, current: Current) -> Placement:
    """Decide where the allow and the block go."""
    placer = _Placer(zones, current)
    home = placer.home()
    settings = [placer.setting(name, home) for name in placer.names]
    wanted = tuple(s for s in settings if s is not None)
    notes = [*placer.notes, *_override_notes(zones, current, home)]
    if not home:
        notes.append(
            "Every restriction list that could hold the block ends in `reject`. Put "
            f"`{_ALLOW}, {_BLOCK}` where it belongs by hand, after your own people."
        )
    return Placement(wanted, home, tuple(notes))


class _Placer:
    """One run over the lists, which collects notes."""

    def __init__(self, zones: ServerZones, current: Current) -> None:
        self.zones = zones
        self.current = current
        self.notes: list[str] = []
        self.parameters: Mapping[str, str] = {**current.defaults, **current.explicit}
        self.classes = tuple(
            item.word for item in parse(self.parameters.get("smtpd_restriction_classes", ""))
        )
        self.names = (*LISTS, *(name for name in self.classes if name in current.explicit))

    def home(self) -> str:
        """The list that holds the block: where it stands already, else the first that may."""
        for name in LISTS:
            if any(item.reference == BLOCK for item in parse(self.current.explicit.get(name, ""))):
                return name
        late = self.current.says_no("smtpd_delay_reject")
        candidates = _LATE_HOMES if late else _HOMES
        return next((n for n in candidates if self._closing(n) is not Closing.REJECTS), "")

    def setting(self, name: str, home: str) -> Setting | None:
        """What the list shall be, None when it is no business of ours."""
        former = self.current.explicit.get(name)
        bare = without(former or "", _is_ours)
        value = self.zones.with_key(former or "")
        clean = former if former is None or bare == former else bare
        if name == home:
            if not self._stands(value, need_block=True):
                value = self._with_both(self.zones.with_key(bare))
            if clean is not None and clean != former and parse_words(clean) == _NEEDED:
                # All that is left is what an earlier run put in front: with nothing to guard it
                # does nothing.
                clean = None
        elif self._first_dns_list(value) is None or self._is_closed(name):
            value = self.zones.with_key(bare)
        elif not self._stands(value, need_block=False):
            value = self._with_allow(self.zones.with_key(bare))
        if former is None and not value:
            return None
        self._tell_skipped(name, value)
        return Setting(name, value, clean)

    def _with_allow(self, value: str) -> str:
        return before(value, self._first_dns_list(value), _ALLOW)

    def _with_both(self, value: str) -> str:
        live, end = self._live(value)
        first = self._first_dns_list(value)
        position = live.index(first) if first is not None else len(live)
        early = {found.word for item in live[:position] for found in self._flat(item)}
        late = {found.word for item in live[position:] for found in self._flat(item)}
        if first is not None and early.issuperset(_NEEDED) and not late & OWN_PEOPLE:
            return before(value, first, f"{_ALLOW}, {_BLOCK}")
        missing = [word for word in _NEEDED if word not in early | late]
        if first is None:
            return before(value, end, ", ".join([*missing, _ALLOW, _BLOCK]))
        # Adding permits before somebody's DNS list would weaken it, so the block goes last.
        return self._with_allow(before(value, end, ", ".join([*missing, _BLOCK])))

    def _stands(self, value: str, *, need_block: bool) -> bool:
        """Whether what an earlier run or a hand put in still does its work there."""
        live, _ = self._live(value)
        places = {item.reference: index for index, item in enumerate(live) if _is_ours(item)}
        if ALLOW not in places or (need_block and places[ALLOW] > places.get(BLOCK, -1)):
            return False
        first = self._first_dns_list(value)
        return first is None or places[ALLOW] < live.index(first)

    def _first_dns_list(self, value: str) -> Item | None:
        """The first item that is, or stands for, somebody else's DNS list."""
        for item in self._live(value)[0]:
            if not _is_ours(item) and any(self._is_foreign(inner) for inner in self._flat(item)):
                return item
        return None

    def _live(self, value: str) -> tuple[list[Item], Item | None]:
        """The items that are ever reached, and the one that ends the list whatever follows."""
        live: list[Item] = []
        for item in parse(value):
            if closing(self._flat(item)) is not Closing.OPEN:
                return live, item
            live.append(item)
        return live, None

    def _is_foreign(self, item: Item) -> bool:
        return is_dns_list(item) and not self.zones.holds(item.argument)

    def _flat(self, item: Item) -> Iterator[Item]:
        return flatten(item, self.parameters)

    def _closing(self, name: str) -> Closing:
        items = parse(self.parameters.get(name, ""))
        return closing(inner for item in items for inner in self._flat(item))

    def _is_closed(self, name: str) -> bool:
        """Whether an allow in this list, or class, would open a list that ends in `reject`."""
        users = [name]
        if name in self.classes:
            users += [n for n in LISTS if any(i.word == name for i in self._all(n))]
        if all(self._closing(user) is not Closing.REJECTS for user in users):
            return False
        note = (
            f"{name} ends in `reject`, or is used in a list that does: an allow before its DNS "
            f"lists would open it, so it is left as it is. Where that is what you want, put "
            f"`{_ALLOW}` before its first DNS list yourself."
        )
        if note not in self.notes:
            self.notes.append(note)
        return True

    def _all(self, name: str) -> Iterator[Item]:
        for item in parse(self.parameters.get(name, "")):
            yield from self._flat(item)

    def _tell_skipped(self, name: str, value: str) -> None:
        items = parse(value)
        start = next((n for n, item in enumerate(items) if item.reference == ALLOW), len(items))
        skipped = [item.text for item in items[start:] if self._is_skipped(item)]
        if skipped:
            self.notes.append(
                f"Clients that you allow also skip what follows in {name}: {', '.join(skipped)}. "
                f"What must hold for them too belongs before `{_ALLOW}`."
            )

    def _is_skipped(self, item: Item) -> bool:
        inner = list(self._flat(item))
        return not _is_ours(item) and not all(
            is_dns_list(i) or i.word in _UNTOUCHED or i.word.startswith("permit") for i in inner
        )


def parse_words(value: str) -> tuple[str, ...]:
    """The words of a list, without arguments."""
    return tuple(item.word for item in parse(value))


def _is_ours(item: Item) -> bool:
    return item.reference in (ALLOW, BLOCK)


def _override_notes(zones: ServerZones, current: Current, home: str) -> Iterator[str]:
    for override in current.overrides:
        if override.parameter not in LISTS:
            continue
        items = parse(override.value)
        if any(_is_ours(item) for item in items):
            continue
        where = f"The service {override.service} in master.cf sets its own {override.parameter}"
        if override.parameter == home:
            yield (
                f"{where}, so MailMum blocks nothing there. That is usual for submission; for a "
                f"service that takes mail from strangers add `{_ALLOW}, {_BLOCK}` to it."
            )
        elif any(is_dns_list(item) and not zones.holds(item.argument) for item in items):
            yield f"{where} with DNS lists: put `{_ALLOW}` before the first of them."
