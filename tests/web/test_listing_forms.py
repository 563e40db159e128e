"""Adding and editing listings."""

import time
from typing import Any

import pytest

from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.servers.services import add_server
from mailmum.domain.codes import parse_code
from tests.support.world import World
from tests.web.conftest import Response, Visitors, text_of, undo_address


def form(targets: str, **more: str) -> dict[str, str]:
    """The form as a browser sends it."""
    given = {"action": "block", "targets": targets, "server": "", "for": "", "other": ""}
    return given | {"reason": "", "note": "", "code": ""} | more


def one(world: World, target: str) -> Version:
    """The listing of a target."""
    return current(world.admin).get(target=target)


def test_blocking(site: Visitors, world: World) -> None:
    """Every field arrives; the message says what was done and offers to undo it."""
    add_server(world.admin, "mx1")
    response = site.admin.post(
        "listing-add",
        form(
            " 203.0.113.7 ",
            server="mx1",
            reason="Sent spam",
            note="ticket 1\nagain",
            code="127.0.0.9",
            **{"for": "7d"},
        ),
    )
    assert "Blocked 203.0.113.7 on mx1, ends in 7 days." in text_of(response)
    assert "Undo" in text_of(response)
    made = one(world, "203.0.113.7")
    assert (made.action, made.reason, made.note) == ("block", "Sent spam", "ticket 1\nagain")
    assert made.code == parse_code("127.0.0.9")
    assert made.expires is not None
    assert abs(made.expires - time.time() - 7 * 86400) < 30
    assert made.created_by == "admin@example.net"


def test_several_at_once(site: Visitors, world: World) -> None:
    """One a line, empty lines and repetitions left out, as one change."""
    response = site.admin.post(
        "listing-add", form("203.0.113.7\r\n\r\n.spam.example\n203.0.113.7\n2001:db8::/48\n")
    )
    assert "Blocked 3 targets on all servers: 3 added." in text_of(response)
    assert len({version.since for version in current(world.admin)}) == 1
    again = site.admin.post("listing-add", form("203.0.113.7\n203.0.113.8", reason="more"))
    assert "Blocked 2 targets on all servers: 1 added, 1 changed." in text_of(again)


def test_listing_it_again(site: Visitors, world: World) -> None:
    """Says what it was, keeps what was left empty, and what is the same changes nothing."""
    site.admin.post("listing-add", form("203.0.113.7", reason="spam", note="ticket 1"))
    same = site.admin.post("listing-add", form("203.0.113.7"))
    assert "203.0.113.7 is blocked on all servers already; nothing was changed." in text_of(same)
    assert "Undo" not in text_of(same)
    more = site.admin.post("listing-add", form("203.0.113.7", reason="more spam"))
    assert "was blocked on all servers already; changed the reason." in text_of(more)
    assert one(world, "203.0.113.7").note == "ticket 1"
    other = site.admin.post("listing-add", form("203.0.113.7", action="allow"))
    assert "was blocked on all servers; now it is allowed, until removed." in text_of(other)
    assert one(world, "203.0.113.7").reason == ""


REFUSED = [
    ({"targets": ""}, "targets", "no target given"),
    ({"targets": "203.0.113.7/24"}, "targets", "did you mean 203.0.113.0/24?"),
    ({"targets": "300.1.1.1"}, "targets", "is not an address"),
    ({"targets": "spam"}, "targets", "write .spam for the top-level domain"),
    ({"targets": f"{'a' * 64}.example"}, "targets", "more than 63 characters"),
    ({"targets": "a.example\x00"}, "targets", "may only have letters"),
    ({"targets": "127.0.0.1"}, "targets", "can never be listed"),
    ({"reason": "a\x07b"}, "reason", "the reason has a control character (U+0007)"),
    ({"reason": "x" * 301}, "reason", "301 characters, 300 are allowed"),
    ({"note": "x" * 2001}, "note", "2001 characters, 2000 are allowed"),
    ({"code": "10.0.0.1"}, "code", "outside 127.0.0.0/8"),
    ({"code": "127.255.255.9"}, "code", "by convention means an error"),
    ({"for": "other", "other": "soon"}, "other", "soon is no length of time"),
    ({"for": "other", "other": ""}, "other", "the lifetime is empty"),
    ({"for": "0s"}, "for", "out of range"),
    ({"action": "deny"}, "action", "say whether to block or to allow"),
    ({"action": ""}, "action", "say whether to block or to allow"),
    ({"server": "nowhere"}, "server", "there is no server nowhere"),
]


