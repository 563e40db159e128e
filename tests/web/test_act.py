"""Blocking and allowing from a row: the popover, its result, and undo in place."""

import re

import pytest

from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.web.conftest import Response, Visitor, Visitors, text_of

__all__ = ["traffic"]


def opened(visitor: Visitor, **query: str) -> Response:
    """The popover's contents."""
    return visitor.fragment("listing-act", {"action": "block", **query})


def sent(visitor: Visitor, **data: str) -> Response:
    """Its form, as htmx sends it."""
    path = visitor.path("listing-act")
    form = {"action": "block", "about": data.get("target", ""), "for": "7d", **data}
    return visitor.client.post(path, form, headers={"HX-Request": "true"})


def listings(traffic: Traffic) -> list[Version]:
    """What the account lists."""
    return list(current(traffic.world.viewer))


def test_what_it_offers(site: Visitors, traffic: Traffic) -> None:
    """The address or its network, all servers or the row's, and whom it would hit."""
    traffic.log(*traffic.pool())
    response = opened(site.admin, target="198.51.100.70", at="mx1")
    text = text_of(response)
    assert "Block 198.51.100.70" in text
    assert "This address 198.51.100.0/24" in text
    assert "All servers Only mx1" in text
    assert "5 contacts in 30 days, no mail accepted that would be lost." in text
    wide = opened(site.admin, target="198.51.100.0/24", about="198.51.100.70", at="mx1")
    assert "80 contacts" in text_of(wide)
    assert "This address 198.51.100.0/24" in text_of(wide)
    assert "Only" not in text_of(opened(site.admin, target="198.51.100.70", at="gone"))


@pytest.mark.parametrize(
    ("target", "choices"),
    [
        ("2001:db8::7", ["2001:db8::7", "2001:db8::/64"]),
        ("2001:db8::/56", []),
        ("198.51.100.64/27", ["198.51.100.64/27", "198.51.100.0/24"]),
        ("mail.pool.example", ["mail.pool.example", ".pool.example"]),
        ("pool.example", []),
        ("nonsense !", []),
    ],
)
def test_what_lies_around(
    site: Visitors, traffic: Traffic, target: str, choices: list[str]
) -> None:
    """Where that says something."""
    del traffic
    response = opened(site.admin, target=target)
    assert [one.text for one in response.context["choices"]] == choices


def test_a_form_that_no_script_sent(site: Visitors, traffic: Traffic) -> None:
    """As when somebody is faster than it: a whole page says what was done, or asks once more."""
    post, where = site.admin.client.post, site.admin.path("listing-act")
    form = {"action": "block", "about": "203.0.113.7", "for": "7d"}
    response = post(where, {**form, "target": "203.0.113.7"}, follow=True)
    (made,) = listings(traffic)
    assert response.redirect_chain[-1][0].endswith(f"/listings/{made.number}/")
    assert "Blocked 203.0.113.7" in text_of(response)
    assert "Undo" in text_of(response)
    response = post(where, {**form, "target": "nonsense !"}, follow=True)
    assert response.redirect_chain[-1][0].endswith("?action=block&target=nonsense+%21&server=")
    assert "<html" in response.content.decode()
    assert len(listings(traffic)) == 1


def test_a_block_and_its_undo(site: Visitors, traffic: Traffic) -> None:
    """In place, with scope, lifetime and reason; a page is not left."""
    response = sent(
        site.admin, target="203.0.113.7", at="mx1", server="mx1", reason="Spam to role accounts"
    )
    assert "Blocked 203.0.113.7 on mx1" in text_of(response)
    assert 'data-done="blocked"' in response.content.decode()
    (made,) = listings(traffic)
    assert (made.target, made.reason, made.scope) == (
        "203.0.113.7",
        "Spam to role accounts",
        traffic.servers["mx1"],
    )
    assert made.expires is not None
    undo = re.search(r'hx-post="([^"]+undo/)"', response.content.decode())
    assert undo is not None
    undone = site.admin.client.post(undo[1], headers={"HX-Request": "true"})
    assert "Undid" in text_of(undone)
    assert 'data-done=""' in undone.content.decode()
    assert listings(traffic) == []
    again = site.admin.client.post(undo[1], headers={"HX-Request": "true"})
    assert "Not undone: " in text_of(again)
    assert "toasts" not in site.admin.get("listings").content.decode()


def test_an_allow(site: Visitors, traffic: Traffic) -> None:
    """Without end, unless something else is chosen."""
    response = opened(site.admin, target="203.0.113.7", action="allow")
    assert response.context["form"].values["for"] == ""
    sent(site.admin, target="203.0.113.7", action="allow", **{"for": ""})
    (made,) = listings(traffic)
    assert (made.action, made.expires) == ("allow", None)


def test_what_takes_a_second_step(site: Visitors, traffic: Traffic) -> None:
    """Leads to the form, whose checks cannot be gone around from here."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out.shop.example"))
    for target in ("198.51.100.201", "10.0.0.0/8", "192.0.2.25"):
        response = opened(site.admin, target=target)
        assert "To the second step…" in text_of(response)
        assert "listings/add/?action=block&amp;target=" in response.content.decode()
        assert "To the second step…" in text_of(sent(site.admin, target=target, sure=target))
    assert listings(traffic) == []


def test_what_is_refused(site: Visitors, traffic: Traffic) -> None:
    """Stands in the popover; nothing is listed."""
    long = sent(site.admin, target="203.0.113.7", reason="x" * 400)
    assert "300" in text_of(long)
    assert "did you mean 203.0.113.0/24?" in text_of(sent(site.admin, target="203.0.113.7/24"))
    assert sent(site.admin, target="").status_code == 200
    assert sent(site.admin, target="203.0.113.9", **{"for": "9 lives"}).status_code == 200
    assert [one.target for one in listings(traffic)] == ["203.0.113.9"]


def test_who_may(site: Visitors, traffic: Traffic) -> None:
    """Owners and admins; an outsider neither sees nor changes anything of the account."""
    traffic.foreign(*traffic.mail("203.0.113.7", 3, "out.shop.example"))
    assert opened(site.viewer, target="203.0.113.7").status_code == 403
    assert sent(site.viewer, target="203.0.113.7").status_code == 403
    assert sent(site.outsider, target="203.0.113.7").status_code == 404
    told = text_of(opened(site.admin, target="203.0.113.7"))
    assert STRANGE not in told
    assert "Nothing was seen in 30 days" in told
    assert listings(traffic) == []
    assert 'id="act"' in site.admin.get("search").content.decode()
    assert 'id="act"' not in site.viewer.get("search").content.decode()


def test_rows_lead_there(site: Visitors, traffic: Traffic) -> None:
    """With the row's server; without script to the form that adds."""
    traffic.log(*traffic.pool(), server="mx2")
    for page in ("search", "live"):
        source = site.admin.get(page).content.decode()
        assert re.search(r'action=block&amp;target=198\.51\.100\.\d+" data-act="mx2"', source)
        assert "data-act" not in site.viewer.get(page).content.decode().partition("<main")[2]
    assert 'data-act=""' in site.admin.get("client", query={"q": "203.0.113.7"}).content.decode()
