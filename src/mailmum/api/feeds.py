"""Feeds over the API, and sets of mail providers, which are feeds of the kind `spf`."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading
from mailmum.control.feeds import queries, services
from mailmum.control.feeds.editing import edit_feed as edit
from mailmum.control.feeds.models import Kind
from mailmum.control.feeds.providers import PROPOSALS
from mailmum.control.feeds.reading import BYTES_LIMIT
from mailmum.control.feeds.refreshing import Outcome
from mailmum.control.feeds.wishes import FeedWish, make_wish
from mailmum.control.monitor import lists
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action

router = Router(tags=["feeds"])
providers_router = Router(tags=["feeds"])
_CHUNK = 256 * 1024
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


class FeedOut(Schema):
    """A feed."""

    id: int
    name: str
    kind: Literal["url", "file", "upload", "spf"]
    source: str = Field(description="URL, path below the account's folder of feeds, or domain")
    format: str = Field(description="empty: found out at each refresh")
    action: Action
    use: Literal["list", "except", "warn"]
    scope: str
    reason: str
    code: str | None
    every: str
    shrink: int
    grow: int
    state: Literal["ok", "waiting", "failing", "held", "paused", "idle"]
    entries: int
    kept_out: int = Field(description="further ones that cover the account's own servers")
    addresses: int = Field(description="IPv4 addresses covered")
    changed: str | None
    checked: str | None
    next: str | None
    failing: str | None = Field(description="since when")
    problem: str


class BadLineOut(Schema):
    """A line that could not be read."""

    line: int
    text: str
    problem: str


class FeedVersionOut(Schema):
    """A version of a feed."""

    id: int
    state: Literal["current", "past", "held", "dropped"]
    at: str
    change: int | None
    entries: int
    added: int
    removed: int
    held: str = Field(description="why it is held back, or was")
    format: str
    lines: int
    exceptions: int
    left_out: dict[str, int] = Field(description="entries that no feed may list, by reason")
    own_servers: list[str] = Field(description="entries that cover the account's own servers")
    missing: list[str] = Field(description="terms of an SPF record that allow more to some senders")
    undenied: list[str] = Field(description="terms of it that deny some of this to some senders")
    bad: int
    bad_lines: list[BadLineOut]
    sample_added: list[str]
    sample_removed: list[str]


class FeedWithVersions(FeedOut):
    """A feed with its versions, newest first."""

    versions: list[FeedVersionOut]


class Refreshed(FeedWithVersions):
    """A feed after a refresh, and what that came to."""

    outcome: Literal["current", "unchanged", "held", "failed"]
    told: str


class Feeds(Schema):
    """Feeds by name."""

    feeds: list[FeedOut]


class FeedIn(schemas.Input):
    """A new feed."""

    name: schemas.Short
    source: Annotated[str, Field(max_length=2000)] = ""
    kind: Annotated[str, Field(max_length=10)] = ""
    format: schemas.Short = ""
    action: Action = Action.BLOCK
    use: Annotated[str, Field(max_length=10)] = Field(
        "", description="of providers: except where nothing is said, or list (allow), or warn"
    )
    server: schemas.Short | None = None
    reason: schemas.Text = ""
    code: schemas.Short | None = None
    every: schemas.Short = ""
    shrink: Annotated[int, Field(ge=0, le=100)] | None = None
    grow: Annotated[int, Field(ge=0, le=100_000)] | None = None

    def wish(self) -> FeedWish:
        """The wish that it states.

        Raises:
            BadInput: it cannot be meant; to block a provider, too, where that was said.
        """
        blocks = self.action is Action.BLOCK and "action" in self.model_fields_set
        if self.kind == Kind.SPF and blocks:
            raise BadInput(
                "providers are never blocked", fix="leave the action out", field="action"
            )
        return make_wish(
            self.name,
            self.source,
            kind=self.kind,
            format_=self.format,
            action=self.action.value,
            use=self.use,
            server=self.server,
            reason=self.reason,
            code=self.code,
            every=self.every,
            shrink=self.shrink,
            grow=self.grow,
        )


class FeedChange(schemas.Input):
    """What is to be different of a feed; what is left out stays."""

    action: Action | None = None
    use: Annotated[str, Field(max_length=10)] | None = Field(
        None, description="of providers: list (allow), except or warn"
    )
    server: schemas.Short | None = Field(None, description="empty: all servers")
    reason: schemas.Text | None = None
    every: schemas.Short | None = None
    code: schemas.Short | None = Field(
        None, description="return code of the DNS answer; empty or null: the one of all feeds"
    )
    shrink: Annotated[int, Field(ge=0, le=100)] | None = None
    grow: Annotated[int, Field(ge=0, le=100_000)] | None = None


class HitOut(Schema):
    """A client that would have been hit; `kept`: an allow listing keeps it."""

    client: str
    accepted: int
    rejected: int
    kept: bool


class Impact(Schema):
    """Whom a list would have hit lately; unknown is null."""

    verdict: Literal["safe", "caution", "dangerous"]
    warnings: list[str]
    days: int
    since: str
    complete: bool = Field(description="false: there was too much, and `since` is later")
    contacts: int
    clients: int
    accepted: int | None = Field(description="messages; null when only lookups are known")
    rejected: int
    kept: int = Field(description="accepted messages of clients that an allow listing keeps")
    hits: list[HitOut] = Field(description="those with accepted mail first, then the worst")


class Preview(Schema):
    """What a feed would bring."""

    entries: int
    sample: list[str]
    format: str
    lines: int
    exceptions: int
    left_out: dict[str, int]
    own_servers: list[str] = Field(description="entries that cover the account's own servers")
    missing: list[str]
    undenied: list[str]
    bad: int
    bad_lines: list[BadLineOut]
    added: int | None = Field(description="entries that would come; null for a new feed")
    removed: int | None = Field(description="entries that would go; null for a new feed")
    sample_added: list[str]
    sample_removed: list[str]
    impact: Impact | None = Field(description="null for a list that does not block")


class ReleaseIn(schemas.Input):
    """Whether to put in force what is held back, or to drop it."""

    drop: bool = False


class Wanted(schemas.Input):
    """Which feeds."""

    kind: schemas.Short = ""


class UploadOf(schemas.Input):
    """What an upload was called, for finding out its format."""

    filename: schemas.Short = ""


class PreviewOf(UploadOf):
    """How a list that is handed in would be read, and where it would hold."""

    format: schemas.Short = ""
    action: Action = Action.BLOCK
    server: schemas.Short = ""


class Removed(Schema):
    """A feed that is no more."""

    removed: str


class Proposal(Schema):
    """A well-known provider."""

    name: str
    domain: str


class Proposals(Schema):
    """Well-known providers."""

    providers: list[Proposal]


@router.get("", response={200: Feeds, **READ_ERRORS})
def list_feeds(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """All feeds of the account, or those of one kind."""
    found = queries.list_feeds(reader(request))
    return {"feeds": [one for one in found if wanted.kind in ("", one["kind"])]}


@router.post("", response={201: FeedWithVersions, **WRITE_ERRORS})
def add_feed(request: HttpRequest, wanted: FeedIn) -> Any:
    """Subscribe; the first version comes within seconds, or with the first upload."""
    access = writer(request)
    made = services.add_feed(access, wanted.wish())
    return Status(201, queries.show_feed(access, made.name))


@router.post("/preview", response={200: Preview, **WRITE_ERRORS})
def preview(request: HttpRequest, wanted: FeedIn) -> dict[str, Any]:
    """Fetch a feed now; what it would bring and whom that would have hit. Nothing is kept."""
    access = writer(request)
    wish = wanted.wish()
    if wish.kind == Kind.UPLOAD:
        raise BadInput(
            "there is nothing to fetch for an upload",
            fix="give a source, or post the list to /feeds/preview/upload",
            field="source",
        )
    return lists.preview(access, wish)


@router.post("/preview/upload", response={200: Preview, **WRITE_ERRORS}, openapi_extra=_BODY)
def preview_upload(request: HttpRequest, wanted: Query[PreviewOf]) -> dict[str, Any]:
    """Tell the same of a list that is handed in as the body; nothing is kept."""
    access = writer(request)
    wish = make_wish(
        "list",
        "",
        kind=Kind.UPLOAD,
        format_=wanted.format,
        action=wanted.action.value,
        server=wanted.server or None,
    )
    return lists.preview(access, wish, _body(request), wanted.filename)


@router.get("/{feed}", response={200: FeedWithVersions, **READ_ERRORS})
def show_feed(request: HttpRequest, feed: str) -> dict[str, Any]:
    """One feed with its versions."""
    return queries.show_feed(reader(request), feed)


@router.patch("/{feed}", response={200: FeedWithVersions, **WRITE_ERRORS})
def edit_feed(request: HttpRequest, feed: str, wanted: FeedChange) -> dict[str, Any]:
    """Change how a feed is used; a change of its action empties it until it is refreshed."""
    access = writer(request)
    edit(access, feed, wanted.dict(exclude_unset=True))
    return queries.show_feed(access, feed)


@router.delete("/{feed}", response={200: Removed, **WRITE_ERRORS})
def remove_feed(request: HttpRequest, feed: str) -> dict[str, Any]:
    """Unsubscribe; its entries are gone at once."""
    services.remove_feed(writer(request), feed)
    return {"removed": feed}


@router.post("/{feed}/refresh", response={200: Refreshed, **WRITE_ERRORS})
def refresh_feed(request: HttpRequest, feed: str) -> dict[str, Any]:
    """Refresh a feed now."""
    access = writer(request)
    return _refreshed(access, feed, services.refresh_feed(access, feed))


@router.post("/{feed}/upload", response={200: Refreshed, **WRITE_ERRORS}, openapi_extra=_BODY)
def upload_feed(request: HttpRequest, feed: str, wanted: Query[UploadOf]) -> dict[str, Any]:
    """Renew a feed of uploads; the body is the list."""
    access = writer(request)
    outcome = services.upload_feed(access, feed, _body(request), wanted.filename)
    return _refreshed(access, feed, outcome)


@router.post("/{feed}/preview", response={200: Preview, **WRITE_ERRORS}, openapi_extra=_BODY)
def preview_renewal(request: HttpRequest, feed: str, wanted: Query[UploadOf]) -> dict[str, Any]:
    """Tell what an upload would change of a feed, and whom it would have hit; nothing is kept."""
    return lists.preview_renewal(writer(request), feed, _body(request), wanted.filename)


@router.post("/{feed}/release", response={200: FeedWithVersions, **WRITE_ERRORS})
def release(request: HttpRequest, feed: str, wanted: ReleaseIn) -> dict[str, Any]:
    """Put in force the update that is held back, or drop it."""
    access = writer(request)
    services.release(access, feed, drop=wanted.drop)
    return queries.show_feed(access, feed)


@router.post("/{feed}/pause", response={200: FeedWithVersions, **WRITE_ERRORS})
def pause(request: HttpRequest, feed: str) -> dict[str, Any]:
    """Let a feed rest: its entries hold no more, and it is not refreshed."""
    access = writer(request)
    services.pause(access, feed, paused=True)
    return queries.show_feed(access, feed)


@router.post("/{feed}/resume", response={200: FeedWithVersions, **WRITE_ERRORS})
def resume(request: HttpRequest, feed: str) -> dict[str, Any]:
    """Let a feed go on."""
    access = writer(request)
    services.pause(access, feed, paused=False)
    return queries.show_feed(access, feed)


@providers_router.get("", response={200: Proposals, **READ_ERRORS})
def list_proposals(request: HttpRequest) -> dict[str, Any]:
    """Well-known mail providers, with the domain whose SPF record names their networks."""
    reader(request)
    return {"providers": [{"name": name, "domain": domain} for name, domain in PROPOSALS]}


def _refreshed(access: Reading, feed: str, outcome: Outcome) -> dict[str, Any]:
    found = queries.show_feed(access, feed)
    return found | {"outcome": outcome.word, "told": outcome.told}


def _body(request: HttpRequest) -> bytes:
    pieces, size = [], 0
    while piece := request.read(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > BYTES_LIMIT:
            raise BadInput(f"a list has at most {BYTES_LIMIT // 1024**2} MB")
    return b"".join(pieces)
