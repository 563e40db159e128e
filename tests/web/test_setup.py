"""Setting a server up in the pages: lines for each way and resolver, and what asks by now."""

import time

import pytest

from mailmum.control import config
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import current_key, find_server
from mailmum.control.servers.services import add_server, rotate_key
from mailmum.control.traffic.models import LastSeen, ListUse, RevokedUse, ServerUse
from mailmum.traffic.codes import SOURCES
from mailmum.traffic.sightings import Source
from tests.support.world import World
from tests.web.conftest import Response, Visitors, text_of


@pytest.fixture
def mx1(world: World) -> Server:
    """A server that nobody has set up."""
    return add_server(world.admin, "mx1", ["192.0.2.25"])


def block(response: Response, ident: str) -> str:
    """The lines to copy under this id, without marks."""
    page: str = response.content.decode()
    part = page.partition(f'id="{ident}">')[2].partition("</pre>")[0]
    return part.replace("<mark>", "").replace("</mark>", "")


def test_each_way_has_its_lines(site: Visitors, world: World, mx1: Server) -> None:
    """DNS unless one asks; the key stands in them, for viewers too."""
    key = current_key(find_server(world.admin, "mx1"))
    dns = site.viewer.get("server", name="mx1")
    assert f"{key}.bl." in block(dns, "setup-lines")
    assert "check_policy_service" not in block(dns, "setup-lines")
    policy = site.viewer.get("server", name="mx1", query={"by": "policy"})
    assert f"policy_context={key}" in block(policy, "setup-lines")
    assert "smtpd_client_restrictions" in block(policy, "setup-lines")
    assert f"{key}.bl." not in block(policy, "setup-lines")
    assert "resolver-lines" not in policy.content.decode()
    both = site.viewer.get("server", name="mx1", query={"by": "both"})
    for part in (f"{key}.bl.", f"policy_context={key}", "$mailmum_policy, $mailmum_allow"):
        assert part in block(both, "setup-lines")
    assert "postconf -X mailmum_policy" in block(both, "setup-undo")
    assert site.viewer.get("server", name="mx1", query={"by": "<x>"}).status_code == 200


@pytest.mark.usefixtures("mx1")
def test_each_resolver_has_its_lines(site: Visitors) -> None:
    """One is shown, the first unless one asks; what there is not is the first as well."""
    shown = {
        number: block(site.admin.get("server", name="mx1", query={"resolver": number}), name)
        for name in ["resolver-lines"]
        for number in ("1", "2", "3", "4", "0", "x", "²")
    }
    assert "stub-zone:" in shown["1"]
    assert "server=/mailmum.internal/" in shown["2"]
    assert "forwarders" in shown["3"]
    assert shown["4"] == shown["0"] == shown["x"] == shown["²"] == shown["1"]


@pytest.mark.usefixtures("mx1")
def test_known_limits_are_told(site: Visitors) -> None:
    """Of DNS that answers are kept, of the policy service that postscreen cannot ask."""
    dns = text_of(site.admin.get("server", name="mx1"))
    assert "up to 100 sessions (max_use) or 100 s" in dns
    assert "every connection waits for the resolver" in dns
    assert "Only this machine reaches 127.0.0.1." in dns
    policy = text_of(site.admin.get("server", name="mx1", query={"by": "policy"}))
    assert "postscreen does not ask the policy service" in policy


def test_a_service_that_others_reach_gets_no_warning(
    site: Visitors, mx1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its addresses stand in the lines."""
    reached = config.current().model_copy(
        update={"dns": "192.0.2.53:53", "policy": "[2001:db8::53]:10053"}
    )
    monkeypatch.setattr(config, "current", lambda: reached)
    page = site.admin.get("server", name=mx1.name, query={"by": "both"})
    assert "Only this machine reaches" not in text_of(page)
    assert "inet:[2001:db8::53]:10053" in block(page, "setup-lines")
    assert "192.0.2.53@53" in block(page, "resolver-lines")


def test_the_first_lookup_is_told_with_its_list(site: Visitors, mx1: Server) -> None:
    """The part that waits asks again by itself until then, and links to the page without script."""
    waiting = site.admin.get("server", name="mx1", query={"by": "both"}).content.decode()
    lamp = waiting.partition('class="panel lamp"')[2]
    assert 'hx-trigger="every 3s"' in lamp
    assert "by=both" in lamp
    assert "Look again" in lamp
    now = int(time.time())
    ServerUse.objects.create(server=mx1.pk, queries=5, last=now)
    ListUse.objects.create(server=mx1.pk, list="wl", queries=3, last=now)
    ListUse.objects.create(server=mx1.pk, list="policy", queries=2, last=now)
    page = site.admin.get("server", name="mx1", query={"by": "dns"})
    assert "every 3s" not in page.content.decode().partition('class="panel lamp"')[2]
    text = text_of(page)
    assert "It asks" in text
    assert "wl 3 allowed addresses, just now" in text
    assert "policy the policy service 2 just now" in text
    assert "bl blocked addresses 0 \u2013" in text


def test_state_of_log_and_old_keys(site: Visitors, world: World, mx1: Server) -> None:
    """When the last line came and how late, and that a revoked key is still in use."""
    assert "none is sent or followed" in text_of(site.admin.get("server", name="mx1"))
    at = int(time.time() * 1000) - 90_000
    LastSeen.objects.create(
        server=mx1.pk, source=SOURCES[Source.LOG], account=mx1.account_id, time=at, kept=at + 2500
    )
    text = text_of(site.admin.get("server", name="mx1"))
    assert "log lag 2.5 s \u2013 1 min ago" in text
    rotate_key(world.admin, "mx1", keep=0)
    RevokedUse.objects.create(key=current_key(mx1), server=mx1.pk, queries=3, last=int(time.time()))
    assert "A revoked key is still in use." in text_of(site.admin.get("server", name="mx1"))
    listed = text_of(site.viewer.get("servers"))
    assert "old key in use" in listed
    assert "1 min ago 2.5 s" in listed
