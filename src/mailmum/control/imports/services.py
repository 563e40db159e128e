"""Import: one change, all or nothing, in bounded memory.

Two passes.  The first reads and checks every line without touching the database; one bad line and
nothing is applied.  The second compares what was read with what is listed, in batches, within one
change: only then is the writer's lock held.
"""

import tempfile
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from mailmum.control.accounts.access import Writing
from mailmum.control.imports.aside import Aside, Row
from mailmum.control.imports.blocks import Blocks
from mailmum.control.imports.checking import Checker, Findings
from mailmum.control.imports.options import Details, ImportOptions, Report
from mailmum.control.journal.services import Change, change
from mailmum.control.listings import store
from mailmum.control.listings.models import CONTENT, Version
from mailmum.control.listings.services import scope_of
from mailmum.domain.errors import Conflict, NeedsConfirmation
from mailmum.domain.listings import Source
from mailmum.formats.detect import DETECT_BYTES, detect
from mailmum.formats.entries import ReadOptions
from mailmum.formats.registry import Format, find_format

BATCH = 2000

Place = tuple[int, str, str, str]
_place = attrgetter("scope", "target", "source", "origin")
_content = attrgetter(*CONTENT)
# The fields of a version in the order in which `_Merger` makes them.
_FIELDS = (
    *("number", "account_id"),
    *Row._fields,
    *("created", "created_by", "changed", "changed_by", "since", "until"),
)


