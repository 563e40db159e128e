"""The set of networks that an SPF record stands for, found by asking the DNS, sans-IO.

`networks_of` is a generator: it yields questions and is sent answers; what it returns in the end is
the set.  Whoever drives it decides how the DNS is asked.  The limits are those of RFC 7208 section
4.6.4, so a record that receivers of mail give up on gives no set here either: ten terms that need
the DNS, two of them void, ten hosts to an `mx`.

What a record denies before it allows is taken out, and so is what it is neutral about: the first
match decides.  What cannot be told without a sender (macros, `ptr`) is left out and noted: allowed,
it makes the set too small; denied before something else is allowed, too large.

    >>> walk = networks_of("mail.example")
    >>> next(walk)
    Question(name='mail.example', type='TXT')
    >>> try:
    ...     walk.send(Answer(("v=spf1 ip4:192.0.2.0/24 -all",)))
    ... except StopIteration as end:
    ...     print([network.text for network in end.value.networks])
    ['192.0.2.0/24']
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailmum.domain.carving import carve
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NetworkTarget
from mailmum.domain.texts import shown
from mailmum.formats.spf import Term, expand, is_spf, read_record

LOOKUPS = 10
VOID = 2
MX_HOSTS = 10
NETWORKS_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the DNS: TXT, A, AAAA or MX of a name."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS says: texts, addresses, or hosts by preference; empty when there is nothing."""

    records: tuple[str, ...] = ()


@dataclass(slots=True)
class SpfSet:
    """The result.

    Attributes:
        networks: in the order of the record.
        missing: terms that allow more, to some senders.
        undenied: terms that deny some of it, to some senders.
        lookups: how many terms needed the DNS.
    """

    networks: list[NetworkTarget] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    undenied: list[str] = field(default_factory=list)
    lookups: int = 0


Asking = Generator[Question, Answer, list[NetworkTarget]]


def networks_of(domain: str) -> Generator[Question, Answer, SpfSet]:
    """The networks that may send for a domain.

    Raises:
        BadInput: the domain has no SPF record, or one that receivers give up on.
    """
    found = SpfSet()
    walk = _Walk(found)
    found.networks = yield from walk.record(domain, (), allows=True)
    for allows, term in walk.remarks:
        (found.missing if allows else found.undenied).append(term)
    return found


