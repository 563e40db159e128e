"""Small parts that recur in every page: icons, moments, long values cut in the middle.

Each makes its markup with `format_html`, so that what people or strangers wrote stays text.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from mailmum.domain.words import plural, span, took
from mailmum.web import words

register = template.Library()

_MID_SLACK = 6
_DAYS_AGO = 30
# Two of them stay together.
_COLON = re.compile(":(?!:)")
# With three colons: the time of day has two.
_IPV6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,8}")
_LONG_WORD = 30
_DOTTED = re.compile(r"[^.]*\.?")
_DAY, _INSTANT = timedelta(days=1), timedelta(microseconds=1)


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, css: str = "i") -> SafeString:
    """A picture from icons.svg; words beside it say the same, so readers skip it."""
    return format_html(
        '<svg class="{}" viewBox="0 0 16 16" aria-hidden="true"><use href="{}#{}"/></svg>',
        css,
        static("mailmum/icons.svg"),
        name,
    )


@register.simple_tag
def mid(text: str, tail: int = 12, css: str = "mono") -> SafeString:
    """A long value, cut in the middle where there is no room; the whole of it as title."""
    if len(text) <= tail + _MID_SLACK:
        return format_html('<span class="{}">{}</span>', css, text)
    return format_html(
        '<span class="mid {}" title="{}" data-full="{}"><span>{}</span><span>{}</span></span>',
        css,
        text,
        text,
        text[:-tail],
        text[-tail:],
    )


@register.filter
def at_colons(address: str) -> SafeString:
    """An IPv6 address whole; without room it goes on in the next line, after a colon."""
    groups = ((group,) for group in _COLON.split(address))
    return format_html_join(SafeString(":<wbr>"), "{}", groups)


@register.filter
def at_dots(name: str) -> SafeString:
    """A host name whole; without room it goes on in the next line, after a dot."""
    return format_html_join(SafeString(".<wbr>"), "{}", ((label,) for label in name.split(".")))


@register.filter
def foldable(text: str) -> SafeString:
    """A text in which IPv6 addresses break after colons only, where there is little room."""
    parts, at = [], 0
    for found in _IPV6.finditer(text):
        parts += [text[at : found.start()], at_colons(found[0])]
        at = found.end()
    return format_html_join("", "{}", ((part,) for part in (*parts, text[at:])))


@register.simple_tag
def moment(at: datetime | float | None) -> SafeString:
    """A moment as people say it, with the exact one as title, in the reader's zone."""
    if at is None:
        return format_html("{}", "\u2013")
    instant = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    now = timezone.now()
    seconds = (now - instant).total_seconds()
    if abs(seconds) > words.RELATIVE_UP_TO:
        text = words.date(timezone.localtime(instant), timezone.localtime(now))
    else:
        text = words.ago(seconds) if seconds >= 0 else words.in_future(-seconds)
    return _time(instant, text)


@register.simple_tag
def moment_or_hour(at: datetime, exact: bool) -> SafeString:
    """A moment, or where only its hour is known that hour."""
    if exact:
        return moment(at)
    return format_html("in the hour from {}", day_and_time(at.timestamp()))


@register.simple_tag
def day_ago(start: int) -> SafeString:
    """A day (UTC) that begins at a moment, as people say it; roll-ups know no more of it.

    Where the reader's clock cuts it in two, neither of them is said: its date is.
    """
    began, now = datetime.fromtimestamp(start, UTC), timezone.now()
    ended = min(began + _DAY, max(now, began)) - _INSTANT
    here, today = timezone.localtime(began).date(), timezone.localtime(now)
    days = (today.date() - here).days
    if here != timezone.localtime(ended).date():
        text = f"{words.date(began, today)} UTC"
    else:
        text = {0: "today", 1: "yesterday"}.get(days) or (
            f"{days} days ago" if 0 < days < _DAYS_AGO else words.date(began, today)
        )
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>', f"{began:%F}", f"{began:%F}", text
    )


@register.simple_tag
def clock_and_day(at: float) -> SafeString:
    """A moment to the second, in the reader's zone; the day only where it is another."""
    instant = datetime.fromtimestamp(at, UTC)
    local, now = timezone.localtime(instant), timezone.localtime()
    day = "" if local.date() == now.date() else words.date(local, now)
    return _time(
        instant,
        format_html("{}{}", f"{local:%H:%M:%S}", day and format_html(" <small>{}</small>", day)),
    )


