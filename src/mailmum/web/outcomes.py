"""What a change of listings came to, in a sentence or two for the message after it."""

import time
from collections import Counter
from collections.abc import Sequence

from mailmum.control.listings.bulk import Done
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import Outcome, Result
from mailmum.domain.listings import Action
from mailmum.domain.words import plural
from mailmum.web.words import in_future

_DONE = {Action.BLOCK: "blocked", Action.ALLOW: "allowed"}
_FIELDS = {
    "reason": "the reason",
    "note": "the note",
    "code": "the return code",
    "expires": "the end",
    "enabled": "whether it is in force",
}


def of_listing(result: Result, action: Action, server: str | None) -> str:
    """What listing some targets came to."""
    if len(result.outcomes) == 1:
        return _one(result.outcomes[0], server)
    words = Counter(outcome.word for outcome in result.outcomes)
    parts = [f"{words[word]:,} {word}" for word in ("added", "changed", "unchanged") if words[word]]
    done = _DONE[action].capitalize()
    return f"{done} {plural(len(result.outcomes), 'target')} {_where(server)}: {', '.join(parts)}."


def of_edit(result: Result) -> str:
    """What editing one listing came to."""
    outcome = result.outcomes[0]
    if outcome.word == "unchanged":
        return f"{outcome.version.target} is as it was; nothing was changed."
    return f"Saved {outcome.version.target}: changed {_changed(outcome)}."


def of_removal(result: Result) -> str:
    """What removing listings came to."""
    targets = [version.target for version in result.removed]
    if len(targets) == 1:
        return f"Removed {targets[0]}."
    return f"Removed {plural(len(targets), 'listing')}."


def of_many(done: Done) -> str:
    """What changing many listings came to."""
    said = [
        f"Changed {plural(done.changed, 'listing')}" if done.changed else "Nothing was changed",
        f"{done.same:,} said so already" if done.same else "",
        f"{done.triggers:,} of triggers stay as they are" if done.triggers else "",
        f"{_some(done.taken)} stay, since they are listed there already" if done.taken else "",
    ]
    return "; ".join(part for part in said if part) + "."


def of_many_removed(done: Done) -> str:
    """What removing many listings came to."""
    return f"Removed {plural(done.changed, 'listing')}."


def _some(targets: Sequence[str]) -> str:
    rest = len(targets) - 3
    return ", ".join(targets[:3]) + (f" and {rest:,} more" if rest > 0 else "")


def _one(outcome: Outcome, server: str | None) -> str:
    version, was = outcome.version, outcome.was
    done, where = _DONE[Action(version.action)], _where(server)
    if outcome.word == "unchanged":
        return f"{version.target} is {done} {where} already; nothing was changed."
    if outcome.word == "added" or was is None:
        return f"{done.capitalize()} {version.target} {where}, {_until(version)}."
    if was.action != version.action:
        before = _DONE[Action(was.action)]
        return f"{version.target} was {before} {where}; now it is {done}, {_until(version)}."
    return f"{version.target} was {done} {where} already; changed {_changed(outcome)}."


def _changed(outcome: Outcome) -> str:
    version, was = outcome.version, outcome.was
    if was is None:
        return "everything"
    if was.action != version.action:
        return f"from {_DONE[Action(was.action)]} to {_DONE[Action(version.action)]}"
    names = [
        words for name, words in _FIELDS.items() if getattr(was, name) != getattr(version, name)
    ]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _until(version: Version) -> str:
    if version.expires is None:
        return "until removed"
    return f"ends {in_future(version.expires - time.time())}"


def _where(server: str | None) -> str:
    return f"on {server}" if server else "on all servers"
