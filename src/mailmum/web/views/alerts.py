"""Alerts: what is out of the ordinary now and was before, and the report of the week."""

from django.http import HttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.alerts import channels, queries
from mailmum.control.alerts.ahead import ahead
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Alert
from mailmum.control.alerts.report import DAYS, report
from mailmum.control.alerts.watches import title_of
from mailmum.web import plots
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.paging import before_of, page_of
from mailmum.web.reply import path, show, tell, to

SECTION = "alerts"
SHOWN = 200
_LOOKS = {
    Severity.NOTICE.value: ("info", ""),
    Severity.WARNING.value: ("warn", "o-warn"),
    Severity.CRITICAL.value: ("warn", "o-own"),
}


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """What holds now, with what the worker is about to find."""
    now = ahead(access)
    found = [*now.coming, *queries.open_alerts(access)[:SHOWN]]
    found.sort(key=lambda one: (one.acknowledged is not None, -Severity(one.severity).rank))
    told = queries.channels_of(access).filter(stopped=None).exists()
    rows = [_row(access, one, over=one.pk in now.over) for one in found]
    return show(request, "alerts/list.html", SECTION, tab="open", rows=rows, told=told)


@account_view(Reading)
def past(request: PageRequest, access: Reading) -> HttpResponse:
    """What is over, the latest first."""
    page = page_of(queries.past_alerts(access), "pk", before_of(request))
    return show(
        request,
        "alerts/past.html",
        SECTION,
        tab="past",
        page=page,
        rows=[_row(access, one) for one in page.rows],
        first_query="",
        next_query=f"before={page.next}" if page.next else "",
    )


@account_view(Writing, "POST")
def acknowledge(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Note that somebody has seen an alert."""
    channels.acknowledge(access, number)
    tell(request, "Noted. The alert stays here for as long as it holds.")
    return to(access, "alerts")


@account_view(Reading)
def weekly(request: PageRequest, access: Reading) -> HttpResponse:
    """The report of the last days, as it is sent."""
    made = report(access, days=DAYS)
    sections = [
        {
            "section": one,
            "columns": list(zip(one.columns, one.numbers, strict=True)),
            "rows": [
                (
                    list(zip(row, one.numbers, strict=True)),
                    plots.share_bar(share, row[0]) if one.shares else "",
                )
                for row, share in zip(one.rows, one.shares or (0.0,) * len(one.rows), strict=True)
            ],
        }
        for one in made.sections
    ]
    return show(
        request, "alerts/report.html", SECTION, tab="report", report=made, sections=sections
    )


def _row(access: Reading, alert: Alert, *, over: bool = False) -> dict[str, object]:
    icon, css = _LOOKS[alert.severity]
    link = f"{path(access, 'account')}{alert.link}" if alert.link else ""
    return {
        "alert": alert,
        "title": title_of(alert.kind),
        "icon": icon,
        "css": css,
        "link": link,
        "over": over,
    }
