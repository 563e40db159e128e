"""What goes in and out.  Input takes no unknown fields: a misspelt one is an error."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from mailmum.domain.listings import Action

Text = Annotated[str, StringConstraints(max_length=4000)]


def without_control(text: str) -> str:
    """The text, if it can be shown."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("must not have control characters")
    return text


Short = Annotated[str, StringConstraints(max_length=300), AfterValidator(without_control)]


class Input(Schema):
    """Base of all input."""

    model_config = ConfigDict(extra="forbid")


class OfServer(Input):
    """Only what is about one server, when it is named."""

    server: Short = ""


class Zones(Schema):
    """Full names of a server's four zones."""

    bl: str
    wl: str
    dbl: str
    dwl: str


class PauseOut(Schema):
    """A pause: of `account` or of the server of that name; without an end it is to be resumed."""

    scope: str
    until: str | None


class Pauses(Schema):
    """All pauses in force."""

    pauses: list[PauseOut]


class PauseIn(Input):
    """For how long nothing is blocked; without it until somebody resumes."""

    lifetime: Short | None = Field(default=None, alias="for")


class Paused(Schema):
    """What there is now, and the change that made it so, null when it was so already."""

    change: int | None
    paused: PauseOut | None


class OldKey(Schema):
    """A key that has been rotated out."""

    key: str
    until: str
    revoked: bool


class Barred(Schema):
    """Lookups about a server from where it may not be asked."""

    queries: int
    sender: str = Field(description="who sent the last of them")
    last: str


class OwnAnswers(Schema):
    """What differs from the account; null and empty: as the account says."""

    ttl: int | None
    code: str | None
    text: str


class ServerOut(Schema):
    """A mail server."""

    name: str
    key: str
    zones: Zones
    ref: str
    addresses: list[str]
    askers: list[str] = Field(description="networks that may ask over DNS; none: anyone")
    barred: Barred | None = Field(description="lookups refused because of where they came from")
    ttl: int
    own: OwnAnswers = Field(description="what it answers with where it differs from the account")
    paused: PauseOut | None = Field(description="the pause it is under, its own or the account's")
    created: str
    last_query: str | None
    last_logged: str | None = Field(description="time of the latest contact in its log")
    old_keys: list[OldKey]


class Servers(Schema):
    """The servers of the account."""

    servers: list[ServerOut]


class ServerIn(Input):
    """A new server."""

    name: Short
    addresses: Annotated[list[Short], Field(max_length=200, default_factory=list)]
    askers: Annotated[list[Short], Field(max_length=200, default_factory=list)]


class OwnAnswersIn(Input):
    """All three at once; null and empty: as the account says."""

    ttl: int | None = None
    code: Short | None = None
    text: Annotated[str, Field(max_length=1000)] = ""


class ServerEdit(Input):
    """What to change; a field left out stays."""

    name: Short | None = None
    own: OwnAnswersIn | None = None
    addresses: Annotated[list[Short], Field(max_length=200)] | None = None
    askers: Annotated[list[Short], Field(max_length=200)] | None = None


class RotateIn(Input):
    """How long the present key lives on: such as `7d`, `0s` for not at all, null: the default."""

    keep: Short | None = None


class ServerRemoved(Schema):
    """What went with a server."""

    removed: str
    listings: int
    change: int


class ListingOut(Schema):
    """A listing."""

    id: int
    action: str
    target: str
    kind: str
    scope: str
    source: str
    origin: str
    reason: str
    note: str
    code: str | None
    expires: str | None
    enabled: bool
    created: str
    created_by: str
    changed: str


class Listings(Schema):
    """A page of listings, newest first; `next` is the cursor of the following page."""

    listings: list[ListingOut]
    next: str | None
    total: int


class ListingsIn(Input):
    """Targets to list in one change, all or nothing; fields left out keep their value."""

    targets: Annotated[list[Text], Field(min_length=1, max_length=10_000)]
    action: Action
    server: Short | None = None
    lifetime: Short | None = Field(default=None, alias="for")
    expires: datetime | None = None
    reason: Text | None = None
    note: Text | None = None
    code: Short | None = None
    force: bool = False
    dry_run: bool = False


class ListingEdit(Input):
    """What to change of a listing; a field left out stays."""

    action: Action | None = None
    lifetime: Short | None = Field(default=None, alias="for")
    expires: datetime | None = None
    reason: Text | None = None
    note: Text | None = None
    code: Short | None = None
    enabled: bool | None = None
    force: bool = False


class OutcomeOut(Schema):
    """What became of one target."""

    listing: ListingOut
    outcome: str
    was: ListingOut | None


