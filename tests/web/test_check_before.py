"""Check before you list: whom a block would hit, better ways, and the second step."""

import pytest
from django.db import connection, transaction

from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from mailmum.web.preview import TARGETS_SHOWN
from tests.control.alerts.kit import parameters
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.support.nameserver import name_server
from tests.web.conftest import Response, Visitors, text_of
from tests.web.test_listing_forms import form

__all__ = ["traffic"]

NET, POOL = "198.51.100.0/24", "198.51.100.64/27"


@pytest.fixture
def busy(traffic: Traffic) -> Traffic:
    """A pool that abuses, and beside it three clients that deliver."""
    traffic.log(*traffic.pool())
    for last, count in ((201, 12), (130, 9), (140, 4)):
        traffic.log(*traffic.mail(f"198.51.100.{last}", count, f"out{last}.shop.example"))
    return traffic


def checked(site: Visitors, targets: str, **more: str) -> Response:
    """The check as it comes while one types."""
    return site.admin.post("listing-check", form(targets, **more))


def listed(traffic: Traffic) -> dict[str, str]:
    """What is listed, with what is done to it."""
    return {one.target: one.action for one in current(traffic.world.admin)}


def way(response: Response, number: int = 0) -> str:
    """What the button of a better way sends."""
    (item,) = response.context["check"].items
    value: str = item.impact.ways[number].value
    return value


def test_a_few_lookups_make_no_headline(site: Visitors, busy: Traffic) -> None:
    """What is known of nearly all stands first; of the few it is said below that no more is."""
    busy.asked("198.51.100.95", Outcome.UNLISTED)
    text = text_of(checked(site, POOL))
    headline = "81 contacts in 30 days, no mail accepted that would be lost."
    rest = "Of 1 contact only the lookup is known: whether mail was accepted is not."
    assert "Look twice" in text
    assert 0 < text.index(headline) < text.index(rest)
    busy.asked("198.51.100.95", Outcome.UNLISTED, 9)
    assert headline[2:] not in text_of(checked(site, POOL))


def test_a_dangerous_one(site: Visitors, busy: Traffic) -> None:
    """Clients with accepted mail come first, then what would be better, then the second step."""
    response = checked(site, NET)
    text = text_of(response)
    (item,) = response.context["check"].items
    assert [row.hit.client for row in item.impact.lost] == [
        "198.51.100.201",
        "198.51.100.130",
        "198.51.100.140",
    ]
    assert [row.hit.accepted for row in item.impact.lost] == [12, 9, 4]
    assert "Would stop mail you want" in text
    assert "3 clients delivered 25 accepted messages in 30 days" in text
    assert "Turned away 80 Accepted 25 Kept by your allows 0" in text
    assert "turned away as pool.example" in text
    assert f"Block only {POOL}" in text
    assert "Stops 80 of the 80 contacts that were turned away" in text
    order = [
        text.index(words)
        for words in ("Senders you would lose", "Better ways", "Whom")
        if words in text
    ]
    assert order == sorted(order)
    assert f"Type to confirm: {NET}" in text
    assert "Block and lose 3 senders" in text


def test_a_look_without_script(site: Visitors, busy: Traffic) -> None:
    """A button shows whom a listing would hit, and keeps what was typed; nothing is listed yet."""
    page = site.admin.post("listing-add", form(NET, do="check", reason="Mine to see"))
    assert "3 clients delivered 25 accepted messages in 30 days" in text_of(page)
    assert "Mine to see" in page.content.decode()
    assert listed(busy) == {}


@pytest.mark.parametrize("sure", ["", "198.51.100.0/25", "yes"])
def test_the_second_step_is_the_servers(site: Visitors, busy: Traffic, sure: str) -> None:
    """Without the target typed nothing is listed, whatever else a form sends."""
    response = site.admin.post("listing-add", form(NET, confirmed="1", sure=sure, reason="kept"))
    assert not listed(busy)
    assert f"type {NET} to block it all the same" in "".join(
        response.context["form"]["sure"].faults
    )
    assert 'value="kept"' in response.content.decode()


@pytest.mark.parametrize("sure", [NET, f" {NET} "])
def test_the_target_typed(site: Visitors, busy: Traffic, sure: str) -> None:
    """Then it is listed."""
    site.admin.post("listing-add", form(NET, sure=sure))
    assert listed(busy) == {NET: "block"}


def test_what_became_dangerous_meanwhile(site: Visitors, traffic: Traffic) -> None:
    """The check is made again when the form is sent."""
    assert "Type to confirm" not in text_of(checked(site, NET))
    traffic.log(*traffic.mail("198.51.100.201", 12, "out.shop.example"))
    assert "Type to confirm" in text_of(site.admin.post("listing-add", form(NET)))
    assert not listed(traffic)


def test_a_safe_one(site: Visitors, busy: Traffic) -> None:
    """It is said, and one step is enough."""
    text = text_of(checked(site, POOL))
    assert "Safe" in text
    assert "80 contacts in 30 days, no mail accepted that would be lost." in text
    site.admin.post("listing-add", form(POOL))
    assert listed(busy) == {POOL: "block"}


def test_unknown_is_not_safe(site: Visitors, traffic: Traffic) -> None:
    """Without a log nobody knows whether mail was accepted."""
    text = text_of(checked(site, POOL))
    assert "Look twice" in text
    assert "Nothing was seen in 30 days, so nothing is known of its mail." in text


