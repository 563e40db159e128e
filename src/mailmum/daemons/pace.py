"""How often a daemon does what it does beside answering."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done beside answering; seconds, unless said otherwise.

    Attributes:
        poll: how long to wait for news from the database at a time; so long may stopping take, too.
        recheck: ask for changes at least this often, news or not.
        retry: pause before the database is asked again, doubled from the first to the second.
        counts: between two batches of counts.
        snapshot: between two snapshots, if there were changes.
        merge_after: merge when this many targets have changed.
        merge_within: merge when the oldest change not merged is as old as this.
    """

    poll: float = 0.2
    recheck: float = 10.0
    retry: tuple[float, float] = (0.2, 5.0)
    counts: float = 1.0
    snapshot: float = 60.0
    merge_after: int = 2000
    merge_within: float = 300.0