class Listed(Schema):
    """What a change came to; `change` is null when nothing changed."""

    change: int | None
    listings: list[OutcomeOut]


class Edited(Schema):
    """A listing after and before an edit."""

    change: int | None
    listing: ListingOut
    was: ListingOut | None


class UnlistIn(Input):
    """Targets to remove in one change."""

    targets: Annotated[list[Text], Field(min_length=1, max_length=10_000)]
    server: Short | None = None


class Unlisted(Schema):
    """What was removed, and what was not listed in the first place."""

    change: int | None
    removed: list[ListingOut]
    not_listed: list[str]


class VerdictOut(Schema):
    """A verdict with the listing that decided and those it overruled."""

    server: str
    verdict: str
    because: ListingOut | None
    overruled: list[ListingOut]
    paused: PauseOut | None = Field(description="without it the first overruled would block")


class SightingOut(Schema):
    """A contact that was seen; unknown is null."""

    id: int
    server: str
    source: str
    count: int
    time: str
    host: str
    service: str
    client: str | None
    client_name: str | None
    helo: str | None
    sender: str | None
    recipient: str | None
    outcome: str
    code: int | None
    rbl: str | None
    queue_id: str | None
    delivery: str | None
    score: float | None
    reason: str | None
    named: list[str] = Field(
        description="all lists that named the client, where the mail server told of each"
    )
    spam: bool | None = Field(description="what the spam filter takes it for")


class ExplainOut(Schema):
    """The verdict at one server, or for the account with one for each server."""

    client: str
    server: str | None
    verdict: str
    because: ListingOut | None
    overruled: list[ListingOut]
    paused: PauseOut | None = Field(description="without it the first overruled would block")
    servers: list[VerdictOut]
    sightings: list[SightingOut]
    evidence: list[dict[str, Any]] = Field(
        description="why triggers made those of these listings that are theirs"
    )


class RecordOut(Schema):
    """A change in the journal."""

    seq: int
    when: str
    actor: str
    via: str
    what: str
    server: str | None
    summary: str
    count: int
    before: Any
    after: Any
    undoable: bool
    undone_by: int | None


class WholeRecord(RecordOut):
    """A change in the journal, with why triggers made listings in it."""

    evidence: list[dict[str, Any]] = Field(
        description="what triggers had counted, as in `explain`; empty for other changes"
    )


class Journal(Schema):
    """A page of the journal, newest first."""

    records: list[RecordOut]
    next: int | None


class Undone(Schema):
    """An undo is a change itself."""

    change: int
    summary: str


class TokenIn(Input):
    """A new token."""

    name: Short
    scopes: Annotated[
        list[Annotated[str, StringConstraints(pattern="^(read|write|ship)$")]], Field(min_length=1)
    ]
    server: Short = Field(default="", description="whose logs a token of scope ship hands in")
    lifetime: Short | None = Field(default="90d", alias="for")


class TokenOut(Schema):
    """A token, without its secret."""

    id: int
    name: str
    person: str
    scopes: list[str]
    server: str | None = Field(description="whose logs it hands in")
    created: str
    expires: str | None
    last_used: str | None


class Tokens(Schema):
    """Tokens one may see."""

    tokens: list[TokenOut]


class TokenMade(TokenOut):
    """A token just made; the secret is shown this once."""

    token: str


class Stands(Schema):
    """Where a log stands that is handed in; null when nothing of it was ever kept."""

    position: str | None


class Handed(Stands):
    """What became of lines that were handed in."""

    kept: bool
    lines: int
    unrecognised: int = Field(description="of mail programs, but not understood")
    sightings: int


class Me(Schema):
    """Who the token speaks for, and where the service is."""

    account: dict[str, Any]
    person: str
    role: str
    token: dict[str, Any]
    version: str
    zone: str
    dns: list[str]
    policy: str
    public_url: str
    traffic_away: bool = Field(
        description="the database of traffic is: triggers list nobody, what is seen waits in memory"
    )


class Check(Schema):
    """One finding of the doctor."""

    name: str
    state: str
    message: str
    fix: str


class Checks(Schema):
    """All findings."""

    checks: list[Check]


class OwnHits(Schema):
    """How often the account's own listings stopped somebody, by what was listed."""

    address: int
    network: int
    host: int
    domain: int


class PublicHits(Schema):
    """How often a public list did, as mail servers' logs tell."""

    list: str
    hits: int


class Hits(Schema):
    """Numbers since the beginning, which only grow."""

    own: OwnHits
    public: list[PublicHits]
