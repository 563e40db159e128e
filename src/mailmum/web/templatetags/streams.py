"""Moments of sightings, which are Unix times with a fraction."""

from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mailmum.control.monitor.client import Known
from mailmum.web import words
from mailmum.web.templatetags.pages import day_ago, moment

register = template.Library()


@register.simple_tag
def clock(at: float) -> SafeString:
    """The time of day to the second, in the reader's zone; of another day the day.

    The exact moment is the title.
    """
    instant = datetime.fromtimestamp(at, UTC)
    local, now = timezone.localtime(instant), timezone.localtime(timezone.now())
    today = local.date() == now.date()
    return format_html(
        '<time datetime="{}" title="{} {}">{}</time>',
        f"{instant:%Y-%m-%dT%H:%M:%SZ}",
        f"{local:%Y-%m-%d %H:%M:%S}",
        timezone.get_current_timezone_name(),
        f"{local:%H:%M:%S}" if today else words.date(local, now),
    )


@register.simple_tag
def when(at: float) -> SafeString:
    """A moment as people say it."""
    return moment(int(at))


@register.simple_tag
def known(found: Known) -> SafeString:
    """When something was: the moment where that is known, else the day."""
    return day_ago(found.day) if found.at is None else moment(int(found.at))
