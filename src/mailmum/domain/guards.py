"""Guards: targets that are refused, or listed only when confirmed.

A slip of the finger must not stop the mail of one's own network, and a machine must never do so.
Private, link-local, shared and multicast space, the account's own servers and very wide networks
need an explicit confirmation from a person; triggers and feeds can never list them.  Loopback can
never be listed (RFC 6471 section 3.5).  Documentation networks are nobody's: no guard.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from mailmum.domain.errors import BadInput, NeedsConfirmation, Refusal
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import NetworkTarget, Target, parse_network

WIDEST = {4: 16, 6: 32}


def _nets(*texts: str) -> tuple[NetworkTarget, ...]:
    return tuple(parse_network(text) for text in texts)


_LOOPBACK = {net.version: net for net in _nets("127.0.0.0/8", "::1/128")}
_SPACES = {
    "private space": _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "link-local space": _nets("169.254.0.0/16", "fe80::/10"),
    "shared space": _nets("100.64.0.0/10"),
    "multicast space": _nets("224.0.0.0/4", "ff00::/8"),
    "unspecified space": _nets("0.0.0.0/8", "::/128"),
}

_RANGES = {
    version: sorted(
        (network.first, network.last, space)
        for space, networks in _SPACES.items()
        for network in networks
        if network.version == version
    )
    for version in (4, 6)
}
# Where guarded space begins and where it has ended, in turns: spaces neither overlap nor adjoin.
_BOUNDS = {
    version: [bound for first, last, _ in ranges for bound in (first, last + 1)]
    for version, ranges in _RANGES.items()
}


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A mail server of the account: its name and what it is known by."""

    name: str
    addresses: tuple[AddressSubject, ...] = ()
    hosts: tuple[NameSubject, ...] = ()

    def covered_by(self, target: Target) -> bool:
        """Whether a listing of the target would hit this server."""
        known_by: tuple[Subject, ...] = (*self.addresses, *self.hosts)
        return any(subject.covered_by(target) for subject in known_by)


def check(
    target: Target,
    action: Action,
    source: Source,
    own_servers: Iterable[OwnServer] = (),
    *,
    confirmed: bool = False,
) -> None:
    """Let a target pass, or refuse it.

    Raises:
        BadInput: loopback, or a guarded target listed by a trigger or feed.
        NeedsConfirmation: a guarded target that a person has not confirmed.
    """
    if _is_loopback(target):
        raise BadInput(
            f"{target.text} is this machine itself (loopback) and can never be listed",
            field="target",
        )
    danger = find_danger(target, own_servers)
    if danger is None or (confirmed and source is Source.PERSON):
        return
    raise _refusal(target, action, source, danger)


def find_danger(target: Target, own_servers: Iterable[OwnServer] = ()) -> str | None:
    """Why the target is dangerous to list, as the end of a sentence, or None."""
    for server in own_servers:
        if server.covered_by(target):
            return f"covers the account's own server {server.name}"
    if not isinstance(target, NetworkTarget):
        return None
    if target.prefix < WIDEST[target.version]:
        return f"is wider than /{WIDEST[target.version]}"
    lowest, highest = target.first, target.last
    # Imports ask this a million times, and nearly all of it lies between two guarded spaces.
    bounds = _BOUNDS[target.version]
    at = bisect_right(bounds, lowest)
    if at % 2 == 0 and (at == len(bounds) or highest < bounds[at]):
        return None
    for first, last, space in _RANGES[target.version]:
        if lowest <= last and first <= highest:
            return f"is in {space}"
    return None


def _is_loopback(target: Target) -> bool:
    if not isinstance(target, NetworkTarget):
        return NameSubject(target.name).is_loopback
    net = _LOOPBACK[target.version]
    return target.prefix >= net.prefix and net.covers(target.version, target.first)


def _refusal(target: Target, action: Action, source: Source, danger: str) -> Refusal:
    problem = f"{target.text} {danger}"
    if source is not Source.PERSON:
        return BadInput(
            f"{problem}: a {source.value} can never {action.value} it",
            fix="list it by hand, with a confirmation, if that is meant",
            field="target",
        )
    return NeedsConfirmation(
        f"{problem}: to {action.value} it needs a confirmation",
        fix="confirm it if that is meant (on the command line: --force)",
        field="target",
    )