@register.simple_tag
def day_and_time(at: float) -> SafeString:
    """A moment to the minute, in the reader's zone."""
    instant = datetime.fromtimestamp(at, UTC)
    return _time(instant, words.day_and_time(timezone.localtime(instant)))


@register.filter
def field_time(at: float) -> str:
    """A moment as a field for date and time takes it, in the reader's zone."""
    return f"{timezone.localtime(datetime.fromtimestamp(at, UTC)):%Y-%m-%dT%H:%M}"


@register.simple_tag
def exact(at: datetime | int) -> SafeString:
    """A moment to the second, in the reader's zone."""
    instant = datetime.fromtimestamp(at, UTC) if isinstance(at, int) else at
    return _time(instant, f"{timezone.localtime(instant):%Y-%m-%d %H:%M:%S}")


@register.simple_tag
def said(value: datetime | str) -> str:
    """A value of a journal record."""
    return exact(value) if isinstance(value, datetime) else foldable(value)


@register.filter
def number(value: int) -> str:
    """A number with its thousands set apart."""
    return f"{value:,}"


@register.simple_tag
def counted(value: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return plural(value, one, many)


@register.filter
def lifetime(seconds: int) -> str:
    """A length of time."""
    return span(seconds)


register.filter("took", took)


@register.simple_tag
def lag(seconds: float) -> str:
    """How far something is behind.

    >>> lag(0.25), lag(59.6), lag(7300)
    ('0.2 s', '60 s', '2 h')
    """
    return f"{seconds:.1f} s" if seconds < 10 else words.rough(seconds)


@register.filter
def marked(text: str, key: str) -> SafeString:
    """A text with every zone key in it marked."""
    return format_html_join(
        format_html("<mark>{}</mark>", key), "{}", ((part,) for part in text.split(key))
    )


@register.filter
def coded(text: str) -> SafeString:
    """A text in which what stands between backticks is typed somewhere.

    >>> coded("then `reload`, <once>")
    'then <code><span class="w">reload</span></code>, &lt;once&gt;'
    """
    parts = enumerate(text.split("`"))
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", command(one)) if at % 2 else one,) for at, one in parts),
    )


@register.filter
def command(text: str) -> SafeString:
    """What is typed somewhere: lines break between its words, and not at a hyphen in one.

    Of a word that no line may have room for, a long name, they break after a dot.

    >>> command("ship --server mx1")
    '<span class="w">ship</span> <span class="w">--server</span> <span class="w">mx1</span>'
    """
    return format_html_join(" ", '<span class="w">{}</span>', ((_word(w),) for w in text.split()))


def _word(word: str) -> SafeString | str:
    if len(word) <= _LONG_WORD:
        return word
    return format_html_join(
        "", '<span class="w">{}</span>', ((w,) for w in _DOTTED.findall(word) if w)
    )


@register.filter
def undo_of(tags: str | None) -> dict[str, str] | None:
    """The account and the change that a message offers to undo."""
    for tag in (tags or "").split():
        kind, _, rest = tag.partition(":")
        account, _, seq = rest.partition(":")
        if kind == "undo" and account and seq:
            return {"account": account, "seq": seq}
    return None


class _Twice(template.Node):
    """What stands in a page twice."""

    def __init__(self, name: str, nodes: template.NodeList) -> None:
        self.name, self.nodes = name, nodes

    def render(self, context: template.Context) -> str:
        """Make it where it comes first in the page, and show the same where it comes again."""
        # The lowest of these is the page's, whatever templates it is made of.
        made, key = context.render_context.dicts[0], f"twice {self.name}"
        if key not in made:
            made[key] = self.nodes.render(context)
        return made[key]


@register.tag
def twice(parser: template.base.Parser, token: template.base.Token) -> _Twice:
    """`{% twice links %}...{% endtwice %}`: nothing in it may depend on where it stands."""
    _, name = token.split_contents()
    nodes = parser.parse(("endtwice",))
    parser.delete_first_token()
    return _Twice(name, nodes)


def _time(instant: datetime, text: str) -> SafeString:
    local = timezone.localtime(instant)
    return format_html(
        '<time datetime="{}" title="{} {}">{}</time>',
        f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        f"{local:%Y-%m-%d %H:%M:%S}",
        timezone.get_current_timezone_name(),
        text,
    )
