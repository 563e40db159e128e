"""Listings from files, and as files.

An import is looked at first: what would be new, changed, the same, gone, whom its blocks would have
hit, and which lines are refused, those that a guard stands before by name.  Then it is done, as one
change.  What is grave
takes a second step, in which it is typed: a guarded target, and a file with nothing to list that
would take away all its source has listed, as a download does that came to nothing.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.imports.blocks import Blocks
from mailmum.control.imports.exporting import export
from mailmum.control.imports.options import Details, ImportOptions, Report
from mailmum.control.imports.services import run_import
from mailmum.control.listings.search import search
from mailmum.control.servers.queries import names_of_servers, present_servers
from mailmum.control.streaming import pulled
from mailmum.domain.errors import BadInput, NeedsConfirmation, Refusal
from mailmum.domain.lifetimes import end_of
from mailmum.domain.listings import Action
from mailmum.domain.words import plural
from mailmum.formats.detect import DETECT_BYTES, detect
from mailmum.formats.registry import FORMATS, Format, find_format
from mailmum.web.carried import FILE_LIMIT, packed, unpacked
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.impact import verdict_of
from mailmum.web.lives import LIFETIMES, field_names, lifetime_of
from mailmum.web.reply import show, tell, to
from mailmum.web.wanted import Wanted, wanted_of

SECTION = "listings"
CHUNK = 64 * 1024
MINE, FEED = "mine", "feed"
FIELDS = (
    "text",
    "packed",
    "named",
    "file",
    "format",
    "whose",
    "label",
    "server",
    "action",
    "for",
    "other",
    "reason",
    "gone",
    "leave_out",
    "sure",
)
WORDS = (
    ("added", "New"),
    ("changed", "Changed"),
    ("removed", "Gone from it"),
    ("unchanged", "The same"),
)
ABOUT = {
    "rbldnsd": "rbldnsd: all lists in one file",
    "ip4set": "rbldnsd ip4set: IPv4 addresses and networks",
    "ip4trie": "rbldnsd ip4trie: IPv4 networks",
    "ip6trie": "rbldnsd ip6trie: IPv6 networks",
    "dnset": "rbldnsd dnset: names",
    "postfix-cidr": "Postfix cidr table: addresses and networks",
    "postfix-access": "Postfix access map: names",
    "csv": "CSV: everything, for a spreadsheet",
    "json": "JSON: everything, for scripts",
    "plain": "Plain: one target a line",
}


@dataclass(frozen=True, slots=True)
class Looked:
    """What an import would do.

    Attributes:
        report: the counts, and refused lines.
        details: examples, and lines that a guard stands before.
        blocks: what it would block.
        refused: how many lines no confirmation lets pass.
    """

    report: Report
    details: Details
    blocks: Blocks

    @property
    def refused(self) -> int:
        """Lines that stay refused."""
        return self.report.bad - self.details.guarded_count

    @property
    def refused_lines(self) -> list[dict[str, Any]]:
        """The first of them; `twice` are those whose reason begins with the text itself."""
        guarded = {one["line"] for one in self.details.guarded}
        return [
            {**one, "twice": one["problem"].startswith(one["text"])}
            for one in self.report.bad_lines
            if one["line"] not in guarded
        ]

    @property
    def guarded(self) -> int:
        """Lines that a person can confirm."""
        return self.details.guarded_count

    @property
    def empties(self) -> bool:
        """Whether nothing would be left of what the source has listed."""
        left = self.report.added + self.report.changed + self.report.unchanged
        return self.report.removed > 0 and not left

    @property
    def phrase(self) -> str:
        """What is to be typed before that is done; empty when nothing needs it."""
        if self.empties:
            return f"remove {plural(self.report.removed, 'listing')}"
        return f"list {plural(self.guarded, 'guarded target')}" if self.guarded else ""

    @property
    def moved(self) -> int:
        """Listings that would change."""
        return self.report.added + self.report.changed + self.report.removed

    @property
    def kinds(self) -> list[tuple[str, int, list[Any]]]:
        """Each kind with its count and examples."""
        return [(words, getattr(self.report, word), self.details.of(word)) for word, words in WORDS]


@account_view(Writing, "GET", "POST")
def take_in(request: PageRequest, access: Writing) -> HttpResponse:
    """The form, what an import would do, and the import."""
    if request.method != "POST":
        blank = dict.fromkeys(FIELDS, "") | {"whose": FEED, "action": Action.BLOCK.value}
        return _page(request, access, Form(blank), None)
    form = posted(request.POST, *FIELDS)
    try:
        data = _data(request, form)
        looked = _look(access, form, data)
        if request.POST.get("do") == "import" and not _missing(form, looked):
            report = _run(access, form, data, force=bool(looked.phrase and form.values["sure"]))
            tell(request, _said(report), access=access, change=report.change)
            return to(access, "listings")
    except Refusal as refusal:
        names = field_names(form) | {"remove_missing": "gone", "format": "format"}
        form.refuse(refusal, names=names, otherwise="file")
        return _page(request, access, form, None)
    return _page(request, access, form, looked)


def _data(request: PageRequest, form: Form) -> bytes:
    """The file that was chosen, what was typed, or what came along from the page before."""
    chosen = request.FILES.get("file")
    if chosen is not None:
        if (chosen.size or 0) > FILE_LIMIT:
            raise BadInput(
                f"the file is larger than {FILE_LIMIT >> 20} MB",
                fix="use the command line: mailmum import FILE",
                field="file",
            )
        form.values["file"] = (chosen.name or "")[:80]
        data = b"".join(chosen.chunks())
        form.values |= {"packed": packed(data), "text": ""}
        return data
    if form.values["text"].strip():
        # It stays in its field, where refused lines can be mended.
        form.values |= {"packed": "", "file": ""}
        return form.values["text"].encode()
    if form.values["packed"]:
        # By its name the source is known where nothing else is said, and the format told.
        form.values["file"] = form.values["named"][:80]
        return unpacked(form.values["packed"])
    raise BadInput("no file was chosen", fix="choose one, or paste its lines", field="file")


def _look(access: Writing, form: Form, data: bytes) -> Looked:
    details = Details()
    options = _options(form, data, dry_run=True, leave_out=True)
    blocks = Blocks(options)
    try:
        return Looked(_import(access, data, options, details, blocks), details, blocks)
    except NeedsConfirmation as refusal:
        if refusal.field != "remove_missing":
            raise
    # Only what lists nothing is refused so: by force nothing else passes, and it is seen what goes.
    report = _import(access, data, replace(options, force=True), details, blocks)
    return Looked(report, details, blocks)


def _found_out(form: Form, data: bytes) -> str:
    """The format of a file by its content and name; what is pasted, or nothing, is a plain list."""
    try:
        return detect(data[:DETECT_BYTES], form.values["file"])
    except BadInput:
        if form.values["text"].strip() or not data.strip():
            return "plain"
        raise BadInput(
            "its format cannot be told from its content", fix="choose it", field="format"
        ) from None


def _run(access: Writing, form: Form, data: bytes, *, force: bool) -> Report:
    options = _options(form, data, force=force, leave_out=bool(form.values["leave_out"]))
    return _import(access, data, options)


def _import(
    access: Writing,
    data: bytes,
    options: ImportOptions,
    details: Details | None = None,
    blocks: Blocks | None = None,
) -> Report:
    chunks = (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
    report = Report(options.format, options.label, options.dry_run)
    for step in run_import(access, chunks, options, details, blocks):
        if isinstance(step, Report):
            report = step
    return report


def _options(form: Form, data: bytes, **more: bool) -> ImportOptions:
    mine = form.values["whose"] == MINE
    return ImportOptions(
        format=form.values["format"] or _found_out(form, data),
        label=form.filled("label") or form.filled("file") or "import",
        server=form.filled("server"),
        action=Action.ALLOW if form.values["action"] == Action.ALLOW else Action.BLOCK,
        mine=mine,
        remove_missing=bool(form.values["gone"]) and not mine,
        expires=end_of(lifetime_of(form), time.time()),
        reason=form.values["reason"],
        **more,
    )


def _missing(form: Form, looked: Looked) -> bool:
    """Whether something is still to be said before it is done; the fault stands beside it."""
    typed = " ".join(form.values["sure"].split()).lower()
    if looked.empties and typed != looked.phrase:
        form.faults["sure"] = [f"nothing is removed before you type {looked.phrase}"]
    elif typed and typed != looked.phrase:
        form.faults["sure"] = [f"that is something else; type {looked.phrase}, or leave it empty"]
    left = looked.refused + (0 if typed else looked.guarded)
    if left and not form.values["leave_out"]:
        form.faults["leave_out"] = [
            f"{plural(left, 'line')} would not be listed; mend the file, or leave them out"
        ]
    return not form.valid


def _said(report: Report) -> str:
    if not report.applied:
        return f"{report.label} says nothing that is not listed already; nothing was changed."
    parts = [f"{report.added:,} added", f"{report.changed:,} changed"]
    parts += [f"{report.removed:,} removed"] if report.removed else []
    left = f"; {plural(report.bad, 'line')} left out" if report.bad else ""
    return f"Imported {report.label}: {', '.join(parts)}{left}."


def _page(request: PageRequest, access: Writing, form: Form, looked: Looked | None) -> HttpResponse:
    names = names_of_servers(access)
    impact = looked.blocks.impact(access) if looked else None
    return show(
        request,
        "listings/import.html",
        SECTION,
        form=form,
        looked=looked,
        impact=impact,
        verdict=verdict_of(impact),
        scopes={0: "All", **names},
        formats=[(name, ABOUT.get(name, name)) for name in FORMATS],
        servers=list(present_servers(access).values()),
        lifetimes=LIFETIMES,
        limit=FILE_LIMIT >> 20,
        bytes=FILE_LIMIT,
    )


@account_view(Reading)
def give_out(request: PageRequest, access: Reading) -> HttpResponse:
    """What to export, and as what."""
    return _export_page(request, access, Form({"format": "csv", "action": "", "for": ""}))


def _export_page(request: PageRequest, access: Reading, form: Form) -> HttpResponse:
    servers = list(present_servers(access).values())
    wanted = wanted_of(request.GET, servers)
    try:
        count = search(access, wanted.q, wanted.filter(access)).count() if wanted.any else None
    except BadInput as refusal:
        form.refuse(refusal, otherwise="format")
        count = None
    return show(
        request,
        "listings/export.html",
        SECTION,
        form=form,
        wanted=wanted,
        count=count,
        formats=[(one.name, ABOUT.get(one.name, one.name)) for one in FORMATS.values()],
        servers=servers,
    )


@account_view(Reading)
def download(request: PageRequest, access: Reading) -> HttpResponse:
    """The file, streamed; refusals are shown on the page."""
    form = Form({name: request.GET.get(name, "") for name in ("format", "list", "on")})
    servers = list(present_servers(access).values())
    wanted = wanted_of(request.GET, servers)
    try:
        chosen = find_format(form.values["format"])
        among = search(access, wanted.q, wanted.filter(access)) if wanted.any else None
    except BadInput as refusal:
        form.refuse(refusal, otherwise="format")
        return _export_page(request, access, form)
    action = Action.ALLOW if form.values["list"] == Action.ALLOW else Action.BLOCK
    server = form.values["on"] if form.values["on"] in servers else None
    rows = export(access, chosen.name, server=server, action=action, among=among)
    return StreamingHttpResponse(  # type: ignore[return-value]  # a response, for all that matters
        pulled(lambda: _pieces(rows)),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{_name(chosen, wanted, server)}"'},
    )


def _name(chosen: Format, wanted: Wanted, server: str | None) -> str:
    """Names of servers hold nothing that a header could mistake."""
    ending = {"csv": "csv", "json": "json"}.get(chosen.name, "txt")
    return f"listings{f'-{server}' if server else ''}{'-some' if wanted.any else ''}.{ending}"


def _pieces(rows: Iterator[str]) -> Iterator[bytes]:
    """Lines gathered to pieces worth a step between threads."""
    gathered: list[str] = []
    size = 0
    for text in rows:
        gathered.append(text)
        size += len(text)
        if size >= CHUNK:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    yield "".join(gathered).encode()
