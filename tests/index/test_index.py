"""The index against `decide` on random listings, and each of its parts by example."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, Subject, parse_subject
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NetworkTarget, parse_target
from mailmum.index.index import Index
from mailmum.index.records import Changes, Everything, KeyRecord, ServerRecord
from tests.domain.worlds import lists_of_listings, subject_in, subjects, times
from tests.index.model import Model, check, key_of, record_of

NOW = 100.0
KEY = key_of(11).encode()


@settings(max_examples=150)
@given(lists_of_listings(), st.lists(st.tuples(subjects(), times()), min_size=1, max_size=6))
def test_an_index_answers_as_decide_does(
    listings: list[Listing], asked: list[tuple[Subject, float]]
) -> None:
    """Built from any listings, about any client, on every server, at any moment."""
    model = Model({listing.id: listing for listing in listings})
    index = Index.build(model.everything())
    for subject, now in asked:
        check(index, model, subject, now)
    for one in listings[:6]:
        for last in (False, True):
            check(index, model, subject_in(one.target, last=last), asked[0][1])


@settings(max_examples=100)
@given(lists_of_listings(), lists_of_listings(most=10), st.data())
def test_changes_make_the_same_index_as_building_anew(
    before: list[Listing], after: list[Listing], data: st.DataObject
) -> None:
    """Listings added, changed and removed, in one batch, before and after a merge."""
    model = Model({listing.id: listing for listing in before})
    index = Index.build(model.everything())
    gone = [listing for listing in before if data.draw(st.booleans())]
    # A listing keeps its target, scope and account through all its changes.
    changed = [
        replace(one, target=was.target, scope=was.scope, account=was.account)
        if (was := model.listings.get(one.id))
        else one
        for one in after
    ]
    gone = [one for one in gone if one.id not in {new.id for new in changed}]
    old = [model.listings[one.id] for one in changed if one.id in model.listings]
    index.apply(Changes(1, listings=tuple(changed), gone=(*gone, *old)))
    for one in gone:
        del model.listings[one.id]
    model.listings.update({one.id: one for one in changed})
    asked = [(data.draw(subjects()), data.draw(times())) for _ in range(2)]
    asked += [(subject_in(one.target, last=False), data.draw(times())) for one in changed[:4]]
    for subject, now in asked:
        check(index, model, subject, now)
    index.finish_merge(index.begin_merge().run())
    assert index.overlay_size == 0
    for subject, now in asked:
        check(index, model, subject, now)


def listing(number: int, text: str, action: str = "block", scope: int = 0) -> Listing:
    """A person's listing of account 1."""
    return Listing(number, 1, scope, Action(action), parse_target(text))


def index_of(*listings: Listing, servers: tuple[ServerRecord, ...] = ()) -> Index:
    """An index of account 1 with server 11, or with other servers."""
    return Index.build(Everything(1, servers or (record_of(1, 11),), listings))


def found(index: Index, text: str, now: float = NOW, key: bytes = KEY) -> int | None:
    """The number of the listing that decides about a client on a server."""
    state = index.key(key, now)
    assert state is not None
    subject = parse_subject(text)
    if isinstance(subject, NameSubject):
        hit = index.find_name(state.server, subject.name, now)
    else:
        hit = index.find_address(state.server, subject.version, subject.address, now)
    return None if hit is None else hit.id


