"""Listing, changing and unlisting: what people do, and what the journal keeps of it."""

import time
from collections.abc import Sequence

import pytest

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.models import Record
from mailmum.control.listings import search
from mailmum.control.listings.draft import KEEP, make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, explain, find_listing, find_listings, inside
from mailmum.control.listings.services import (
    Result,
    edit_listing,
    list_targets,
    remove_listings,
    remove_server,
    unlist_targets,
)
from mailmum.control.listings.undo import undo
from mailmum.control.servers.queries import current_key, find_server, servers_of
from mailmum.control.servers.services import add_server
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput, Conflict, NotFound, SeveralRefused
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from tests.support.world import World


def block(access: Writing, *targets: str, server: str | None = None, **wish: str) -> Result:
    """Block as a person does."""
    return _list(access, Action.BLOCK, targets, server, wish)


def allow(access: Writing, *targets: str, server: str | None = None, **wish: str) -> Result:
    """Allow as a person does."""
    return _list(access, Action.ALLOW, targets, server, wish)


def _list(
    access: Writing,
    action: Action,
    targets: Sequence[str],
    server: str | None,
    wish: dict[str, str],
) -> Result:
    force = bool(wish.pop("force", ""))
    made = make_wish(
        action,
        now=time.time(),
        reason=wish.get("reason"),
        note=wish.get("note"),
        code=wish.get("code", KEEP),
        lifetime=wish.get("lifetime", KEEP),
    )
    return list_targets(access, targets, made, server=server, confirmed=force)


def only(result: Result) -> Version:
    """The one listing of a result."""
    (outcome,) = result.outcomes
    return outcome.version


def test_a_listing_carries_everything(world: World) -> None:
    """Every field comes back, and who made it."""
    result = block(
        world.admin,
        "203.0.113.0/24",
        reason="Spam to our traps",
        note="see ticket",
        code="127.0.0.9",
        lifetime="7d",
    )
    version = find_listing(world.viewer, only(result).number)
    assert (version.action, version.target, version.kind) == ("block", "203.0.113.0/24", "network")
    assert (version.reason, version.note, version.code) == (
        "Spam to our traps",
        "see ticket",
        0x7F000009,
    )
    assert version.expires is not None
    assert 0 <= version.expires - time.time() - 7 * 86400 <= 1
    assert version.created_by == "admin@example.net"


def test_listing_again_changes_and_says_what_it_was(world: World) -> None:
    """There is one person's listing for a target in a scope."""
    first = block(world.admin, "203.0.113.7", reason="spam", lifetime="7d")
    again = block(world.owner, "203.0.113.7", note="and again")
    (outcome,) = again.outcomes
    assert outcome.word == "changed"
    assert outcome.was is not None
    assert outcome.was.note == ""
    assert outcome.version.number == only(first).number
    assert outcome.version.reason == "spam"
    assert outcome.version.expires == only(first).expires
    assert find_listings(world.viewer, Filter()).count() == 1


def test_the_other_action_starts_afresh(world: World) -> None:
    """A block's reason and end say nothing about an allow."""
    block(world.admin, "203.0.113.7", reason="spam", lifetime="1h", code="127.0.0.9")
    (outcome,) = allow(world.admin, "203.0.113.7").outcomes
    assert outcome.word == "changed"
    assert (outcome.version.action, outcome.version.reason) == ("allow", "")
    assert outcome.version.expires is None
    assert outcome.version.code is None


def test_the_same_again_is_no_change(world: World) -> None:
    """No record, no new version."""
    block(world.admin, "203.0.113.7", reason="spam")
    records = Record.objects.count()
    result = block(world.admin, "203.0.113.7", reason="spam")
    assert result.change is None
    assert [outcome.word for outcome in result.outcomes] == ["unchanged"]
    assert (Record.objects.count(), Version.objects.count()) == (records, 1)


