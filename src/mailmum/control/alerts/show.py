"""Alerts and channels as API and command line show them."""

from typing import Any

from mailmum.control import config
from mailmum.control.alerts.channels import state
from mailmum.control.alerts.models import Alert, Channel, Parcel
from mailmum.control.alerts.watches import title_of
from mailmum.control.journal.moments import instant, moment
from mailmum.domain.veil import veiled


def alert_as(alert: Alert) -> dict[str, Any]:
    """An alert."""
    base = f"{config.current().base_url}/a/{alert.account_id}/"
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "title": title_of(alert.kind),
        "about": alert.about,
        "severity": alert.severity,
        "text": alert.text,
        "since": moment(alert.since),
        "opened": moment(alert.opened),
        "closed": moment(alert.closed),
        "acknowledged": moment(alert.acknowledged),
        "acknowledged_by": alert.acknowledged_by or None,
        "url": base + (alert.link or "alerts/"),
    }


def channel_as(channel: Channel, last: Parcel | None, *, secret: bool = False) -> dict[str, Any]:
    """A channel; its whole URL, and what signs its webhooks, only for those who may change it."""
    error = None if last is None or last.sent else last.error or None
    told = state(channel)
    if not secret:
        told["target"], error = veiled(channel.target), error and veiled(error)
    return {
        **told,
        "created": instant(channel.created),
        "stopped": moment(channel.stopped),
        "last_tried": None if last is None else moment(last.ended or last.made),
        "last_error": error,
        "secret": channel.secret if secret and channel.kind == "webhook" else None,
    }