def test_a_narrower_block_fills_the_form(site: Visitors, busy: Traffic) -> None:
    """In one click, without script; what was typed elsewhere stays, and nothing is listed yet."""
    given = form(NET, reason="Dial-up", note="ticket 7", server="mx1", sure=NET)
    response = site.admin.post("listing-add", given | {"way": way(checked(site, NET))})
    page = response.content.decode()
    assert f">\n{POOL}</textarea>" in page
    for kept in ('value="Dial-up"', "ticket 7</textarea>", 'value="mx1" selected'):
        assert kept in page
    assert NET not in page.partition("<main")[2]
    assert not listed(busy)


def test_exceptions_first(site: Visitors, busy: Traffic) -> None:
    """The form allows the senders, then comes again with the block, which is then safe."""
    filled = site.admin.post("listing-add", form(NET) | {"way": way(checked(site, NET), 1)})
    values = filled.context["form"].values
    assert (values["action"], values["then"]) == ("allow", NET)
    senders = [f"198.51.100.{last}" for last in (130, 140, 201)]
    assert sorted(values["targets"].split()) == senders
    after = site.admin.post("listing-add", values)
    assert listed(busy) == dict.fromkeys(senders, "allow")
    assert after.redirect_chain[-1][0].startswith(site.admin.path("listing-add"))
    assert f">\n{NET}</textarea>" in after.content.decode()
    assert "Type to confirm" not in text_of(after)
    site.admin.post("listing-add", form(NET))
    assert listed(busy)[NET] == "block"


def test_an_allow_hits_nobody(site: Visitors, busy: Traffic) -> None:
    """Of it only the guards are told."""
    text = text_of(checked(site, NET, action="allow"))
    assert "Would stop" not in text
    site.admin.post("listing-add", form(NET, action="allow"))
    assert listed(busy) == {NET: "allow"}


def test_several(site: Visitors, busy: Traffic) -> None:
    """Each has its verdict; one step for all of them."""
    both = f"{NET}\n203.0.113.7"
    text = text_of(checked(site, both))
    assert "Would stop mail you want" in text
    assert "Type to confirm: block 2 targets" in text
    site.admin.post("listing-add", form(both, sure=NET))
    assert not listed(busy)
    site.admin.post("listing-add", form(both, sure="block 2 targets"))
    assert len(listed(busy)) == 2


def test_more_than_are_looked_at(site: Visitors, traffic: Traffic) -> None:
    """A tick says that they are meant; a guard before one of them is not ticked away."""
    many = "\n".join(f"203.0.113.{at}" for at in range(TARGETS_SHOWN + 5))
    response = site.admin.post("listing-add", form(many))
    assert "5 targets of them were not looked at" in text_of(response)
    assert not listed(traffic)
    guarded = form(f"{many}\n192.0.2.25", confirmed="1")
    response = site.admin.post("listing-add", guarded)
    assert "192.0.2.25" in text_of(response)
    assert not listed(traffic)
    site.admin.post("listing-add", guarded | {"sure": "block 26 targets"})
    assert len(listed(traffic)) == TARGETS_SHOWN + 6
    Version.objects.all().delete()
    site.admin.post("listing-add", form(many, confirmed="1"))
    assert len(listed(traffic)) == TARGETS_SHOWN + 5


def test_traffic_that_cannot_be_read(
    site: Visitors, busy: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and an administrator can defend himself all the same."""
    monkeypatch.setattr("mailmum.web.preview.check", _broken)
    assert "Whom it would hit is not known just now." in text_of(checked(site, NET))
    site.admin.post("listing-add", form(NET))
    assert listed(busy) == {NET: "block"}


def test_the_reverse_name_of_one(
    site: Visitors, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the DNS if need be; of several addresses nobody is asked, nor when one is allowed."""
    address = "193.0.6.139"
    with name_server() as names, parameters(monkeypatch, resolver=names.endpoint):
        names.records["139.6.0.193.in-addr.arpa", "PTR"] = ["mail.city.example."]
        assert "Reverse name mail.city.example" in text_of(checked(site, address))
        names.asked.clear()
        assert "Reverse name" not in text_of(checked(site, f"{address}\n{NET}"))
        assert "Reverse name" not in text_of(checked(site, address, action="allow"))
        assert names.asked == []


def _broken(*_: object, **_more: object) -> None:
    """What a database says that lacks the table."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM a_table_that_is_not_there")


def test_roles_and_outsiders(site: Visitors, traffic: Traffic) -> None:
    """A viewer lists nothing, so checks nothing here; others have no such page."""
    traffic.foreign(*traffic.mail("198.51.100.201", 30, "x.example"))
    response = checked(site, NET)
    assert "accepted message" not in text_of(response)
    assert STRANGE not in response.content.decode()
    for visitor, status in ((site.viewer, 403), (site.outsider, 404)):
        assert visitor.post("listing-check", form(NET)).status_code == status
        assert visitor.post("listing-add", form(NET) | {"way": "block:x"}).status_code == status


def test_text_of_strangers_stays_text(site: Visitors, traffic: Traffic) -> None:
    """Names and senders of clients are shown as they were written."""
    evil = "<script>alert(1)</script>"
    seen = traffic.seen(
        "203.0.113.7",
        Outcome.ACCEPTED,
        client_name=f"{evil}.example",
        sender=f"x@{evil}",
        helo=evil,
    )
    traffic.log(*[seen] * 12)
    response = checked(site, "203.0.113.7")
    assert evil not in response.content.decode()
    assert "&lt;script&gt;" in response.content.decode()
    assert Action.BLOCK.value in response.context["action"]