def test_a_listing_that_has_run_out_is_replaced(world: World) -> None:
    """Its reason and end do not come back to life."""
    number = only(block(world.admin, "203.0.113.7", reason="old", lifetime="1s")).number
    Version.objects.filter(number=number).update(expires=int(time.time()) - 1)
    (outcome,) = block(world.admin, "203.0.113.7").outcomes
    assert outcome.word == "added"
    assert (outcome.version.reason, outcome.version.expires) == ("", None)


def test_all_or_nothing(world: World) -> None:
    """One bad target, and every bad one is named."""
    records = Record.objects.count()
    with pytest.raises(SeveralRefused) as refused:
        block(world.admin, "203.0.113.7", "203.0.113.1/24", "10.0.0.1", "no such..name")
    assert [given for given, _ in refused.value.items] == ["203.0.113.1/24", "no such..name"]
    assert "did you mean 203.0.113.0/24?" in str(refused.value)
    assert not Version.objects.exists()
    assert Record.objects.count() == records


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("10.1.2.3", "private space"),
        ("169.254.1.1", "link-local"),
        ("100.64.0.0/10", "wider than /16"),
        ("203.0.0.0/15", "wider than /16"),
        ("2001:d00::/24", "wider than /32"),
        ("ff02::1", "multicast"),
        ("192.0.2.25", "own server mx1"),
        (".example.net", "own server mx1"),
    ],
)
def test_guards_ask_for_confirmation(world: World, target: str, why: str) -> None:
    """A slip stops nobody's mail; meant, it is done."""
    add_server(world.admin, "mx1", ["192.0.2.25", "mx1.example.net"])
    with pytest.raises(SeveralRefused, match=why) as refused:
        block(world.admin, target)
    assert refused.value.code == "needs-confirmation"
    assert only(block(world.admin, target, force="yes")).target == target


def test_loopback_is_never_listed(world: World) -> None:
    """Not even when confirmed."""
    with pytest.raises(SeveralRefused, match="loopback"):
        block(world.admin, "127.0.0.1", force="yes")


def test_scopes_are_apart(world: World) -> None:
    """A server's listing of a target stands beside the account's."""
    add_server(world.admin, "mx1")
    block(world.admin, "203.0.113.0/24")
    allow(world.admin, "203.0.113.0/24", server="mx1")
    mx1 = find_server(world.viewer, "mx1")
    subject = parse_subject("203.0.113.7")
    assert explain(world.viewer, subject, mx1).verdict.word == "allow"
    assert explain(world.viewer, subject, None).verdict.word == "block"
    assert [v.scope for v in explain(world.viewer, subject, mx1).overruled] == [0]
    result = unlist_targets(world.admin, ["203.0.113.0/24"], server="mx1")
    assert len(result.removed) == 1
    assert explain(world.viewer, subject, mx1).verdict.word == "block"


def test_unlisting_what_is_not_listed_says_so(world: World) -> None:
    """It is no error, and leaves no record."""
    records = Record.objects.count()
    result = unlist_targets(world.admin, ["203.0.113.7", ".spam.example"])
    assert result.not_listed == ["203.0.113.7", ".spam.example"]
    assert result.change is None
    assert Record.objects.count() == records


def test_outsiders_neither_see_nor_touch(world: World) -> None:
    """Not by list, number, client, target or journal."""
    made = block(world.admin, "203.0.113.7", reason="ours")
    number, seq = only(made).number, made.change
    assert seq is not None
    out = world.outsider
    assert not find_listings(out, Filter())
    assert not inside(out, parse_target("203.0.113.0/24"))
    assert explain(out, parse_subject("203.0.113.7"), None).because is None
    for attempt in (
        lambda: find_listing(out, number),
        lambda: edit_listing(out, number, make_wish(KEEP, now=time.time(), reason="mine")),
        lambda: remove_listings(out, [number]),
        lambda: undo(out, seq),
        lambda: block(out, "203.0.113.9", server="mx1"),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert unlist_targets(out, ["203.0.113.7"]).not_listed == ["203.0.113.7"]
    assert find_listing(world.viewer, number).reason == "ours"


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "a\x1b[2J"}, "reason"),
        ({"reason": "\u202efdp"}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"note": "x" * 2001}, "note"),
        ({"code": "127.255.255.254"}, "code"),
        ({"code": "128.0.0.1"}, "code"),
        ({"lifetime": "soon"}, "for"),
        ({"lifetime": "0s"}, "for"),
        ({"lifetime": "9999999999w"}, "for"),
    ],
)
def test_bad_fields_name_themselves(world: World, wish: dict[str, str], field: str) -> None:
    """The refusal says beside which field it belongs; nothing is written."""
    with pytest.raises(BadInput) as refused:
        block(world.admin, "203.0.113.7", **wish)
    assert refused.value.field == field
    assert not Version.objects.exists()


