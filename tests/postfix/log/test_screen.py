"""postscreen: what a client comes to before smtpd sees it."""

import pytest

from tests.postfix.log.reading import lines, read

_PORT = "[203.0.113.7]:40000"


def screened(*said: str) -> str:
    """What postscreen and dnsblog say of a client."""
    return lines(
        f"postscreen[9]: CONNECT from {_PORT} to [192.0.2.1]:25",
        *(text if text.startswith("dnsblog") else f"postscreen[9]: {text}" for text in said),
    )


_LISTED = "dnsblog[8]: addr 203.0.113.7 listed by domain rbl.example as 127.0.0.2"
_RANK = f"DNSBL rank 5 for {_PORT}"
_END = f"DISCONNECT {_PORT}"


@pytest.mark.parametrize(
    ("said", "outcome", "rbl"),
    [
        ([_END], "connected", None),
        ([f"PREGREET 14 after 0.05 from {_PORT}: EHLO x\\r\\n", _END], "protocol", None),
        ([f"HANGUP after 0.3 from {_PORT} in tests after SMTP handshake", _END], "lost", None),
        (
            [f"COMMAND PIPELINING from {_PORT} after HELO: MAIL FROM:<x>\\r\\n", _END],
            "protocol",
            None,
        ),
        ([f"NON-SMTP COMMAND from {_PORT} after CONNECT: GET / HTTP/1.1", _END], "protocol", None),
        ([f"BARE NEWLINE from {_PORT} after HELO", _END], "protocol", None),
        ([f"COMMAND TIME LIMIT from {_PORT} after CONNECT", _END], "protocol", None),
        ([_LISTED, _RANK, _END], "rejected", "rbl.example"),
        (
            [_LISTED, _RANK, f"HANGUP after 1 from {_PORT} in tests before SMTP handshake", _END],
            "lost",
            None,
        ),
        ([_LISTED, _RANK, f"PASS NEW {_PORT}"], "warned", "rbl.example"),
        ([f"PREGREET 14 after 0.05 from {_PORT}: EHLO x", f"PASS OLD {_PORT}"], "warned", None),
        ([f"DENYLISTED {_PORT}", _END], "rejected", None),
        ([f"BLACKLISTED {_PORT}", _END], "rejected", None),
    ],
)
def test_a_client_is_one_sighting(said: list[str], outcome: str, rbl: str | None) -> None:
    """Of service postscreen."""
    (seen,) = read(screened(*said))
    assert (seen.outcome, seen.rbl, seen.client) == (outcome, rbl, "203.0.113.7")
    assert (seen.service, seen.client_name) == ("postscreen", None)


@pytest.mark.parametrize("word", ["PASS OLD", "PASS NEW", "ALLOWLISTED", "WHITELISTED"])
def test_who_passes_is_seen_by_smtpd(word: str) -> None:
    """And only there."""
    assert read(screened(f"{word} {_PORT}")) == []


@pytest.mark.parametrize(
    ("reply", "outcome", "code", "rbl"),
    [
        (
            "550 5.7.1 Service unavailable; client [203.0.113.7] blocked using rbl.example",
            "rejected",
            550,
            "rbl.example",
        ),
        (
            "550 5.7.1 Service unavailable; client [203.0.113.7] blocked using Hidden",
            "rejected",
            550,
            "rbl.example",
        ),
        ("450 4.3.2 Service currently unavailable", "deferred", 450, None),
        ("550 5.5.1 Protocol error", "protocol", 550, None),
    ],
)
def test_refused_recipients(reply: str, outcome: str, code: int, rbl: str | None) -> None:
    """One sighting each, none for the session."""
    refusal = (
        f"NOQUEUE: reject: RCPT from {_PORT}: {reply}; from=<a@sender.example>, "
        "to=<b@here.example>, proto=ESMTP, helo=<mail.sender.example>"
    )
    first, second = read(screened(_LISTED, _RANK, refusal, refusal, _END))
    assert first[1:] == second[1:]
    assert (first.outcome, first.code, first.rbl) == (outcome, code, rbl)
    assert (first.sender, first.recipient) == ("a@sender.example", "b@here.example")
    assert (first.helo, first.client) == ("mail.sender.example", "203.0.113.7")


def test_too_many_at_once() -> None:
    """A client that is sent away at CONNECT, without sender or recipient."""
    (seen,) = read(
        screened(
            f"NOQUEUE: reject: CONNECT from {_PORT}: too many connections",
            _END,
        )
    )
    assert (seen.outcome, seen.recipient) == ("deferred", None)


def test_every_list_that_names_a_client_is_told() -> None:
    """By the refusal and by the session, in the order in which dnsblog told them."""
    second = "dnsblog[7]: addr 203.0.113.7 listed by domain bl.copper.example as 127.0.0.3"
    refusal = (
        f"NOQUEUE: reject: RCPT from {_PORT}: 550 5.7.1 Service unavailable; client [203.0.113.7] "
        "blocked using bl.copper.example; from=<a@sender.example>, to=<b@here.example>, "
        "proto=ESMTP, helo=<mail.sender.example>"
    )
    both = ("rbl.example", "bl.copper.example")
    for rest, rbl in (([refusal], both[1]), ([], both[0])):
        (seen,) = read(screened(_LISTED, second, _RANK, *rest, _END))
        assert (seen.rbl, seen.named) == (rbl, both)
    (seen,) = read(screened(_LISTED, _RANK, _END))
    assert seen.named == ("rbl.example",)


def test_what_was_named_long_ago_is_not_told() -> None:
    """Of a list that named the client in a session before, and does no more."""
    first, second = screened(_LISTED, _RANK, _END), screened(_LISTED, _RANK, _END)
    later = second.replace("rbl.example", "bl.other.example").replace("Nov 25 08:", "Nov 25 09:")
    assert [seen.named for seen in read(first + later)] == [("rbl.example",), ("bl.other.example",)]


def test_a_refusal_for_something_else_names_no_list() -> None:
    """Nor does a client that went away."""
    refusal = (
        f"NOQUEUE: reject: RCPT from {_PORT}: 450 4.3.2 Service currently unavailable; "
        "from=<a@sender.example>, to=<b@here.example>, proto=ESMTP, helo=<x.example>"
    )
    hangup = f"HANGUP after 1 from {_PORT} in tests before SMTP handshake"
    for said in (refusal, hangup):
        (seen,) = read(screened(_LISTED, _RANK, said, _END))
        assert (seen.rbl, seen.named) == (None, ())
