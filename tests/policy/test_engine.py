"""The engine against a naive reading of the rules, and case by case."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.public import DEFAULT_TEXTS
from mailmum.domain.targets import parse_target
from mailmum.domain.verdicts import Verdict, Word, combine, decide, paused
from mailmum.index.index import Index
from mailmum.index.records import Changes, Everything, KeyRecord, ServerRecord
from mailmum.policy.actions import ALLOW, DUNNO
from mailmum.policy.engine import ACCESS, Answer, Engine
from mailmum.policy.requests import Request
from tests.domain import worlds
from tests.index.model import Model, key_of

KEY, OLD = "k7f3q9x2m4t8aaaa", "k7f3q9x2m4t8bbbb"
SERVER = ServerRecord(11, 1, "ref11", (KeyRecord(KEY), KeyRecord(OLD, until=100)))
URL = "https://mx.example.net"
ALLOWED = b"permit_auth_destination"


def listing(action: str, target: str, **more: object) -> Listing:
    """A person's listing for the whole account."""
    made = Listing(1, 1, 0, Action(action), parse_target(target), reason="Sent spam")
    return replace(made, **more)  # type: ignore[arg-type]


def engine(*listings: Listing, server: ServerRecord = SERVER) -> Engine:
    """An engine that knows these listings and one server."""
    made = Engine(URL)
    numbered = [replace(one, id=number) for number, one in enumerate(listings, start=1)]
    made.index = Index.build(Everything(1, (server,), numbered))
    return made


def request(address: str = "203.0.113.7", **more: str) -> Request:
    """A request of that server about a client."""
    fields = {"kind": ACCESS, "context": KEY, "address": address, "name": "unknown"}
    return Request(**{**fields, "reverse": "unknown", "helo": "mx.sender.example", **more})


def action(made: Engine, address: str = "203.0.113.7", **more: str) -> bytes:
    """What is answered about a client at time 0."""
    return made.answer(request(address, **more), now=0.0).action


@given(
    worlds.lists_of_listings(),
    st.one_of(worlds.addresses4(), worlds.addresses6().map(lambda address: -address)),
    st.lists(worlds.names(), min_size=3, max_size=3),
    worlds.times(),
)
def test_the_verdict_is_the_one_of_the_rules(
    listings: list[Listing], number: int, names: list[str], now: float
) -> None:
    """Allow beats block among address and names; only the verified name can allow."""
    model = Model({one.id: one for one in listings})
    made = Engine(URL)
    model.servers[12] = replace(model.servers[12], blocks_from=5)
    made.index = Index.build(model.everything())
    client = AddressSubject(6, -number) if number < 0 else AddressSubject(4, number)
    asked = Request(ACCESS, "", client.text, *names)
    for server in model.servers.values():
        subjects: list[Subject] = [client, *map(NameSubject, names)]
        verdicts = [decide(model.covering(server, subject, now)) for subject in subjects]
        claimed = [verdict for verdict in verdicts[2:] if verdict.word is Word.BLOCK]
        expected = Verdict(Word.NONE)
        if not client.is_loopback:
            expected = combine([*verdicts[:2], *claimed])
        if server.id == 12 and now < 5:
            expected = paused(expected)
        answer = made.answer(replace(asked, context=key_of(server.id)), now)
        assert answer.server == server.id
        assert (answer.verdict or "none") == expected.word
        check_action(answer, expected)


def check_action(answer: Answer, expected: Verdict) -> None:
    """Hold the action against the verdict and the reason of the listing that decided."""
    if expected.word is Word.BLOCK:
        assert expected.because is not None
        reason = expected.because.reason or DEFAULT_TEXTS[Action.BLOCK]
        assert answer.action.decode().startswith(
            (
                f"REJECT 5.7.1 {reason} See {URL}/why/ref",
                f"REJECT 5.7.1 {reason}. See {URL}/why/ref",
            )
        )
    else:
        assert answer.action == {Word.ALLOW: ALLOWED, Word.NONE: b"DUNNO"}[expected.word]


def test_a_blocked_address() -> None:
    """Reason and link, without the key; strangers are left alone."""
    made = engine(listing("block", "203.0.113.7"), listing("block", "2001:db8::/32"))
    assert (
        action(made) == b"REJECT 5.7.1 Sent spam. See https://mx.example.net/why/ref11/203.0.113.7"
    )
    assert action(made, "2001:db8::7").endswith(
        b" See https://mx.example.net/why/ref11/2001:db8::7"
    )
    assert action(made, "203.0.113.8") == b"DUNNO"


def test_a_block_without_reason_or_pages() -> None:
    """A plain sentence, and no link to nowhere."""
    made = engine(listing("block", "203.0.113.7", reason=""))
    made._public_url = ""
    assert action(made) == b"REJECT 5.7.1 Blocked by the mail server's own policy"


@pytest.mark.parametrize("name", ["name", "reverse", "helo"])
def test_each_name_can_block(name: str) -> None:
    """The link leads to the page about that name."""
    made = engine(listing("block", ".spam.example"))
    told = action(made, **{name: "Mail.Spam.example"})
    assert told == b"REJECT 5.7.1 Sent spam. See https://mx.example.net/why/ref11/mail.spam.example"


def test_an_odd_label_does_not_hide_a_domain() -> None:
    """And gets no link, since the page about it would not be found."""
    made = engine(listing("block", ".spam.example"))
    assert action(made, helo="a b.spam.example") == b"REJECT 5.7.1 Sent spam"


