"""Sets of mail providers, resolved against a name server of the test's own."""

from collections.abc import Iterator

import dns.resolver
import pytest

from mailmum.control.accounts.access import Writing
from mailmum.control.feeds import spf
from mailmum.control.feeds.models import Feed
from mailmum.control.feeds.refreshing import refresh
from mailmum.control.feeds.services import add_feed
from mailmum.control.feeds.wishes import make_wish
from tests.support.nameserver import NameServer, name_server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """A name server that the service asks."""
    with name_server() as server:

        def resolver() -> dns.resolver.Resolver:
            made = dns.resolver.Resolver(configure=False)
            made.nameservers, made.port, made.lifetime = ["127.0.0.1"], server.port, 20.0
            return made

        monkeypatch.setattr(spf, "resolver", resolver)
        yield server


def provider(access: Writing, name: str, domain: str, use: str, server: str | None = None) -> Feed:
    """A set of an account, resolved once."""
    feed = add_feed(access, make_wish(name, domain, kind="spf", use=use, server=server))
    outcome = refresh(feed.pk)
    assert outcome is not None
    assert outcome.word == "current", outcome.told
    return feed