def test_an_edit_by_number(world: World) -> None:
    """Left-out fields stay, the number too; without a difference nothing happens."""
    number = only(block(world.admin, "203.0.113.7", reason="spam", note="n")).number
    result = edit_listing(
        world.admin, number, make_wish(KEEP, now=time.time(), reason="more", enabled=False)
    )
    version = find_listing(world.viewer, number)
    assert (version.reason, version.note, version.enabled) == ("more", "n", False)
    assert result.change == Record.objects.latest("seq").seq
    assert explain(world.viewer, parse_subject("203.0.113.7"), None).because is None
    again = edit_listing(world.admin, number, make_wish(KEEP, now=time.time(), enabled=False))
    assert again.change is None


def test_listing_again_switches_on(world: World) -> None:
    """Whoever blocks or allows wants it to hold."""
    number = only(block(world.admin, "203.0.113.7")).number
    edit_listing(world.admin, number, make_wish(KEEP, now=time.time(), enabled=False))
    (outcome,) = block(world.admin, "203.0.113.7").outcomes
    assert outcome.word == "changed"
    assert explain(world.viewer, parse_subject("203.0.113.7"), None).verdict.word == "block"


def test_search_by_what_covers_a_client(world: World) -> None:
    """Addresses, networks, hosts and domains that cover, and no others."""
    block(world.admin, "203.0.113.0/24", "203.0.113.7", "203.0.113.8", "2001:db8::/48")
    block(
        world.admin, "mail.spam.example", ".spam.example", ".example", "spam.example", "a.example"
    )
    by_address = find_listings(world.viewer, Filter(covering=parse_subject("::ffff:203.0.113.7")))
    assert {v.target for v in by_address} == {"203.0.113.0/24", "203.0.113.7"}
    by_name = find_listings(world.viewer, Filter(covering=parse_subject("mail.spam.example")))
    assert {v.target for v in by_name} == {"mail.spam.example", ".spam.example", ".example"}


def test_what_lies_inside(world: World) -> None:
    """A network's and a domain's parts, not their neighbours."""
    block(world.admin, "203.0.113.0/24", "203.0.113.7", "203.0.114.7", "2001:db8:1::/48")
    block(world.admin, "a.spam.example", ".spam.example", "xspam.example", ".spam.example.org")
    found = inside(world.viewer, parse_target("203.0.113.0/24"))
    assert {v.target for v in found} == {"203.0.113.0/24", "203.0.113.7"}
    found = inside(world.viewer, parse_target("2001:db8::/32"))
    assert {v.target for v in found} == {"2001:db8:1::/48"}
    found = inside(world.viewer, parse_target(".spam.example"))
    assert {v.target for v in found} == {"a.spam.example", ".spam.example"}


