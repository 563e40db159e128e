"""Whether a sighting is one that is wanted, without asking the database.

What is new is read once for all who follow it, and each takes what it wants of it; so the filter of
`control.traffic.find` exists a second time, here, and a test holds one against the other.
"""

from mailmum.control import config
from mailmum.control.traffic.reading import Best, Wanted
from mailmum.control.traffic.values import Kept
from mailmum.domain.targets import NameTarget, NetworkTarget, parse_network
from mailmum.traffic.groups import Group, group_of
from mailmum.traffic.sightings import Outcome, Sighting


def matches(wanted: Wanted, kept: Kept) -> bool:
    """Whether it is wanted."""
    return _is_counted(wanted, kept) and _is_spelled(wanted, kept) and _is_in_time(wanted, kept)


def _is_counted(wanted: Wanted, kept: Kept) -> bool:
    seen = kept.sighting
    return (
        (wanted.servers is None or kept.server in wanted.servers)
        and (not wanted.sources or kept.source in wanted.sources)
        and (wanted.best is None or _is_best(wanted.best, kept))
        and (not wanted.outcomes or seen.outcome in wanted.outcomes)
        and (not wanted.groups or _group(seen) in wanted.groups)
        and (wanted.rbl is None or seen.rbl == wanted.rbl)
        and (not wanted.alone or (seen.rbl is not None and seen.named == (seen.rbl,)))
        and (wanted.client is None or _lies_in(seen.client, wanted.client))
    )


def _is_spelled(wanted: Wanted, kept: Kept) -> bool:
    seen = kept.sighting
    return (
        _has(seen.sender, wanted.sender)
        and _has(seen.recipient, wanted.recipient)
        and _has(seen.helo, wanted.helo)
        and (not wanted.text or _mentions(seen, wanted.text))
        and (
            wanted.name is None
            or _is_named(seen.client_name, wanted.name)
            or _is_named(seen.helo, wanted.name)
        )
    )


def _is_in_time(wanted: Wanted, kept: Kept) -> bool:
    at = kept.sighting.time
    return (wanted.since is None or at >= wanted.since) and (
        wanted.until is None or at < wanted.until
    )


def _lies_in(client: str | None, network: NetworkTarget) -> bool:
    if client is None:
        return False
    address = parse_network(client)
    return network.covers(address.version, address.first)


def _is_best(best: tuple[Best, ...], kept: Kept) -> bool:
    seen = kept.sighting
    is_name = seen.client is None and seen.outcome is Outcome.UNLISTED
    counts = any(one.holds(kept.server, kept.source, seen.time) for one in best)
    return counts and not is_name


def _group(seen: Sighting) -> Group:
    return group_of(seen.outcome, seen.rbl, config.current().zone)


def _mentions(seen: Sighting, text: str) -> bool:
    return any(
        _has(one, text) for one in (seen.client_name, seen.helo, seen.sender, seen.recipient)
    )


def _has(text: str | None, part: str) -> bool:
    return not part or (text is not None and part.lower() in text.lower())


def _is_named(name: str | None, target: NameTarget) -> bool:
    return name is not None and target.covers(name.lower())
