"""Fixtures of the command line's tests."""

from collections.abc import Iterator
from pathlib import Path

import dns.resolver
import pytest

from mailmum.cli import doctor_dns
from tests.cli.names import Names, answering
from tests.cli.postconf import make_postfix
from tests.cli.service import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that answers as the test tells it."""
    with serving() as running:
        yield running


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """The resolver of this machine."""
    with answering() as names:
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], names.port
        monkeypatch.setattr(dns.resolver, "Resolver", lambda: made)
        monkeypatch.setattr(doctor_dns, "_CHROOT", Path("/nonexistent"))
        monkeypatch.setattr(doctor_dns, "_TIMEOUT", 0.5)
        yield names


@pytest.fixture
def postfix(tmp_path: Path) -> Path:
    """A Postfix configuration."""
    return make_postfix(tmp_path / "postfix")