class TestKeys:
    """From a zone key to its server."""

    def test_unknown_keys(self) -> None:
        """Give nothing, in an empty index too."""
        assert Index().key(KEY, NOW) is None
        assert index_of().key(b"k99999999999", NOW) is None

    def test_a_key_is_revoked_from_its_second_on(self) -> None:
        """It still tells whose it was."""
        keys = (KeyRecord("current"), KeyRecord("old", until=100))
        index = index_of(servers=(replace(record_of(1, 11), keys=keys),))
        states = [index.key(b"current", 1e12), index.key(b"old", 99.9), index.key(b"old", 100)]
        assert [state and state.revoked for state in states] == [False, False, True]
        assert {state and state.server.record.id for state in states} == {11}

    def test_a_rotated_key(self) -> None:
        """A changed server brings its keys along; those it lost are unknown."""
        index = index_of(listing(1, "203.0.113.7"))
        record = replace(record_of(1, 11), keys=(KeyRecord("knew"),))
        index.apply(Changes(2, servers=(record,)))
        assert index.key(KEY, NOW) is None
        assert found(index, "203.0.113.7", key=b"knew") == 1

    def test_a_removed_server(self) -> None:
        """Is forgotten with its keys; removing it again changes nothing."""
        index = index_of()
        for position in (2, 3):
            index.apply(Changes(position, gone_servers=(11,)))
        assert index.key(KEY, NOW) is None

    def test_a_key_that_moved_stays_with_its_new_server(self) -> None:
        """Whatever happens to the old one afterwards."""
        index = index_of()
        index.apply(Changes(2, servers=(replace(record_of(1, 12), keys=(KeyRecord(key_of(11)),)),)))
        index.apply(Changes(3, gone_servers=(11,)))
        state = index.key(KEY, NOW)
        assert state is not None
        assert state.server.record.id == 12


class TestServers:
    """What holds for which server."""

    def test_a_server_that_comes_later_finds_the_accounts_listings(self) -> None:
        """And its own."""
        index = index_of(listing(1, "203.0.113.7"), listing(2, "203.0.113.8", scope=12))
        index.apply(Changes(2, servers=(record_of(1, 12),)))
        key = key_of(12).encode()
        assert [found(index, text, key=key) for text in ("203.0.113.7", "203.0.113.8")] == [1, 2]
        assert found(index, "203.0.113.8") is None

    @pytest.mark.parametrize("text", ["203.0.113.7", "2001:db8::7", "mail.spam.example"])
    def test_an_inactive_server_lists_nothing(self, text: str) -> None:
        """Until it is active again, or from the second at which its account ends."""
        index = index_of(listing(1, text))
        index.apply(Changes(2, servers=(replace(record_of(1, 11), active=False),)))
        assert found(index, text) is None
        index.apply(Changes(3, servers=(replace(record_of(1, 11), ends=200),)))
        assert [found(index, text, now=now) for now in (199.9, 200.0)] == [1, None]

    def test_nothing_lies_below_on_an_inactive_server(self) -> None:
        """Neither names nor addresses."""
        index = index_of(listing(1, "mail.spam.example"), listing(2, "2001:db8::/32"))
        for active in (True, False):
            index.apply(Changes(2, servers=(replace(record_of(1, 11), active=active),)))
            state = index.key(KEY, NOW)
            assert state is not None
            server = state.server
            assert index.name_below(server, "example", Action.BLOCK, NOW) is active
            first = 0x2001 << 112
            assert index.address_below(server, 6, first, 16, Action.BLOCK, NOW) is active


class TestLoopback:
    """The machine itself, about which there is never a verdict."""

    @pytest.mark.parametrize("text", ["127.0.0.0", "127.0.0.2", "127.255.255.255", "::1"])
    def test_addresses(self, text: str) -> None:
        """Whatever covers them; the addresses beside them are found."""
        index = index_of(listing(1, "0.0.0.0/0"), listing(2, "::/0"))
        assert found(index, text) is None
        assert found(index, "126.255.255.255") == found(index, "128.0.0.0") == 1
        assert found(index, "::") == found(index, "::2") == 2
        assert index.covering(1, 11, parse_subject(text), NOW) == []

    def test_names(self) -> None:
        """`localhost` and below, not what merely ends in the same letters."""
        index = index_of(listing(1, ".localhost"), listing(2, ".example"))
        assert found(index, "localhost") is None
        assert found(index, "a.localhost") is None
        assert found(index, "localhost.example") == 2