@pytest.mark.parametrize(("change", "field", "says"), REFUSED)
def test_what_is_refused(
    site: Visitors, world: World, change: dict[str, str], field: str, says: str
) -> None:
    """The domain's words beside the field; what was typed stays; nothing is listed."""
    given = {**form("203.0.113.9", reason="kept reason"), **change}
    response = site.admin.post("listing-add", given)
    assert response.status_code == 200
    beside = _faults(response, field)
    assert says in beside
    if "reason" not in change:
        assert 'value="kept reason"' in response.content.decode()
    assert not current(world.admin).exists()


def test_each_bad_target_has_its_own_words(site: Visitors, world: World) -> None:
    """All are named at once, and the good ones among them are not listed either."""
    response = site.admin.post("listing-add", form("203.0.113.7\n203.0.113.7/24\nx y\n192.0.2.1"))
    beside = _faults(response, "targets")
    assert "203.0.113.7/24 is not a network" in beside
    assert "the label 'x y' may only have" in beside
    assert "192.0.2.1" not in beside
    assert not current(world.admin).exists()
    many = site.admin.post("listing-add", form("\n".join(f"x y{i}" for i in range(80))))
    assert "and 30 more are refused" in _faults(many, "targets")


def test_far_too_many_targets(site: Visitors, world: World) -> None:
    """They are sent to the import, which is made for that."""
    response = site.admin.post("listing-add", form("\n".join(["203.0.113.7"] * 10_001)))
    assert "import them as a file" in _faults(response, "targets")


def test_dangerous_targets_ask_for_a_confirmation(site: Visitors, world: World) -> None:
    """The field stands there only when a guard asks for it; typed, they are listed."""
    add_server(world.admin, "mx1", ["192.0.2.25"])
    assert "all the same" not in text_of(site.admin.get("listing-add"))
    given = form("192.0.2.0/24\n10.0.0.0/8")
    response = site.admin.post("listing-add", given)
    assert "type block 2 targets to block it all the same" in _faults(response, "sure")
    assert "covers the account's own server mx1" in text_of(response)
    assert "10.0.0.0/8 is wider than /16" in text_of(response)
    assert 'name="confirmed"' not in response.content.decode()
    for wrong in ({"confirmed": "1"}, {"sure": "block"}, {"sure": "10.0.0.0/8"}):
        site.admin.post("listing-add", {**given, **wrong})
        assert not current(world.admin).exists()
    site.admin.post("listing-add", {**given, "sure": " Block  2 targets "})
    assert current(world.admin).count() == 2


def test_a_bad_target_among_dangerous_ones_is_not_confirmed_away(
    site: Visitors, world: World
) -> None:
    """Loopback is never listed, whatever is ticked."""
    response = site.admin.post("listing-add", form("10.0.0.1\n127.0.0.1", sure="block 2 targets"))
    assert "can never be listed" in _faults(response, "targets")
    assert not current(world.admin).exists()


def test_the_form_comes_filled_where_a_link_asks_for_it(site: Visitors) -> None:
    """From the page of a client: target and action."""
    page = site.admin.get("listing-add", query={"target": "203.0.113.7", "action": "allow"})
    assert ">\n203.0.113.7</textarea>" in page.content.decode()
    assert 'value="allow" checked' in page.content.decode()
    odd = site.admin.get("listing-add", query={"action": "<b>"})
    assert 'value="block" checked' in odd.content.decode()


def test_the_check_beside_the_form(site: Visitors, world: World) -> None:
    """What each target is and meets, on the server that is chosen; it changes nothing."""
    add_server(world.admin, "mx1")
    add_server(world.admin, "mx2")
    site.admin.post("listing-add", form("203.0.113.0/24", reason="Wider"))
    site.admin.post("listing-add", form("203.0.113.77", action="allow", server="mx1"))
    site.admin.post("listing-add", form("203.0.113.65"))
    Version.objects.filter(target="203.0.113.65").update(source="feed", origin="Example")

    def check(**more: str) -> str:
        response = site.admin.client.post(site.admin.path("listing-check"), form(**more))
        assert "<html" not in response.content.decode()
        return text_of(response)

    assert "What can be listed" in check(targets="")
    text = check(targets="203.0.113.64/27\nx y")
    assert "203.0.113.64/27 IPv4 network, 32 addresses" in text
    assert "203.0.113.77 allowed on mx1 inside: it goes on deciding there" in text
    assert "wider: yours decides inside it; “Wider”" in text
    assert "203.0.113.65 blocked on all servers yours outranks it" in text
    assert "'x y': the label" in text
    assert "2 targets" in text
    assert "203.0.113.77" not in check(targets="203.0.113.64/27", server="mx2")
    same = "the same target: "
    assert f"{same}it goes on deciding on mx1" in check(targets="203.0.113.77")
    assert f"{same}this listing will be changed" in check(targets="203.0.113.77", server="mx1")
    assert f"{same}yours decides on mx1" in check(targets="203.0.113.0/24", server="mx1")
    assert "Meets no other listing" in check(targets="198.51.100.1")
    assert "Allow 10.0.0.0/8 all the same" in check(targets="10.0.0.0/8", action="allow")
    assert "and 5 more targets" in check(targets="\n".join(f"198.51.100.{i}" for i in range(25)))
    assert current(world.admin).count() == 3


