"""Does DNS answer: asked directly over UDP and TCP, and by way of this machine's resolver.

The question is a test entry of RFC 5782 section 5, which every zone always lists, and its
counterpart 127.0.0.1, which no zone ever lists: a resolver that answers that one too answers
everything, and would have all mail rejected.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from mailmum.cli.doctor_findings import Finding, fail, ok, warn

_TIMEOUT = 3.0
_LISTED = "2.0.0.127"
_UNLISTED = "1.0.0.127"
_EXPECTED = "127.0.0.2"
_CHROOT = Path("/var/spool/postfix/etc/resolv.conf")
_SYSTEM = Path("/etc/resolv.conf")


def question(servers: list[dict[str, Any]], base: str, *, anybody: bool = False) -> str:
    """The zone to ask about: a server's list of blocked addresses, else the base itself.

    Rather that of a server that everybody may ask: this machine may be none of those who may ask
    another, and to be refused there is no fault, and would be told as if a key had got about.

    Args:
        servers: the account's servers, or the one that was asked about.
        base: the service's base.
        anybody: take none but such a server.
    """
    first = sorted(servers, key=lambda one: bool(one["askers"]))[:1]
    found = [one for one in first if not (anybody and one["askers"])]
    return str(found[0]["zones"]["bl"]) if found else base


def direct(label: str, host: str, port: int, zone: str) -> Iterator[Finding]:
    """Ask the service itself.

    Args:
        label: where it listens, as the service says.
        host: the address to ask.
        port: the port.
        zone: what `question` gave.
    """
    ways: dict[str, Callable[..., dns.message.Message]] = {
        "UDP": dns.query.udp,
        "TCP": dns.query.tcp,
    }
    for way, ask in ways.items():
        try:
            trouble = _trouble(zone, host, port, ask)
        except dns.exception.Timeout:
            trouble = "no answer in time"
        except (OSError, EOFError) as error:
            trouble = getattr(error, "strerror", None) or str(error)
        except dns.exception.DNSException as error:
            trouble = f"the answer is not DNS ({error})"
        if trouble:
            fix = "see that the DNS part runs (its log says why not) and no firewall drops the port"
            yield fail(f"DNS {label}", f"{way}: {trouble}", fix)
        else:
            yield ok(f"DNS {label}", f"{way}: answers for its zones")


def _trouble(zone: str, host: str, port: int, ask: Callable[..., Any]) -> str:
    """What is wrong with the answer; empty when nothing is."""
    keyed = ".bl." in zone
    query = dns.message.make_query(f"{_LISTED}.{zone}" if keyed else zone, "A" if keyed else "SOA")
    answer = ask(query, host, port=port, timeout=_TIMEOUT)
    if answer.rcode() != dns.rcode.NOERROR or not answer.answer:
        return (
            f"the test entry of {_hidden(zone)} is not listed "
            f"({dns.rcode.to_text(answer.rcode())}): another program may answer there"
        )
    if keyed and _addresses(answer.answer) != {_EXPECTED}:
        return f"the test entry of {_hidden(zone)} answers {sorted(_addresses(answer.answer))}"
    return ""


def through_resolver(zone: str, base: str, *, postfix_here: bool) -> Iterator[Finding]:
    """Ask the resolver of this machine, as a mail server would.

    Args:
        zone: what `question` gave.
        base: the service's base.
        postfix_here: whether a Postfix depends on it.
    """
    if ".bl." not in zone:
        return
    name = "resolver"
    try:
        resolver = dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        yield fail(name, f"{_SYSTEM} names no resolver", "write one into it")
        return
    at = " ".join(str(server) for server in resolver.nameservers)
    listed = _resolved(resolver, f"{_LISTED}.{zone}")
    if _resolved(resolver, f"{_UNLISTED}.{zone}") == {_EXPECTED}:
        yield fail(
            name,
            f"the resolver ({at}) answers for addresses that are not listed",
            "take this zone out of what it rewrites: it would have all mail rejected",
        )
    elif listed == {_EXPECTED}:
        yield ok(name, f"the resolver of this machine ({at}) reaches {base}")
    else:
        told = ", ".join(sorted(listed)) if listed else "nothing"
        yield (fail if postfix_here else warn)(
            name,
            f"the resolver of this machine ({at}) does not reach {base}: it answers {told}",
            "have it forward that domain; `mailmum postfix setup` prints how",
        )
    if postfix_here:
        yield from _chroot(_SYSTEM, _CHROOT)


def _resolved(resolver: dns.resolver.Resolver, name: str) -> set[str]:
    """The addresses found, or in their place the reason why none were."""
    try:
        answer = resolver.resolve(name, "A", lifetime=_TIMEOUT, search=False)
    except dns.resolver.NXDOMAIN:
        return {"NXDOMAIN"}
    except dns.resolver.NoAnswer:
        return {"no address"}
    except dns.exception.Timeout:
        return {"no answer in time"}
    except dns.resolver.NoNameservers:
        return {"SERVFAIL"}
    except (dns.exception.DNSException, OSError) as error:
        return {str(error)}
    return {str(item) for item in answer}


def _chroot(system: Path, copy: Path) -> Iterator[Finding]:
    """A chrooted smtpd reads its own copy of resolv.conf, which nobody updates while it runs."""
    if not copy.exists():
        return
    if _servers_in(copy) != _servers_in(system):
        yield warn(
            "resolver",
            f"{copy}, which Postfix reads, names other resolvers than {system}",
            "restart Postfix, which copies it",
        )


def _servers_in(path: Path) -> list[str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [
        words[1] for line in lines if (words := line.split())[:1] == ["nameserver"] and words[1:]
    ]


def _addresses(sections: list[Any]) -> set[str]:
    return {str(item) for rrset in sections if rrset.rdtype == dns.rdatatype.A for item in rrset}


def _hidden(zone: str) -> str:
    # The output of this command ends up in tickets: the key stays out of it.
    return f"…{zone[zone.index('.bl.') + 1 :]}" if ".bl." in zone else zone
