"""What is wrong with triggers: one that its brake has stopped, one that nobody follows."""

from collections.abc import Iterator

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import instant
from mailmum.control.triggers.queries import triggers_of
from mailmum.triggers.rules import Mode

Told = tuple[str, str, str, str]
"""Name, state, message and fix of a finding."""
_PATIENCE = 60.0
# Seconds after which a worker that runs has taken a trigger up.


def trigger_findings(reading: Reading, now: float) -> Iterator[Told]:
    """Findings about the triggers of an account; all that is well is told in one line."""
    found = [one for one in triggers_of(reading) if one.mode != Mode.OFF]
    stopped = [one for one in found if one.stopped_at is not None]
    waiting = [
        one
        for one in found
        if one.stopped_at is None
        and one.since is None
        and now - one.changed.timestamp() > _PATIENCE
    ]
    for one in stopped:
        yield (
            f"trigger {one.name}",
            "warn",
            f"its brake stopped it at {instant(one.stopped_at)}: {one.stopped_why}",
            (
                f"look at whom it listed: mailmum trigger findings {one.name}, "
                f"then: mailmum trigger resume {one.name}"
            ),
        )
    for one in waiting:
        yield (
            f"trigger {one.name}",
            "warn",
            "nothing follows it, so it lists nobody",
            "check that the part worker runs",
        )
    if found and not (stopped or waiting):
        yield "triggers", "ok", f"{len(found)} of them follow what comes in", ""
