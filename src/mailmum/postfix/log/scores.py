"""Scores that spam filters log: Rspamd, SpamAssassin's spamd, Amavis.

A filter's line names the message by the queue id it was handed over with, or by its Message-ID only
(spamd).  Senders choose their Message-ID and addresses, so with spamd and Amavis marks are looked
for from the end, after what they wrote.

Rspamd's line is known by the function that writes it, before which nothing stands that strangers
choose.  It begins with what it takes from the message: its Message-ID, in which blanks become
question marks, and right behind it the queue id.  What else senders choose stands on both sides of
the score, so of several that are told the highest counts, and spam before what is none: whoever
writes one into an address can but accuse themselves.
"""

import re
from typing import NamedTuple

FILTERS = frozenset({"rspamd", "rspamd_proxy", "spamd", "amavis", "amavisd", "amavisd-new"})
_NUMBER = r"(-?[0-9]{1,6}(?:\.[0-9]{1,6})?)"
# `<5adc66>; task; rspamd_task_write_log: id: <...`; systemd's log has `(normal) ` before it.
_WRITES = re.compile(
    r"(?:\([a-z_]{1,40}\) )?(?:<[0-9A-Za-z]{1,64}>; )?[a-z_]{1,40}; rspamd_task_write_log: id: <",
    re.ASCII,
)
_RSPAMD = re.compile(rf"\(default: ([A-Z]) \([^()\[\]]{{1,40}}\): \[{_NUMBER}/{_NUMBER}\]")
_SPAMD = re.compile(rf"(?:spamd: )?(?:identified spam|clean message) \({_NUMBER}/{_NUMBER}\) for ")
_RESULT = re.compile(rf"(?:spamd: )?result: ([Y.]) {_NUMBER} - ")
_JUDGED = re.compile(r"\([^()\s]{1,60}\) (?:Passed|Blocked) ([A-Z-]{3,20})\b", re.ASCII)
_SPAM = {"T": True, "F": False, "Y": True, ".": False}
_SPAM |= {"SPAM": True, "SPAMMY": True, "CLEAN": False}
_HITS = re.compile(rf"{_NUMBER}(?=[,+ ]|$)")
_MAX_ID = 1000
_MAX_OPEN = 1024


class Score(NamedTuple):
    """A message's score; `queue_id` or `message_id` tells which one's.

    `spam` is the filter's verdict; None where it has none, as on a virus.
    """

    score: float
    queue_id: str | None
    message_id: str | None
    spam: bool | None


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
        score = float(found[2])
        exact = self.exact.pop(key, None)
        if exact is not None and abs(exact - score) <= 1:
            score = exact
        return Score(score, None, _between(text, at + 5), _SPAM[found[1]])


def _rspamd(text: str) -> Score | None:
    written = _WRITES.match(text)
    if written is None:
        return None
    message_id, _, told = text[written.end() :].partition(">, qid: <")
    queue_id, _, told = told.partition(">, ")
    scores = [(float(found[2]), found[1]) for found in _RSPAMD.finditer(told)]
    if not scores or " " in message_id or queue_id == "undef":
        return None
    score = max(scores)[0]
    verdicts = [_SPAM.get(letter) for _, letter in scores]
    return Score(score, queue_id[:40], None, True if True in verdicts else verdicts[0])


def _amavis(text: str, at: int) -> Score | None:
    found = _HITS.match(text, at + 8)
    if found is None:
        return None
    score, judged = float(found[1]), _JUDGED.match(text)
    spam = _SPAM.get(judged[1]) if judged is not None else None
    mark = text.rfind(", Queue-ID: ", 0, at)
    if mark >= 0:
        return Score(score, text[mark + 12 :].partition(",")[0][:40], None, spam)
    mark = text.rfind(", Message-ID: <", 0, at)
    return Score(score, None, _between(text, mark + 14), spam) if mark >= 0 else None


def _between(text: str, at: int) -> str:
    """What stands in angle brackets, with them, as cleanup logs a Message-ID."""
    return text[at : text.find(">", at) + 1][:_MAX_ID]