@pytest.mark.parametrize(("name", "allows"), [("name", True), ("reverse", False), ("helo", False)])
def test_only_the_verified_name_can_allow(name: str, allows: bool) -> None:
    """A client chooses its HELO, and the name in its own reverse zone."""
    made = engine(listing("block", "203.0.113.0/24"), listing("allow", "mail.friend.example"))
    told = action(made, **{name: "mail.friend.example"})
    assert told == ALLOWED if allows else told.startswith(b"REJECT")


def test_allow_beats_block_across_address_and_names() -> None:
    """Even a feed's allow of the address against a person's block of the name."""
    allowed = listing("allow", "203.0.113.0/24", source=Source.FEED, origin="partners")
    made = engine(allowed, listing("block", ".spam.example"))
    assert action(made, name="mail.spam.example", helo="mail.spam.example") == ALLOWED


def test_the_machine_itself_is_never_blocked() -> None:
    """Whatever names it goes by."""
    made = engine(listing("block", ".spam.example"), listing("block", "0.0.0.0/0"))
    for address in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"):
        assert action(made, address, helo="mail.spam.example") == b"DUNNO"


def test_without_an_address_names_decide() -> None:
    """A client that Postfix cannot name is not a fault."""
    made = engine(listing("block", ".spam.example"))
    assert action(made, "unknown", helo="mail.spam.example").startswith(b"REJECT")
    assert action(made, "unknown") == b"DUNNO"


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("", Answer(fault="no-key")),
        ("  ", Answer(fault="no-key")),
        ("k0000000000000000", Answer(fault="unknown-key")),
        ("\ufffd" * 100, Answer(fault="unknown-key")),
    ],
)
def test_who_may_not_ask_is_told_nothing(context: str, expected: Answer) -> None:
    """DUNNO, and a word for the log."""
    made = engine(listing("block", "0.0.0.0/0"))
    assert made.answer(request(context=context), 0.0) == expected


def test_a_revoked_key_blocks_nothing() -> None:
    """It counts to the second, and its use is told to the server's owner."""
    made = engine(listing("block", "0.0.0.0/0"))
    asked = request(context=OLD)
    assert made.answer(asked, 99.9).action.startswith(b"REJECT")
    assert made.answer(asked, 100.0) == Answer(server=11, revoked=OLD)


def test_a_key_in_any_case() -> None:
    """An administrator may have typed it."""
    made = engine(listing("block", "203.0.113.7"))
    assert action(made, context=f" {KEY.upper()} ").startswith(b"REJECT")


def test_where_only_an_allow_is_wanted() -> None:
    """Nothing is blocked there, and the verdict is counted all the same."""
    made = engine(listing("block", "203.0.113.0/24"), listing("allow", "203.0.113.8"))
    context = f"{KEY}:allow"
    assert action(made, "203.0.113.8", context=context) == ALLOW
    answer = made.answer(request("203.0.113.7", context=context), 0.0)
    assert (answer.action, answer.verdict) == (DUNNO, Action.BLOCK)
    assert action(made, "203.0.113.7").startswith(b"REJECT")


def test_a_reference_stays_when_others_take_the_name() -> None:
    """Tenants name their servers as they like: even as the reference of another's."""
    mine, theirs = replace(SERVER, name="mx1"), ServerRecord(12, 2, "ref12", (), name="mx1")
    hidden = replace(theirs, id=13, ref="ref13", name="ref11")
    block = replace(listing("block", "203.0.113.7"), account=2)
    made = Engine(URL)
    made.index = Index.build(Everything(1, (mine, theirs, hidden), [block]))
    assert made.answer(request(server="mx1"), 0.0).fault == "unknown-server"
    assert made.answer(request(server="ref11"), 0.0) == Answer(server=11)
    assert made.answer(request(server="ref12"), 0.0).server == 12


@pytest.mark.parametrize("server", [replace(SERVER, active=False), replace(SERVER, ends=0)])
def test_an_account_that_has_ended_blocks_nothing(server: ServerRecord) -> None:
    """Suspended or expired: mail flows."""
    made = engine(listing("block", "203.0.113.7"), server=server)
    assert made.answer(request(), 0.0) == Answer(server=11)


def test_other_kinds_of_request() -> None:
    """Nothing is known about them."""
    made = engine(listing("block", "203.0.113.7"))
    assert made.answer(request(kind="junk"), 0.0) == Answer(fault="unknown-request")


def test_without_an_index_mail_flows() -> None:
    """Also when changes arrive before it does."""
    made = Engine(URL)
    made.apply(Changes(2, servers=(SERVER,)))
    assert made.answer(request(), 0.0) == Answer(fault="not-ready")


def test_a_listing_holds_to_the_second() -> None:
    """Its end, and a change, take effect at the next request."""
    made = engine(listing("block", "203.0.113.7", expires=50))
    assert made.answer(request(), 49.9).verdict is Action.BLOCK
    assert made.answer(request(), 50.0).verdict is None
    made.apply(Changes(2, listings=(listing("block", "203.0.113.7", id=9),)))
    assert made.answer(request(), 60.0).verdict is Action.BLOCK


def test_a_block_without_a_reason_says_the_text_of_the_server() -> None:
    """A reason of its own comes first."""
    own = replace(SERVER, text="Not from there")
    for reason, says in (("", b"Not from there"), ("Sent spam", b"Sent spam")):
        made = engine(listing("block", "203.0.113.7", reason=reason), server=own)
        assert action(made).startswith(b"REJECT 5.7.1 " + says)
