"""The first pass over an import: every line read and checked, nothing written.

What passes is put aside in a temporary file, so that the second pass neither reads the original
again nor keeps a million listings in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailmum.control.accounts.access import Writing
from mailmum.control.imports.aside import Aside, Row
from mailmum.control.imports.options import ImportOptions
from mailmum.control.listings.services import scope_of
from mailmum.control.listings.values import target_values
from mailmum.control.servers.queries import names_of_servers, own_servers, servers_of
from mailmum.domain import guards
from mailmum.domain.errors import NeedsConfirmation, Refusal
from mailmum.domain.listings import WHOLE_ACCOUNT, Source
from mailmum.domain.targets import Target
from mailmum.domain.texts import LABEL_LIMIT, NOTE_LIMIT, REASON_LIMIT, clean_line, clean_text
from mailmum.formats.entries import BadLine, Entry, Item, Remark

LINES_A_STEP = 5000
TOLD_LIMIT = 1000
"""So many bad lines and remarks are told one by one; all are counted."""


@dataclass(slots=True)
class Findings:
    """What the first pass came to."""

    lines: int = 0
    entries: int = 0
    bad: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    guarded: int = 0
    guarded_lines: list[BadLine] = field(default_factory=list)

    def note_bad(self, line: BadLine) -> None:
        """Count a bad line, and keep it while there is room."""
        self.bad += 1
        if len(self.bad_lines) < TOLD_LIMIT:
            self.bad_lines.append(line)

    def note_guarded(self, line: BadLine) -> None:
        """Count a line that a confirmation would let pass, and keep it while there is room."""
        self.guarded += 1
        if len(self.guarded_lines) < TOLD_LIMIT:
            self.guarded_lines.append(line)

    def note_remark(self, remark: Remark) -> None:
        """Keep a remark while there is room."""
        if len(self.remarks) < TOLD_LIMIT:
            self.remarks.append(remark)


class Checker:
    """Checks entries against guards, servers and limits, and puts the good ones aside."""

    def __init__(self, access: Writing, options: ImportOptions, aside: Aside, now: int) -> None:
        self._options = options
        self._aside = aside
        self._now = now
        self._own = own_servers(access)
        self._reason = _reason(options.reason)
        self._scope = scope_of(access, options.server)
        live = {server.pk for server in servers_of(access)}
        names = names_of_servers(access)
        self._scopes = {name: number for number, name in names.items() if number in live}
        self.findings = Findings()

    def check(self, items: Iterable[Item]) -> Iterator[int]:
        """Check all; yields the number of lines seen, now and then."""
        for count, item in enumerate(items, start=1):
            self.findings.lines = max(self.findings.lines, item.line)
            if isinstance(item, BadLine):
                self.findings.note_bad(item)
            elif isinstance(item, Remark):
                self.findings.note_remark(item)
            else:
                self._take(item)
            if count % LINES_A_STEP == 0:
                yield self.findings.lines

    def _take(self, entry: Entry) -> None:
        if entry.expires is not None and entry.expires <= self._now:
            words = "has run out already and is left out"
            self.findings.note_remark(Remark(entry.line, entry.target.text, words))
            return
        try:
            row = self._row(entry)
        except Refusal as refusal:
            line = BadLine(entry.line, entry.target.text, str(refusal))
            self.findings.note_bad(line)
            if isinstance(refusal, NeedsConfirmation):
                self.findings.note_guarded(BadLine(line.line, line.text, refusal.problem))
            return
        self._aside.add(row)
        self.findings.entries += 1

    def _row(self, entry: Entry) -> Row:
        source = self._source(entry)
        self._guard(entry.target, entry, source)
        person = source is Source.PERSON
        # By position: with names the call would take twice as long, a million times.
        return Row(
            *target_values(entry.target),
            self._scope_of(entry),
            entry.action.value,
            source.value,
            "" if person else self._origin(entry),
            _reason(entry.reason) if entry.reason else self._reason,
            clean_text(entry.note, field="note", limit=NOTE_LIMIT) if entry.note else "",
            entry.code,
            self._options.expires if entry.expires is None else entry.expires,
            entry.enabled,
        )

    def _guard(self, target: Target, entry: Entry, source: Source) -> None:
        confirmed = self._options.force
        guards.check(target, entry.action, source, self._own, confirmed=confirmed)

    def _source(self, entry: Entry) -> Source:
        if self._options.mine or entry.source is Source.PERSON:
            return Source.PERSON
        return Source.FEED

    def _origin(self, entry: Entry) -> str:
        if not entry.origin or entry.source is Source.TRIGGER or self._options.remove_missing:
            return self._options.label
        return clean_line(entry.origin, field="origin", limit=LABEL_LIMIT)

    def _scope_of(self, entry: Entry) -> int:
        if self._options.server or not entry.scope:
            return self._scope
        if entry.scope == "account":
            return WHOLE_ACCOUNT
        if entry.scope not in self._scopes:
            raise Refusal(
                f"there is no server {entry.scope}",
                fix="add it first, or name one for the whole file",
            )
        return self._scopes[entry.scope]


def _reason(text: str) -> str:
    return clean_line(text, field="reason", limit=REASON_LIMIT)
