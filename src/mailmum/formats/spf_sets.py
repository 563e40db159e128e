"""The set of networks that an SPF record stands for, found by asking the DNS, sans-IO.

`networks_of` is a generator: it yields questions and is sent answers; what it returns in the end is
the set.  Whoever drives it decides how the DNS is asked.  The limits are those of RFC 7208 section
4.6.4, so a record that receivers of mail give up on gives no set here either: ten terms that need
the DNS, two of them void, ten hosts to an `mx`.

What a record denies before it allows is taken out.  What cannot be told without a sender (macros,
`ptr`, `exists`) is left out and noted: a set may be too small, never too large.

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
        missing: terms that cannot be turned into networks.
        lookups: how many terms needed the DNS.
    """

    networks: list[NetworkTarget] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    lookups: int = 0


Asking = Generator[Question, Answer, list[NetworkTarget]]


def networks_of(domain: str) -> Generator[Question, Answer, SpfSet]:
    """The networks that may send for a domain.

    Raises:
        BadInput: the domain has no SPF record, or one that receivers give up on.
    """
    found = SpfSet()
    found.networks = yield from _Walk(found).record(domain, ())
    return found


class _Walk:
    """One evaluation, with its counts."""

    def __init__(self, found: SpfSet) -> None:
        self._found = found
        self._void = 0

    def record(self, domain: str, path: tuple[str, ...]) -> Asking:
        """The networks of a domain's record."""
        if domain in path:
            raise BadInput(f"the SPF record of {shown(domain)} includes itself")
        answer = yield from self._ask(domain, "TXT")
        records = [text for text in answer if is_spf(text)]
        if len(records) != 1:
            count = "more than one SPF record" if records else "no SPF record"
            raise BadInput(f"{shown(domain)} has {count}", fix="check the name")
        passed: list[NetworkTarget] = []
        denied: list[NetworkTarget] = []
        terms = read_record(records[0])
        for term in terms:
            if term.name == "redirect":
                continue
            if term.name == "all":
                _refuse_all(term, domain)
                return passed
            networks = yield from self._term(term, domain, (*path, domain))
            self._note(passed if term.passes else denied, networks, denied)
        for term in terms:
            if term.name == "redirect":
                self._count()
                networks = yield from self._other(term, domain, (*path, domain))
                self._note(passed, networks, denied)
        return passed

    def _term(self, term: Term, domain: str, path: tuple[str, ...]) -> Asking:
        if term.network is not None:
            return [term.network]
        self._count()
        if term.name in ("ptr", "exists"):
            self._found.missing.append(f"{term.name}:{term.domain or domain}")
            return []
        if term.name == "include":
            return (yield from self._other(term, domain, path))
        name = self._name(term, domain)
        if name is None:
            return []
        hosts = [name]
        if term.name == "mx":
            hosts = list((yield from self._ask(name, "MX")))
            if len(hosts) > MX_HOSTS:
                raise BadInput(f"{shown(name)} has more than {MX_HOSTS} MX hosts")
        return (yield from self._addresses(hosts, term))

    def _other(self, term: Term, domain: str, path: tuple[str, ...]) -> Asking:
        name = self._name(term, domain)
        if name is None:
            return []
        return (yield from self.record(name, path))

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

    def _name(self, term: Term, domain: str) -> str | None:
        name = expand(term.domain, domain)
        if name is None:
            self._found.missing.append(f"{term.name}:{term.domain}")
        return name

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
