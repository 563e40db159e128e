"""Scores that spam filters log: Rspamd, SpamAssassin's spamd, Amavis.

A filter's line names the message by the queue id it was handed over with, or by its Message-ID only
(spamd).  Senders choose their Message-ID and addresses, so with spamd and Amavis marks are looked
for from the end, after what they wrote.

Rspamd's line begins with what it takes from the message: its Message-ID, in which blanks become
question marks, and right behind it the queue id.  What else senders choose stands on both sides of
the score, so of several that are told the highest counts: whoever writes one into an address can
but accuse themselves.
"""

import re
from typing import NamedTuple

FILTERS = frozenset({"rspamd", "rspamd_proxy", "spamd", "amavis", "amavisd", "amavisd-new"})
_NUMBER = r"(-?[0-9]{1,6}(?:\.[0-9]{1,6})?)"
_RSPAMD = re.compile(rf"\(default: [A-Z] \([^()\[\]]{{1,40}}\): \[{_NUMBER}/{_NUMBER}\]")
_SPAMD = re.compile(rf"(?:spamd: )?(?:identified spam|clean message) \({_NUMBER}/{_NUMBER}\) for ")
_RESULT = re.compile(rf"(?:spamd: )?result: [Y.] {_NUMBER} - ")
_HITS = re.compile(rf"{_NUMBER}(?=[,+ ]|$)")
_MAX_ID = 1000
_MAX_OPEN = 1024


class Score(NamedTuple):
    """A message's score; `queue_id` or `message_id` tells which one's."""

    score: float
    queue_id: str | None
    message_id: str | None


class Scores:
    """Reads lines of spam filters."""

    def __init__(self) -> None:
        self.exact: dict[str, float] = {}

    def read(self, key: str, text: str) -> Score | None:
        """The score that a line tells, if any."""
        if "rspamd" in key.partition(" ")[2]:
            return _rspamd(text)
        if "result: " in text or ") for " in text:
            return self._spamd(key, text)
        at = text.rfind(", Hits: ")
        return _amavis(text, at) if at >= 0 else None

    def _spamd(self, key: str, text: str) -> Score | None:
        """`identified spam (7.9/5.0) for ...`, then `result: Y 7 - ...mid=<...>` rounds it."""
        found = _SPAMD.match(text)
        if found is not None:
            self.exact[key] = float(found[1])
            if len(self.exact) > _MAX_OPEN:
                del self.exact[next(iter(self.exact))]
            return None
        found = _RESULT.match(text)
        at = text.rfind(",mid=<")
        if found is None or at < 0:
            return None
        score = float(found[1])
        exact = self.exact.pop(key, None)
        if exact is not None and abs(exact - score) <= 1:
            score = exact
        return Score(score, None, _between(text, at + 5))


def _rspamd(text: str) -> Score | None:
    _, _, told = text.partition("rspamd_task_write_log: id: <")
    message_id, _, told = told.partition(">, qid: <")
    queue_id, _, told = told.partition(">, ")
    scores = [float(found[1]) for found in _RSPAMD.finditer(told)]
    if not scores or " " in message_id or queue_id == "undef":
        return None
    return Score(max(scores), queue_id[:40], None)


def _amavis(text: str, at: int) -> Score | None:
    found = _HITS.match(text, at + 8)
    if found is None:
        return None
    mark = text.rfind(", Queue-ID: ", 0, at)
    if mark >= 0:
        return Score(float(found[1]), text[mark + 12 :].partition(",")[0][:40], None)
    mark = text.rfind(", Message-ID: <", 0, at)
    return Score(float(found[1]), None, _between(text, mark + 14)) if mark >= 0 else None


def _between(text: str, at: int) -> str:
    """What stands in angle brackets, with them, as cleanup logs a Message-ID."""
    return text[at : text.find(">", at) + 1][:_MAX_ID]