class _Walk:
    """One evaluation, with its counts."""

    def __init__(self, found: SpfSet) -> None:
        # Whether it allows more in the end, or denies, and the term.
        self.remarks: list[tuple[bool, str]] = []
        self._found = found
        self._void = 0

    def record(self, domain: str, path: tuple[str, ...], *, allows: bool) -> Asking:
        """The networks of a domain's record, which are allowed in the end, or denied."""
        if domain in path:
            raise BadInput(f"the SPF record of {shown(domain)} includes itself")
        answer = yield from self._ask(domain, "TXT")
        records = [text for text in answer if is_spf(text)]
        if len(records) != 1:
            count = "more than one SPF record" if records else "no SPF record"
            raise BadInput(f"{shown(domain)} has {count}", fix="check the name")
        passed: list[NetworkTarget] = []
        denied: list[NetworkTarget] = []
        # Of what is denied nothing has to be said where nothing is allowed after it.
        waiting: list[tuple[bool, str]] = []
        terms = read_record(records[0])
        for term in terms:
            if term.name == "redirect":
                continue
            mark = len(self.remarks)
            if (yield from self._is_all(term, domain, allows=allows)):
                _refuse_all(term, domain)
                return passed
            networks = yield from self._term(term, domain, (*path, domain), allows=allows)
            self._note(passed if term.passes else denied, networks, denied)
            self._tell(waiting, mark, term, networks)
        for term in terms:
            if term.name == "redirect":
                self._count()
                networks = yield from self._other(term, domain, (*path, domain), allows=allows)
                self._note(passed, networks, denied)
                self._tell(waiting, len(self.remarks), term, networks)
        return passed

    def _is_all(
        self, term: Term, domain: str, *, allows: bool
    ) -> Generator[Question, Answer, bool]:
        """Whether a term matches everybody: `all`, or `exists` with a name that is there."""
        if term.name != "exists":
            return term.name == "all"
        self._count()
        name = self._name(term, domain, allows=allows)
        return name is not None and bool((yield from self._ask(name, "A")))

    def _term(self, term: Term, domain: str, path: tuple[str, ...], *, allows: bool) -> Asking:
        if term.network is not None:
            return [term.network]
        if term.name == "exists":
            return []
        self._count()
        if term.name == "ptr":
            self._leave_out(term, domain, allows=allows)
            return []
        if term.name == "include":
            return (yield from self._other(term, domain, path, allows=allows))
        name = self._name(term, domain, allows=allows)
        if name is None:
            return []
        hosts = [name]
        if term.name == "mx":
            hosts = list((yield from self._ask(name, "MX")))
            if len(hosts) > MX_HOSTS:
                raise BadInput(f"{shown(name)} has more than {MX_HOSTS} MX hosts")
        return (yield from self._addresses(hosts, term))

    def _other(self, term: Term, domain: str, path: tuple[str, ...], *, allows: bool) -> Asking:
        name = self._name(term, domain, allows=allows)
        if name is None:
            return []
        # What another record denies, one that denies those it allows does not.
        return (yield from self.record(name, path, allows=allows == term.passes))

    def _addresses(self, hosts: list[str], term: Term) -> Asking:
        found: list[NetworkTarget] = []
        for host in hosts:
            seen: list[str] = []
            for type_ in ("A", "AAAA"):
                seen += (yield Question(host, type_)).records
            if not seen:
                self._note_void()
            found += [_cut(text, term.prefixes) for text in seen]
        return found

    def _ask(self, name: str, type_: str) -> Generator[Question, Answer, tuple[str, ...]]:
        answer = yield Question(name, type_)
        if not answer.records:
            self._note_void()
        return answer.records

    def _name(self, term: Term, domain: str, *, allows: bool) -> str | None:
        name = expand(term.domain, domain)
        if name is None:
            self._leave_out(term, domain, allows=allows)
        return name

    def _leave_out(self, term: Term, domain: str, *, allows: bool) -> None:
        self.remarks.append((term.passes == allows, f"{term.name}:{term.domain or domain}"))

    def _tell(
        self,
        waiting: list[tuple[bool, str]],
        mark: int,
        term: Term,
        networks: list[NetworkTarget],
    ) -> None:
        if not term.passes:
            waiting += self.remarks[mark:]
            del self.remarks[mark:]
        elif networks:
            self.remarks += waiting
            waiting.clear()

    def _note(
        self, to: list[NetworkTarget], networks: list[NetworkTarget], denied: list[NetworkTarget]
    ) -> None:
        # What an earlier term has matched is decided: the first match counts (section 4.6.2).
        before = [other for other in denied if to is not denied]
        for network in networks:
            if any(
                other.covers(network.version, network.first) and other.prefix <= network.prefix
                for other in before
            ):
                continue
            to += [one for one in carve([network], before) if isinstance(one, NetworkTarget)]
        if len(to) > NETWORKS_LIMIT:
            raise BadInput(f"the SPF record stands for more than {NETWORKS_LIMIT} networks")

    def _count(self) -> None:
        self._found.lookups += 1
        if self._found.lookups > LOOKUPS:
            raise BadInput(f"the SPF record needs more than {LOOKUPS} look-ups, as none may")

    def _note_void(self) -> None:
        self._void += 1
        if self._void > VOID:
            raise BadInput(f"more than {VOID} names in the SPF record do not exist, as none may")


def _refuse_all(term: Term, domain: str) -> None:
    if term.passes:
        raise BadInput(f"the SPF record of {shown(domain)} says that all the world may send")


def _cut(text: str, prefixes: tuple[int, int]) -> NetworkTarget:
    address = ip_address(text)
    prefix = prefixes[address.version == 6]
    bits = address.max_prefixlen
    return NetworkTarget(
        address.version, int(address) >> (bits - prefix) << (bits - prefix), prefix
    )
