"""The networks of a mail provider, found in the DNS: what `formats.spf_sets` asks is asked here.

A name that does not exist, or has nothing of the kind, is an answer.  Anything else that goes wrong
is a failure of the whole: a set that lacks what could not be resolved would be wrong.
"""

import dns.exception
import dns.resolver
from dns.rdata import Rdata
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from mailmum.control import config
from mailmum.control.config import parse_endpoint
from mailmum.daemons.outgoing import Unreached
from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.formats.spf_sets import Answer, Question, SpfSet, networks_of

LIFETIME = 10.0
_MOST = 200


def spf_set(domain: str) -> SpfSet:
    """The networks that may send for a domain.

    Raises:
        BadInput: it has no SPF record, or none that stands for networks.
        Unreached: the DNS does not answer.
    """
    found = resolve_set(domain, resolver())
    if found.networks:
        return found
    if found.missing:
        raise BadInput(
            f"the SPF record of {shown(domain)} names no networks: whom it allows depends on the "
            f"sender ({shown(found.missing[0])})",
            fix="choose another domain of this provider, or allow those of its hosts that you know",
        )
    raise BadInput(f"the SPF record of {shown(domain)} names no networks", fix="check the name")


def as_list(found: SpfSet) -> bytes:
    """A set as a plain list."""
    # With these a set whose networks stay as they are is a new version all the same.
    remarks = [f"# left out, depends on the sender: {term}\n" for term in found.missing]
    remarks += [f"# denied to some senders, and not taken out: {term}\n" for term in found.undenied]
    return "".join([*remarks, *(f"{network.text}\n" for network in found.networks)]).encode()


def resolver() -> dns.resolver.Resolver:
    """The resolver of this installation.

    Raises:
        Unreached: this machine has none.
    """
    endpoint = config.current().resolver
    try:
        made = dns.resolver.Resolver(configure=not endpoint)
    except dns.resolver.NoResolverConfiguration:
        raise Unreached(
            "this machine has no resolver", fix="set resolver in mailmum.toml"
        ) from None
    if endpoint:
        where = parse_endpoint(endpoint)
        made.nameservers, made.port = [where.host], where.port
    made.lifetime = LIFETIME
    return made


def resolve_set(domain: str, by: dns.resolver.Resolver) -> SpfSet:
    """The set of a domain.

    Raises:
        BadInput, Unreached: as `spf_set`.
    """
    walk = networks_of(domain)
    answer: Answer | None = None
    for _ in range(_MOST):
        try:
            question = next(walk) if answer is None else walk.send(answer)
        except StopIteration as end:
            found: SpfSet = end.value
            return found
        answer = _ask(question, by)
    raise BadInput(f"the SPF record of {shown(domain)} needs more than {_MOST} questions")


def _ask(question: Question, by: dns.resolver.Resolver) -> Answer:
    try:
        found = by.resolve(f"{question.name}.", question.type, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return Answer()
    except dns.exception.DNSException as error:
        raise Unreached(
            f"the DNS does not say what {question.type} of {shown(question.name)} is: {error}",
            fix="see whether the resolver of this machine works, and try again later",
        ) from None
    return Answer(tuple(_text(record) for record in sorted(found.rrset or ())))


def _text(record: Rdata) -> str:
    if isinstance(record, TXT):
        return b"".join(record.strings).decode("ascii", "replace")
    if isinstance(record, MX):
        return record.exchange.to_text(omit_final_dot=True).lower()
    return record.to_text()
