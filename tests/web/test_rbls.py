"""Public RBLs in pages without script."""

import pytest

from mailmum.control.witnesses.models import Witness
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.control.witnesses.kit import CLEAN, GOOD, LISTED, WILD, lists
from tests.support.world import World
from tests.web.conftest import Visitors, text_of

__all__ = ["traffic"]


def test_choosing_lists(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one is to be believed is said at once; faults stand at the field."""
    assert "None. Who is asked learns" in text_of(site.viewer.get("rbls"))
    page = site.admin.post("rbl-add", {"zone": "nodot"})
    assert "is no list" in "".join(page.context["form"]["zone"].faults)
    with lists(monkeypatch):
        page = site.admin.post("rbl-add", {"zone": WILD})
        assert f"{WILD} is asked from now on: it lists everything" in text_of(page)
        assert "not believed" in text_of(site.viewer.get("rbls"))
        assert "it works" in text_of(site.admin.post("rbl-add", {"zone": GOOD}))
        assert "Looked at how the lists fare." in text_of(site.admin.post("rbl-health", {}))
    page = site.admin.post("rbl-remove", {"zone": WILD})
    assert f"{WILD} is asked no longer." in text_of(page)
    assert list(Witness.objects.values_list("zone", flat=True)) == [GOOD]
    assert "asks the public list good.example" in text_of(site.viewer.get("journal"))


def test_what_they_say_of_a_client(
    site: Visitors, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of the client's page, which asks by itself; without script a page of its own."""
    account = world.owner.account
    assert "Ask them" not in text_of(site.viewer.get("client", query={"q": LISTED}))
    for zone in (GOOD, WILD):
        Witness.objects.create(account=account, zone=zone, created=account.created)
    page = site.viewer.get("client", query={"q": LISTED})
    assert "2 lists are asked" in text_of(page)
    assert 'hx-trigger="load"' in page.content.decode()
    assert "Ask them" not in text_of(site.viewer.get("client", query={"q": "203.0.113.0/24"}))
    assert "Ask them" not in text_of(site.viewer.get("client", query={"q": "a.example"}))
    with lists(monkeypatch) as running:
        part = site.viewer.fragment("client-rbls", {"client": LISTED})
        assert "<html" not in part.content.decode()
        assert f"{GOOD} lists it , 127.0.0.2" in text_of(part).replace("it,", "it ,")
        assert f"{WILD} is not known" in text_of(part)
        whole = site.viewer.get("client-rbls", query={"client": CLEAN})
        assert f"{GOOD} does not list it" in text_of(whole)
        count = len(running.resolver.asked)
        assert "know nothing of 10.0.0.1" in text_of(
            site.viewer.get("client-rbls", query={"client": "10.0.0.1"})
        )
        bad = site.viewer.get("client-rbls", query={"client": "<img src=x>"})
        assert "<img" not in bad.content.decode()
        assert len(running.resolver.asked) == count


def test_what_each_caught(site: Visitors, traffic: Traffic) -> None:
    """With who was stopped and delivers all the same."""
    traffic.log(
        *traffic.pool(),
        traffic.seen("198.51.100.201", Outcome.REJECTED, rbl="zen.rbl.example"),
        *traffic.mail("198.51.100.201", 7, "good.example"),
    )
    traffic.foreign(*traffic.pool())
    page = site.admin.get("rbls-caught")
    text = text_of(page)
    assert "zen.rbl.example 81 17 17 1 7" in text
    assert "198.51.100.201 was stopped 1 time; accepted of it: 7 messages" in text
    assert STRANGE not in page.content.decode()
    part = site.admin.fragment("rbls-caught", {})
    assert "zen.rbl.example 81 17 17 1 7" in text_of(part)
    assert "<html" not in part.content.decode()
    page = site.admin.get("rbls")
    assert "Your mail servers use these" in text_of(page)
    assert STRANGE not in page.content.decode()
    assert "Your mail servers use these" not in text_of(site.viewer.get("rbls"))