class _Present(NamedTuple):
    """What is compared of a listing that is there."""

    pk: int
    number: int
    scope: int
    target: str
    source: str
    origin: str
    action: str
    reason: str
    note: str
    code: int | None
    expires: int | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: lines read while `phase` is checking, listings while writing."""

    phase: str
    done: int
    of: int | None = None


def run_import(
    access: Writing,
    chunks: Iterable[bytes],
    options: ImportOptions,
    details: Details | None = None,
    blocks: Blocks | None = None,
) -> Iterator[Progress | Report]:
    """Import a file; yields progress, and the report last.

    Args:
        access: proof that the asker may write.
        chunks: the file, in pieces of any size.
        options: how.
        details: takes what a preview shows.
        blocks: takes what would be blocked, for a look at whom that would have hit.

    Raises:
        BadInput: the format is unknown or cannot be found out.
        NotFound: no such server.
    """
    chosen, chunks = _choose(options, chunks)
    report = Report(chosen.name, options.label, options.dry_run)
    with tempfile.TemporaryFile(prefix="mailmum-") as file:
        aside = Aside(file)
        checker = Checker(access, options, aside, int(time.time()))
        items = chosen.read(chunks, ReadOptions(action=options.action))
        for lines in checker.check(items):
            yield Progress("checking", lines)
        _tell_findings(report, checker)
        _refuse_to_empty(options, checker.findings)
        if details is not None:
            _tell_guarded(details, checker.findings)
        if not report.bad or options.leave_out:
            total = checker.findings.entries
            yield from _apply(access, aside, options, report, total, details, blocks)
    yield report


def _choose(options: ImportOptions, chunks: Iterable[bytes]) -> tuple[Format, Iterable[bytes]]:
    """The format, named or found out from the beginning of the file; and the whole file."""
    if options.format:
        return find_format(options.format), chunks
    rest = iter(chunks)
    first = b""
    while len(first) < DETECT_BYTES and (chunk := next(rest, b"")):
        first += chunk
    return find_format(detect(first, options.label)), chain([first], rest)


def _refuse_to_empty(options: ImportOptions, found: Findings) -> None:
    # A download that came to nothing must not be taken for a source that lists nothing any more.
    if options.remove_missing and not found.entries and not found.bad and not options.force:
        raise NeedsConfirmation(
            f"there is nothing to list in it, so everything from {options.label} would be removed",
            fix="if that is meant, remove the listings of that source instead, or force it",
            field="remove_missing",
        )


def _tell_findings(report: Report, checker: Checker) -> None:
    found = checker.findings
    report.lines, report.bad = found.lines, found.bad
    report.bad_lines = [
        {"line": bad.line, "text": bad.text, "problem": bad.problem} for bad in found.bad_lines
    ]
    report.warnings = [
        {"line": one.line, "text": one.text, "problem": one.remark} for one in found.remarks
    ]


def _tell_guarded(details: Details, found: Findings) -> None:
    details.guarded_count = found.guarded
    details.guarded = [
        {"line": one.line, "text": one.text, "problem": one.problem} for one in found.guarded_lines
    ]


def _apply(
    access: Writing,
    aside: Aside,
    options: ImportOptions,
    report: Report,
    total: int,
    details: Details | None,
    blocks: Blocks | None,
) -> Iterator[Progress]:
    try:
        with change(access.account.pk, access.actor, "listing.import") as made:
            made.server = scope_of(access, options.server)
            merger = _Merger(access, made, options, report, details, blocks)
            for batch in aside.batches(BATCH):
                merger.merge(batch)
                yield Progress("writing", merger.done, total)
            if options.remove_missing:
                merger.remove_missing()
            moved = report.added + report.changed + report.removed
            made.count = moved
            made.summary = (
                f"{options.label}: {report.added} added, {report.changed} changed, "
                f"{report.removed} removed"
            )
            made.after = {"label": options.label, "format": report.format, "lines": report.lines}
            if options.dry_run:
                # It was all done, so that the figures are those of the real thing.
                transaction.set_rollback(True)
            if options.dry_run or not moved:
                made.discard()
                return
            report.applied, report.change = True, made.seq
    except IntegrityError as error:
        raise Conflict(f"the import clashes with what is listed: {error}") from error


class _Merger:
    """Compares batches of rows with the current listings and writes the difference."""

    def __init__(
        self,
        access: Writing,
        made: Change,
        options: ImportOptions,
        report: Report,
        details: Details | None,
        blocks: Blocks | None,
    ) -> None:
        self._details, self._blocks = details, blocks
        self._access, self._made = access, made
        self._options, self._report = options, report
        self._seen: array[int] = array("q")
        # Where nothing is listed nothing is to be compared.
        self._compares = Version.objects.filter(account=access.account, until=None).exists()
        self._last: Place | None = None
        self._now = store.stored_time(made.at)
        # What every version ends with: who changed it and when, since when it holds, and until.
        self._end = (self._now, access.actor.name, made.seq, None)
        self.done = 0

    def merge(self, batch: list[Row]) -> None:
        """Bring one batch in; of rows with the same place the first counts, as in rbldnsd."""
        wanted: dict[Place, Row] = {}
        for row in batch:
            # Of the same place come one after another, but perhaps in the next batch.
            if (place := _place(row)) != self._last:
                wanted[place] = row
                self._last = place
        self._report.repeated += len(batch) - len(wanted)
        if self._blocks is not None:
            for row in wanted.values():
                self._blocks.add(row)
        present = self._present(wanted)
        fresh: list[tuple[Row, _Present | None]] = []
        for place, row in wanted.items():
            was = present.get(place)
            if was is not None:
                self._seen.append(was.number)
            if was is not None and self._same(was, row):
                self._report.unchanged += 1
                self._tell("unchanged", row)
            else:
                fresh.append((row, was))
        self._write(fresh)
        self.done += len(batch)

    def remove_missing(self) -> None:
        """End what this source listed before and no longer does."""
        seen = set(self._seen)
        old = Version.objects.filter(
            account=self._access.account,
            until=None,
            since__lt=self._made.seq,
            source=Source.FEED.value,
            origin=self._options.label,
        )
        if self._options.server or find_format(self._report.format).of_one_server:
            old = old.filter(scope=self._made.server)
        missing = []
        columns = old.values_list("pk", "number", "action", "target", "scope")
        for pk, number, action, target, scope in columns.iterator():
            if number not in seen:
                missing.append(pk)
                if self._details is not None:
                    self._details.tell("removed", action, target, scope)
        self._report.removed = len(missing)
        store.end(self._made, missing)

    def _present(self, wanted: dict[Place, Row]) -> dict[Place, _Present]:
        if not self._compares:
            return {}
        found = Version.objects.filter(
            account=self._access.account,
            until=None,
            target__in={row.target for row in wanted.values()},
        ).values_list(*_Present._fields)
        present = map(_Present._make, found)
        return {(one.scope, one.target, one.source, one.origin): one for one in present}

    def _tell(self, word: str, row: Row) -> None:
        if self._details is not None:
            self._details.tell(word, row.action, row.target, row.scope)

    def _write(self, fresh: list[tuple[Row, _Present | None]]) -> None:
        """Write the next versions: of listings that are there, and of new ones."""
        ended = [was.pk for _, was in fresh if was is not None]
        begins = self._begins(ended)
        store.end(self._made, ended)
        new = len(fresh) - len(ended)
        numbers = count(store.take_numbers(new) if new else 0)
        account, now = self._access.account.pk, (self._now, self._access.actor.name)
        rows = []
        for row, was in fresh:
            if was is not None and not self._has_expired(was):
                self._report.changed += 1
                self._tell("changed", row)
                begin = begins[was.pk]
            else:
                self._report.added += 1
                self._tell("added", row)
                begin = now
            number = next(numbers) if was is None else was.number
            rows.append((number, account, *row, *begin, *self._end))
        store.add_rows(_FIELDS, rows)

    def _begins(self, ended: list[int]) -> dict[int, tuple[Any, str]]:
        """When and by whom listings were made; asked of the few that change, for it takes long."""
        found = Version.objects.filter(pk__in=ended) if ended else Version.objects.none()
        columns = found.values_list("pk", "created", "created_by")
        return {pk: (store.stored_time(created), by) for pk, created, by in columns}

    def _has_expired(self, was: _Present) -> bool:
        return was.expires is not None and was.expires <= self._made.at.timestamp()

    def _same(self, was: _Present, row: Row) -> bool:
        if self._has_expired(was):
            return False
        return bool(_content(was) == _content(row))