class TestChanges:
    """What `apply` promises."""

    def test_the_same_batch_twice_changes_nothing(self) -> None:
        """Position and answers are the same after each time."""
        index = index_of(listing(1, "203.0.113.7"))
        batch = Changes(
            2,
            listings=(replace(listing(1, "203.0.113.7", "allow")), listing(2, "203.0.113.8")),
            gone=(listing(1, "203.0.113.7"),),
        )
        for _ in range(3):
            index.apply(batch)
            covering = index.covering(1, 11, AddressSubject(4, 0xCB007107), NOW)
            assert [(one.id, one.action) for one in covering] == [(1, Action.ALLOW)]
            assert (index.position, found(index, "203.0.113.8")) == (2, 2)

    def test_an_older_batch_changes_nothing(self) -> None:
        """A listing that is gone does not come back."""
        index = index_of()
        first = Changes(2, listings=(listing(1, "203.0.113.7"),))
        index.apply(first)
        index.apply(Changes(3, gone=(listing(1, "203.0.113.7"),)))
        index.apply(first)
        assert (index.position, found(index, "203.0.113.7")) == (3, None)

    def test_a_position_may_come_in_parts(self) -> None:
        """Batches of bounded size share one position until the last."""
        index = index_of()
        for number in (1, 2):
            index.apply(Changes(5, listings=(listing(number, f"203.0.113.{number}"),)))
        assert (found(index, "203.0.113.1"), found(index, "203.0.113.2")) == (1, 2)

    @pytest.mark.parametrize("text", ["203.0.113.7", "203.0.113.0/24", "a.spam.example"])
    def test_a_listing_that_becomes_a_machines(self, text: str) -> None:
        """It moves between tiers and is found once."""
        person = listing(1, text)
        feed = replace(person, source=Source.FEED, origin="list", action=Action.ALLOW)
        index = index_of(person)
        index.apply(Changes(2, listings=(feed,), gone=(person,)))
        subject = parse_subject(text.replace("0/24", "7"))
        assert index.covering(1, 11, subject, NOW) == [feed]

    def test_a_disabled_listing_is_gone(self) -> None:
        """Even where the batch does not say what it was."""
        index = index_of(listing(1, "203.0.113.7"), listing(2, "spam.example"))
        off = [
            replace(listing(1, "203.0.113.7"), enabled=False),
            replace(listing(2, "spam.example"), enabled=False),
        ]
        index.apply(Changes(2, listings=tuple(off)))
        assert found(index, "203.0.113.7") is None
        assert found(index, "spam.example") is None

    def test_what_is_not_there_is_removed_without_trace(self) -> None:
        """In tables that exist and in tables that don't."""
        index = index_of(listing(1, "203.0.113.7"))
        absent = [
            listing(2, "203.0.113.7"), listing(3, "203.0.113.8"), listing(4, "2001:db8::/32"),
            listing(5, "spam.example"),
        ]  # fmt: skip
        index.apply(Changes(2, gone=tuple(absent)))
        assert index.overlay_size == 0
        assert found(index, "203.0.113.7") == 1


class TestSeveralOfOneTarget:
    """Which of several listings of one target in one table decides."""

    @pytest.mark.parametrize("text", ["203.0.113.7", "203.0.113.0/24", "2001:db8::/64", ".example"])
    @pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
    def test_allow_then_the_lowest_number(self, text: str, order: tuple[int, ...]) -> None:
        """Whether built, changed later or merged, in whatever order they came."""
        made = {
            1: listing(1, text),
            2: replace(listing(2, text, "allow"), expires=150),
            3: listing(3, text, "allow"),
        }
        client = {"203.0.113.0/24": "203.0.113.7", "2001:db8::/64": "2001:db8::7"}.get(text, text)
        client = client.removeprefix(".")
        built = index_of(*(made[number] for number in order))
        changed = index_of(listing(9, "192.0.2.1"), listing(8, ".top"))
        for number in order:
            changed.apply(Changes(2, listings=(made[number],)))
        for index in (built, changed):
            for _ in range(2):
                assert [found(index, client, now=now) for now in (149, 150)] == [2, 3]
                index.finish_merge(index.begin_merge().run())
            index.apply(Changes(3, gone=(made[3],)))
            assert [found(index, client, now=now) for now in (149, 150)] == [2, 1]


