"""What somebody wants to subscribe to, checked before it meets network or database."""

from dataclasses import dataclass

from mailmum.control.feeds.fetching import check_path
from mailmum.control.feeds.models import Kind, Use
from mailmum.daemons.outgoing import parse_url
from mailmum.domain.codes import parse_code
from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import parse_lifetime
from mailmum.domain.listings import Action
from mailmum.domain.names import parse_name
from mailmum.domain.texts import LABEL_LIMIT, REASON_LIMIT, clean_line
from mailmum.formats.feeds import find_reader

EVERY = "6h"
SHORTEST, LONGEST = 300, 30 * 86400
SHRINK, GROW = 50, 100


@dataclass(frozen=True, slots=True)
class FeedWish:
    """A subscription as asked for; the fields are those of `Feed`."""

    name: str
    kind: Kind
    source: str
    format: str
    action: Action
    use: Use
    server: str | None
    reason: str
    code: int | None
    every: int
    shrink: int
    grow: int


def make_wish(  # noqa: PLR0913 (one argument a field of the form)
    name: str,
    source: str,
    *,
    kind: str = "",
    format_: str = "",
    action: str = "block",
    use: str = "",
    server: str | None = None,
    reason: str = "",
    code: str | None = None,
    every: str = "",
    shrink: int | None = None,
    grow: int | None = None,
) -> FeedWish:
    """Check what came from outside.

    Raises:
        BadInput: one of them is wrong; `field` names it.
    """
    chosen = _kind(kind, source)
    return FeedWish(
        name=name_of(name),
        kind=chosen,
        source=_source(chosen, source),
        format=_format(format_),
        action=Action.ALLOW if chosen is Kind.SPF else _action(action),
        use=_use(use, chosen),
        server=server,
        reason=clean_line(reason, field="reason", limit=REASON_LIMIT),
        code=parse_code(code) if code and code.strip() else None,
        every=_every(every),
        shrink=_percent(SHRINK if shrink is None else shrink, 100, "shrink"),
        grow=_percent(GROW if grow is None else grow, 100_000, "grow"),
    )


def name_of(text: str) -> str:
    """A name for a feed.

    Raises:
        BadInput: it is none.
    """
    name = clean_line(text, field="name", limit=LABEL_LIMIT)
    if not name or "/" in name or not name.strip("."):
        raise BadInput(
            "a feed needs a name without a slash", fix="write for example drop", field="name"
        )
    return name


def _kind(kind: str, source: str) -> Kind:
    if not kind:
        return Kind.URL if "://" in source else Kind.FILE if source else Kind.UPLOAD
    try:
        return Kind(kind)
    except ValueError:
        words = ", ".join(Kind.values)
        raise BadInput(f"a feed comes as one of {words}", field="kind") from None


def _source(kind: Kind, source: str) -> str:
    if kind is Kind.URL:
        try:
            parse_url(source)
        except BadInput as refusal:
            refusal.field = "source"
            raise
        return source.strip()
    if kind is Kind.FILE:
        # As the command line and all that is told name it; the kind says it already.
        path = source.strip().removeprefix("file:")
        check_path(path)
        return path
    if kind is Kind.SPF:
        return parse_name(source, field="source")
    return ""


def _format(name: str) -> str:
    if name.strip():
        find_reader(name)
    return name.strip().lower()


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise BadInput(
            "a feed blocks or allows", fix="say block or allow", field="action"
        ) from None


def _use(text: str, kind: Kind) -> Use:
    # Of a provider nothing is allowed or listed unless somebody says so.
    try:
        use = Use(text or (Use.EXCEPT if kind is Kind.SPF else Use.LIST))
    except ValueError:
        words = ", ".join(Use.values)
        raise BadInput(f"a feed is for one of {words}", field="use") from None
    if use is not Use.LIST and kind is not Kind.SPF:
        raise BadInput(
            "only sets of providers can be for exceptions or warnings",
            fix="leave the use out",
            field="use",
        )
    return use


def _every(text: str) -> int:
    seconds = parse_lifetime(text or EVERY, field="every")
    if not SHORTEST <= seconds <= LONGEST:
        raise BadInput(
            "a feed is refreshed every 5 minutes at most, and every 30 days at least",
            fix="write for example 6h",
            field="every",
        )
    return seconds


def _percent(value: int, most: int, field: str) -> int:
    if not 0 <= value <= most:
        raise BadInput(f"it has to lie between 0 and {most} percent", field=field)
    return value