def edit(**more: str) -> dict[str, str]:
    """The form of an edit as a browser sends it."""
    given = {"action": "block", "for": "keep", "other": "", "reason": "spam", "note": ""}
    return given | {"code": "", "enabled": "1"} | more


@pytest.fixture
def number(site: Visitors, world: World) -> int:
    """A listing with a reason, a note, a code and an end."""
    given: dict[str, Any] = {"reason": "spam", "note": "ticket 1", "code": "127.0.0.9"}
    site.admin.post("listing-add", form("203.0.113.7", **given, **{"for": "7d"}))
    return one(world, "203.0.113.7").number


def test_editing(site: Visitors, world: World, number: int) -> None:
    """What the form says is what stands; the end stays when it says so; and back again."""
    before = one(world, "203.0.113.7")
    page = site.admin.get("listing-edit", number=number).content.decode()
    for text in (
        'value="spam"',
        ">\nticket 1</textarea>",
        'value="127.0.0.9"',
        'value="keep" checked',
    ):
        assert text in page
    response = site.admin.post("listing-edit", edit(reason="more"), number=number)
    assert response.redirect_chain[-1][0] == site.admin.path("listing", number=number)
    assert "Saved 203.0.113.7: changed the reason, the note and the return code." in text_of(
        response
    )
    now = one(world, "203.0.113.7")
    assert (now.reason, now.note, now.code, now.expires) == ("more", "", None, before.expires)
    undo = undo_address(response)
    site.admin.client.post(undo, {})
    back = one(world, "203.0.113.7")
    assert (back.reason, back.note, back.code) == (before.reason, before.note, before.code)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"action": "allow"}, "from blocked to allowed"),
        ({"for": ""}, "the end"),
        ({"for": "30d"}, "the end"),
        ({"for": "other", "other": "1h"}, "the end"),
        ({"enabled": ""}, "whether it is in force"),
    ],
)
def test_edits_of_one_field(site: Visitors, number: int, change: dict[str, str], says: str) -> None:
    """Each is told."""
    given = {**edit(note="ticket 1", code="127.0.0.9"), **change}
    assert f"changed {says}." in text_of(site.admin.post("listing-edit", given, number=number))


def test_an_edit_of_nothing(site: Visitors, number: int) -> None:
    """It says so and offers no undo."""
    given = edit(note="ticket 1", code="127.0.0.9")
    response = site.admin.post("listing-edit", given, number=number)
    assert "203.0.113.7 is as it was; nothing was changed." in text_of(response)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": "a\nb\x00"}, "reason"),
        ({"code": "x"}, "code"),
        ({"for": "other", "other": "x"}, "other"),
        ({"action": "x"}, "action"),
    ],
)
def test_edits_that_are_refused(
    site: Visitors, world: World, number: int, change: dict[str, str], field: str
) -> None:
    """Beside the field, and the listing is as it was."""
    before = one(world, "203.0.113.7")
    response = site.admin.post("listing-edit", {**edit(), **change}, number=number)
    assert _faults(response, field)
    assert one(world, "203.0.113.7").pk == before.pk


def test_an_edit_can_need_a_confirmation(site: Visitors, world: World) -> None:
    """Turning an allow of one's own server into a block is asked about."""
    add_server(world.admin, "mx1", ["192.0.2.25"])
    site.admin.post("listing-add", form("192.0.2.25", action="allow", confirmed="1"))
    number = one(world, "192.0.2.25").number
    response = site.admin.post("listing-edit", edit(), number=number)
    assert "covers the account's own server mx1" in text_of(response)
    assert 'name="confirmed"' in response.content.decode()
    site.admin.post("listing-edit", edit(confirmed="1"), number=number)
    assert one(world, "192.0.2.25").action == "block"


def test_a_triggers_listing_is_not_edited(site: Visitors, world: World, number: int) -> None:
    """The page says what to do instead; a form sent all the same is refused."""
    Version.objects.update(source="trigger", origin="Dictionary attack")
    assert "a person outranks a trigger" in text_of(site.admin.get("listing-edit", number=number))
    response = site.admin.post("listing-edit", edit(reason="x"), number=number)
    assert one(world, "203.0.113.7").reason == "spam"
    assert "a person outranks a trigger" in text_of(response)


def _faults(response: Response, field: str) -> str:
    found = response.context["form"][field].faults
    assert 'class="err"' in response.content.decode()
    return "\n".join(found)
