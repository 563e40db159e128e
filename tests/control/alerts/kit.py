"""Conditions that hold or not as a test says, and what has come of them."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mailmum.control import config
from mailmum.control.accounts.access import Writing
from mailmum.control.alerts.channels import Wish, add_channel
from mailmum.control.alerts.comparing import compare, manner_of
from mailmum.control.alerts.conditions import Condition, Severity
from mailmum.control.alerts.models import Channel, Manner
from mailmum.control.alerts.watches import Watch

NOW = 1_795_777_380.0
"""Friday, 27 November 2026, 11:03 UTC: our own clock in these tests."""
KIND = "spike"


def holds(about: str = "mx1/auth", **other: Any) -> Condition:
    """Something that holds."""
    made = Condition(
        about, "412 failed logins at the server mx1", Severity.WARNING, NOW - 600, "server/mx1/"
    )
    return dataclasses.replace(made, **other)


def compared(access: Writing, *held: Condition, now: float = NOW, kind: str = KIND) -> Any:
    """Compare with what holds of one kind."""
    return compare(access.account, manner_of(access.account), {kind: held}, now=now)


def mailed(access: Writing, name: str = "on call", **other: Any) -> Channel:
    """A channel by mail, made long ago."""
    wish = Wish(name, "email", "owner@example.net")
    return _old(add_channel(access, dataclasses.replace(wish, **other)))


def called(access: Writing, url: str, name: str = "hook", **other: Any) -> Channel:
    """A channel by webhook."""
    return _old(add_channel(access, dataclasses.replace(Wish(name, "webhook", url), **other)))


def habits(access: Writing, **values: Any) -> Manner:
    """Set how the account is told."""
    manner = manner_of(access.account)
    for name, value in values.items():
        setattr(manner, name, value)
    manner.save()
    return manner


def asking(kind: str, *held: Condition) -> Watch:
    """A watch that finds just these."""
    return Watch(kind, kind, lambda _reading, _manner, _now: held)


@contextmanager
def parameters(monkeypatch: pytest.MonkeyPatch, **values: Any) -> Iterator[None]:
    """Other parameters of the installation."""
    changed = config.current().model_copy(update=values)
    with monkeypatch.context() as patch:
        patch.setattr(config, "current", lambda: changed)
        yield


def _old(channel: Channel) -> Channel:
    channel.created = channel.created.fromtimestamp(NOW - 30 * 86_400, channel.created.tzinfo)
    channel.save(update_fields=["created"])
    return channel