@pytest.mark.parametrize("few", [1000, 2])
def test_what_a_target_meets(world: World, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """What covers it and what lies inside, whether there is little of it or much."""
    monkeypatch.setattr(search, "_FEW", few)
    block(world.admin, "203.0.113.0/24", "203.0.113.7", "203.0.113.9", "203.0.114.7")
    block(world.admin, ".example", "a.spam.example", "b.spam.example", "spam.example.org")
    found = search.meets(world.viewer, parse_target("203.0.113.0/28"))
    assert {v.target for v in found} == {"203.0.113.0/24", "203.0.113.7", "203.0.113.9"}
    found = search.meets(world.viewer, parse_target(".spam.example"))
    assert {v.target for v in found} == {".example", "a.spam.example", "b.spam.example"}
    assert not search.meets(world.outsider, parse_target(".spam.example"))
    for target in ("203.0.113.0/28", ".spam.example"):
        all_of_it = list(search.meets(world.viewer, parse_target(target)))
        latest, count = search.latest_met(world.viewer, parse_target(target), None, 2)
        assert (latest, count) == (all_of_it[:2], 3 if few > 2 else None)
    assert search.latest_met(world.outsider, parse_target(".spam.example"), None, 2) == ([], 0)


def test_ten_thousand_targets_are_one_change(world: World) -> None:
    """One record, one number; undone as one."""
    targets = [f"203.0.{i // 250}.{i % 250}" for i in range(10_000)]
    result = block(world.admin, *targets)
    assert Record.objects.latest("seq").count == 10_000
    assert result.change is not None
    assert len({outcome.version.number for outcome in result.outcomes}) == 10_000
    undo(world.admin, result.change)
    assert not find_listings(world.viewer, Filter())
    with pytest.raises(BadInput, match="too many"):
        block(world.admin, *targets, "198.51.100.1")


def test_undo_and_undo_of_the_undo(world: World) -> None:
    """Every kind of change goes back, and forth again."""
    block(world.admin, "203.0.113.7", reason="one")
    changed = block(world.admin, "203.0.113.7", reason="two")
    assert changed.change is not None
    number = only(changed).number
    back = undo(world.admin, changed.change)
    assert find_listing(world.viewer, number).reason == "one"
    forth = undo(world.admin, back.seq)
    assert find_listing(world.viewer, number).reason == "two"
    assert Record.objects.get(seq=back.seq).what == "undo.listing.block"
    assert Record.objects.get(seq=forth.seq).what == "listing.block"
    with pytest.raises(Conflict, match="was undone by change"):
        undo(world.admin, changed.change)


def test_undo_does_not_undo_what_came_later(world: World) -> None:
    """A later change of the same listing stands in the way, and is named."""
    first = block(world.admin, "203.0.113.7", "203.0.113.8")
    second = block(world.admin, "203.0.113.8", reason="later")
    assert first.change is not None
    with pytest.raises(Conflict, match=f"undo change {second.change} first"):
        undo(world.admin, first.change)
    gone = unlist_targets(world.admin, ["203.0.113.7"])
    block(world.admin, "203.0.113.7", reason="anew")
    assert gone.change is not None
    with pytest.raises(Conflict, match="listed again since"):
        undo(world.admin, gone.change)


def test_undo_one_after_the_other(world: World) -> None:
    """Back through several changes of a listing, however often some were done again."""
    first = block(world.admin, "203.0.113.7", reason="one").change
    second = block(world.admin, "203.0.113.7", reason="two").change
    assert first is not None
    assert second is not None
    again = undo(world.admin, undo(world.admin, second).seq)
    with pytest.raises(Conflict, match=f"undo change {again.seq} first"):
        undo(world.admin, first)
    undo(world.admin, again.seq)
    undo(world.admin, first)
    assert not find_listings(world.viewer, Filter())


def test_a_removed_server_takes_its_listings_and_returns_with_them(world: World) -> None:
    """Its key too, so that its mail server goes on as before."""
    add_server(world.admin, "mx1")
    key = current_key(find_server(world.admin, "mx1"))
    block(world.admin, "203.0.113.7", server="mx1")
    block(world.admin, "203.0.113.8")
    change, count = remove_server(world.admin, "mx1")
    assert count == 1
    assert not servers_of(world.viewer)
    assert find_listings(world.viewer, Filter()).count() == 1
    undo(world.admin, change)
    assert current_key(find_server(world.viewer, "mx1")) == key
    assert find_listings(world.viewer, Filter()).count() == 2