class TestMerges:
    """Merges that take a while."""

    def test_what_changes_meanwhile_stays(self) -> None:
        """Changes after the beginning of a merge outlive its end, in both directions."""
        index = index_of(listing(1, "203.0.113.1"))
        index.apply(Changes(2, listings=(listing(2, "203.0.113.2"), listing(3, "203.0.113.3"))))
        plan = index.begin_merge()
        index.apply(
            Changes(
                3, listings=(listing(4, "203.0.113.4"),),
                gone=(listing(2, "203.0.113.2"), listing(1, "203.0.113.1")),
            )
        )  # fmt: skip
        merged = plan.run()
        for _ in range(2):
            texts = [f"203.0.113.{last}" for last in range(1, 5)]
            assert [found(index, text) for text in texts] == [None, None, 3, 4]
            index.finish_merge(merged)
        assert index.overlay_size == 3

    def test_a_merge_that_was_overtaken_is_dropped(self) -> None:
        """Of two that began together the first to end counts; nothing is lost."""
        index = index_of(listing(1, "203.0.113.1"))
        index.apply(Changes(2, listings=(listing(2, "203.0.113.2"),)))
        slow = index.begin_merge()
        index.finish_merge(index.begin_merge().run())
        index.apply(Changes(3, gone=(listing(1, "203.0.113.1"),)))
        index.finish_merge(slow.run())
        assert [found(index, f"203.0.113.{last}") for last in (1, 2)] == [None, 2]

    def test_empty_tables_are_dropped(self) -> None:
        """And made anew when something is listed again."""
        one, name = listing(1, "203.0.113.7"), listing(2, "spam.example")
        index = index_of(one, name)
        for position in (2, 5, 8):
            index.apply(Changes(position, gone=(one, name)))
            index.finish_merge(index.begin_merge().run())
            image = index.image()
            assert not image.bases
            assert not image.names
            state = index.key(KEY, NOW)
            assert state is not None
            assert (state.server.stages4, state.server.stages_of_names) == ((), ())
            assert (found(index, "203.0.113.7"), found(index, "spam.example")) == (None, None)
            index.apply(Changes(position + 1, listings=(one, name)))
            assert (found(index, "203.0.113.7"), found(index, "spam.example")) == (1, 2)

    def test_a_late_merge_of_a_dropped_table_is_dropped_too(self) -> None:
        """The table of the same name that was made meanwhile is another one."""
        one = listing(1, "203.0.113.7")
        index = index_of(one)
        index.apply(Changes(2, gone=(one,)))
        plan = index.begin_merge()
        late = index.begin_merge()
        index.finish_merge(plan.run())
        index.apply(Changes(3, listings=(listing(2, "203.0.113.7"),)))
        index.finish_merge(late.run())
        assert found(index, "203.0.113.7") == 2


class TestBelow:
    """Overlaps in tables with very many listings."""

    def test_thousands_of_others_are_answered_with_yes(self) -> None:
        """The search stops there; "no data" does no harm, "no such name" would hide a listing."""
        many = [listing(number + 1, f"2001:db8::{number:x}", "allow") for number in range(3000)]
        index = index_of(*many)
        state = index.key(KEY, NOW)
        assert state is not None
        target = parse_target("2001:db8::/112")
        assert isinstance(target, NetworkTarget)
        ask = (state.server, 6, target.first, 112, Action.BLOCK, NOW)
        assert index.address_below(*ask) is True
        index.apply(Changes(2, gone=tuple(many[1500:])))
        index.finish_merge(index.begin_merge().run())
        assert index.address_below(*ask) is False
