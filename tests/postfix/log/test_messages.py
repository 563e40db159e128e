"""Accepted mail: each recipient once, with what became of it, through filters and aliases."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmum.postfix.log.reader import LogReader, Settings
from mailmum.postfix.log.scores import Scores
from mailmum.traffic.sightings import Sighting, Update
from tests.postfix.log.reading import NOW, WHOLE, briefly, feed, lines, read

_FROM = "mail.sender.example[203.0.113.7]"
_SENT = "relay=mx1[private/lmtp], delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 ok)"
_LATER = "relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (connect: refused)"
_BACK = "relay=x[192.0.2.9]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (host said: 550)"


def accepted(queue_id: str, *rest: str, client: str = _FROM, pid: int = 9) -> list[str]:
    """Lines of a message that is accepted."""
    return [
        f"smtpd[{pid}]: connect from {client.partition(',')[0]}",
        f"smtpd[{pid}]: {queue_id}: client={client}",
        f"cleanup[2]: {queue_id}: message-id=<{queue_id}@sender.example>",
        f"qmgr[3]: {queue_id}: from=<a@sender.example>, size=900, nrcpt=1 (queue active)",
        f"smtpd[{pid}]: disconnect from {client.partition(',')[0]} ehlo=1 mail=1 rcpt=1 data=1",
        *rest,
    ]


def one(*rest: str, queue_id: str = "4C1bQ92zjTz9sV") -> list[Sighting]:
    """The sightings of one accepted message."""
    return read(lines(*accepted(queue_id, *(text.replace("QID", queue_id) for text in rest))))


@pytest.mark.parametrize("queue_id", ["4C1bQ92zjTz9sV", "8F1D02A", "ABCDEF0123", "3zzzzBQbcd1z2"])
def test_a_message_is_one_sighting(queue_id: str) -> None:
    """All that the log tells of it, with short and long queue ids."""
    (seen,) = one(
        f"lmtp[4]: QID: to=<b@here.example>, {_SENT}", "qmgr[3]: QID: removed", queue_id=queue_id
    )
    assert seen == Sighting(
        time=seen.time,
        host="mx1",
        service="smtpd",
        client="203.0.113.7",
        client_name="mail.sender.example",
        sender="a@sender.example",
        recipient="b@here.example",
        outcome=seen.outcome.ACCEPTED,
        code=250,
        queue_id=queue_id,
        delivery=seen.delivery,
    )
    assert seen.delivery == "sent"
    assert seen.time == NOW - 6399  # 08:00:01


@pytest.mark.parametrize(
    ("fates", "delivery"),
    [
        ([_SENT], "sent"),
        ([_LATER], "deferred"),
        ([_BACK], "bounced"),
        ([_LATER, _SENT], "sent"),
        ([_LATER, _LATER, _BACK], "bounced"),
    ],
)
def test_the_last_word_on_a_recipient(fates: list[str], delivery: str) -> None:
    """A message that was deferred may be sent yet."""
    seen = one(*(f"smtp[4]: QID: to=<b@here.example>, {fate}" for fate in fates))
    assert [(one.recipient, one.delivery) for one in seen] == [("b@here.example", delivery)]
    assert seen == one(
        *(f"smtp[4]: QID: to=<b@here.example>, {fate}" for fate in fates), "qmgr[3]: QID: removed"
    )


def test_every_agent_delivers() -> None:
    """Each recipient once, whoever delivers it."""
    agents = ["smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "relay/smtp"]
    seen = one(
        *(f"{agent}[4]: QID: to=<b{at}@here.example>, {_SENT}" for at, agent in enumerate(agents)),
        "qmgr[3]: QID: removed",
    )
    assert sorted(str(one.recipient) for one in seen) == [
        f"b{at}@here.example" for at in range(len(agents))
    ]


def test_an_alias_is_whom_the_client_named() -> None:
    """Several addresses behind one alias are one recipient; the worst of them is told."""
    seen = one(
        f"lmtp[4]: QID: to=<c@here.example>, orig_to=<all@here.example>, {_SENT}",
        f"smtp[4]: QID: to=<d@there.example>, orig_to=<all@here.example>, {_LATER}",
        "qmgr[3]: QID: removed",
    )
    assert [(one.recipient, one.delivery) for one in seen] == [("all@here.example", "deferred")]


def test_an_expired_message_has_bounced() -> None:
    """The queue manager gives it up."""
    (seen,) = one(
        f"smtp[4]: QID: to=<d@there.example>, {_LATER}",
        "qmgr[3]: QID: from=<a@sender.example>, status=expired, returned to sender",
        "bounce[5]: QID: sender non-delivery notification: 4C1bQ92zjTz9sX",
        "qmgr[3]: QID: removed",
    )
    assert seen.delivery == "bounced"


def test_odd_addresses() -> None:
    """Empty, quoted, UTF-8."""
    text = lines(*accepted("4C1bQ92zjTz9sV")).replace("from=<a@sender.example>", "from=<>")
    text += lines(f'lmtp[4]: 4C1bQ92zjTz9sV: to=<"ä, b>"@here.example>, {_SENT}')
    (seen,) = read(text)
    assert (seen.sender, seen.recipient) == ("", '"ä, b>"@here.example')


def test_old_formats_of_delivery() -> None:
    """Postfix 2.2 knew neither delays nor dsn; conn_use came with 2.3."""
    seen = one(
        "smtp[4]: QID: to=<b@here.example>, relay=x[192.0.2.9], delay=1, status=sent (250 ok)",
        "smtp[4]: QID: to=<c@here.example>, relay=x[192.0.2.9]:25, conn_use=2, delay=1, "
        "delays=1/0/0/0, dsn=2.0.0, status=sent (250 ok)",
    )
    assert [one.recipient for one in seen] == ["b@here.example", "c@here.example"]


_FILTERED = [
    *accepted("4C1bQ92zjTz9s1"),
    "smtpd[19]: connect from localhost[127.0.0.1]",
    "smtpd[19]: 4C1bQ92zjTz9s2: client=localhost[127.0.0.1]",
    "cleanup[2]: 4C1bQ92zjTz9s2: message-id=<4C1bQ92zjTz9s1@sender.example>",
    "qmgr[3]: 4C1bQ92zjTz9s2: from=<a@sender.example>, size=1300, nrcpt=1 (queue active)",
    "smtpd[19]: disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1",
]
_GIVEN_BACK = [
    (
        "smtp[4]: 4C1bQ92zjTz9s1: to=<b@here.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, "
        "delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): "
        "250 2.0.0 Ok: queued as 4C1bQ92zjTz9s2)"
    ),
    "qmgr[3]: 4C1bQ92zjTz9s1: removed",
]
_DELIVERED = [
    f"lmtp[5]: 4C1bQ92zjTz9s2: to=<b@here.example>, {_BACK}",
    "qmgr[3]: 4C1bQ92zjTz9s2: removed",
]


@pytest.mark.parametrize("second_first", [False, True])
def test_a_filter_gives_a_message_back(second_first: bool) -> None:
    """One contact, whose delivery is that of the second message, in either order of lines."""
    order = [_DELIVERED, _GIVEN_BACK] if second_first else [_GIVEN_BACK, _DELIVERED]
    (seen,) = read(lines(*_FILTERED, *order[0], *order[1]))
    assert (seen.client, seen.queue_id) == ("203.0.113.7", "4C1bQ92zjTz9s1")
    assert (seen.recipient, seen.delivery) == ("b@here.example", "bounced")


def test_a_filter_that_tells_the_first_message() -> None:
    """XFORWARD names it, before any delivery does."""
    text = lines(*_FILTERED, *_DELIVERED, *_GIVEN_BACK).replace(
        "client=localhost[127.0.0.1]",
        f"client=localhost[127.0.0.1], orig_queue_id=4C1bQ92zjTz9s1, orig_client={_FROM}",
    )
    (seen,) = read(text)
    assert (seen.client, seen.delivery) == ("203.0.113.7", "bounced")


def test_a_program_on_the_server_itself_is_a_client() -> None:
    """What comes from loopback and carries nothing on is a contact."""
    seen = read(lines(*_FILTERED[5:], *_DELIVERED))
    assert briefly(seen) == [("smtpd", "127.0.0.1", "accepted", "b@here.example")]


def test_a_filter_before_the_queue() -> None:
    """smtpd_proxy_filter: the outer session's client sent the inner session's message."""
    seen = read(
        lines(
            f"smtpd[8]: connect from {_FROM}",
            f"smtpd[8]: NOQUEUE: client={_FROM}",
            *accepted("4C1bQ92zjTz9s2", client="localhost[127.0.0.1]", pid=19),
            "smtpd[8]: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 4C1bQ92zjTz9s2; "
            "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>",
            f"smtpd[8]: disconnect from {_FROM}",
            *_DELIVERED,
        )
    )
    assert [(one.client, one.helo, one.delivery) for one in seen] == [
        ("203.0.113.7", "mail.sender.example", "bounced")
    ]


def test_a_forward_is_not_another_contact() -> None:
    """local(8) makes a new message for an address elsewhere."""
    (seen,) = one(
        "cleanup[2]: 4C1bQ92zjTz9s7: message-id=<x@sender.example>",
        "local[4]: QID: to=<b@here.example>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, "
        "status=sent (forwarded as 4C1bQ92zjTz9s7)",
        "qmgr[3]: QID: removed",
        "qmgr[3]: 4C1bQ92zjTz9s7: from=<a@sender.example>, size=9, nrcpt=1 (queue active)",
        f"smtp[4]: 4C1bQ92zjTz9s7: to=<b@there.example>, orig_to=<b@here.example>, {_LATER}",
    )
    assert (seen.recipient, seen.delivery) == ("b@here.example", "deferred")


@pytest.mark.parametrize("still_there", [False, True])
@pytest.mark.parametrize("last", [_SENT, _LATER, _BACK])
def test_a_forward_of_what_a_filter_gave_back(last: str, still_there: bool) -> None:
    """The third message says what became of the first, whenever the second leaves the queue."""
    gone = "qmgr[3]: 4C1bQ92zjTz9s2: removed"
    (seen,) = read(
        lines(
            *_FILTERED,
            *_GIVEN_BACK,
            "cleanup[2]: 4C1bQ92zjTz9s7: message-id=<x@sender.example>",
            "local[4]: 4C1bQ92zjTz9s2: to=<b@here.example>, relay=local, delay=1, "
            "delays=1/0/0/0, dsn=2.0.0, status=sent (forwarded as 4C1bQ92zjTz9s7)",
            *() if still_there else (gone,),
            "qmgr[3]: 4C1bQ92zjTz9s7: from=<a@sender.example>, size=9, nrcpt=1 (queue active)",
            f"smtp[4]: 4C1bQ92zjTz9s7: to=<b@there.example>, orig_to=<b@here.example>, {last}",
            *() if last is _LATER else ("qmgr[3]: 4C1bQ92zjTz9s7: removed",),
            *(gone,) if still_there and last is not _LATER else (),
        )
    )
    assert (seen.client, seen.recipient) == ("203.0.113.7", "b@here.example")
    assert seen.delivery == last.partition("status=")[2].partition(" ")[0]


def test_mail_without_a_client_is_no_contact() -> None:
    """From sendmail, and bounces."""
    assert (
        read(
            lines(
                "pickup[1]: 8F1D02A: uid=0 from=<root>",
                "cleanup[2]: 8F1D02A: message-id=<x@here.example>",
                "qmgr[3]: 8F1D02A: from=<root@here.example>, size=9, nrcpt=1 (queue active)",
                f"local[4]: 8F1D02A: to=<b@here.example>, {_SENT}",
                "qmgr[3]: 8F1D02A: removed",
            )
        )
        == []
    )


def test_a_queue_id_is_used_again() -> None:
    """Short ones are, soon; also where the log lost `removed`."""
    seen = read(
        lines(
            *accepted("8F1D02A", f"lmtp[4]: 8F1D02A: to=<b@here.example>, {_SENT}"),
            *accepted("8F1D02A", client="unknown[203.0.113.8]"),
            f"lmtp[4]: 8F1D02A: to=<c@here.example>, {_SENT}",
            "qmgr[3]: 8F1D02A: removed",
        )
    )
    assert [(one.client, one.recipient) for one in seen] == [
        ("203.0.113.7", "b@here.example"),
        ("203.0.113.8", "c@here.example"),
    ]


def test_the_same_queue_id_on_two_hosts() -> None:
    """Is two messages."""
    first = lines(*accepted("8F1D02A"), host="mx1")
    second = lines(*accepted("8F1D02A", client="unknown[203.0.113.8]"), host="mx2")
    ends = [
        lines(f"lmtp[4]: 8F1D02A: to=<{host}@here.example>, {_SENT}", host=host)
        for host in ("mx1", "mx2")
    ]
    seen = read(first + second + "".join(ends))
    assert sorted((one.host, one.client, one.recipient) for one in seen) == [
        ("mx1", "203.0.113.7", "mx1@here.example"),
        ("mx2", "203.0.113.8", "mx2@here.example"),
    ]


def test_a_client_that_leaves_before_the_end() -> None:
    """A queue id alone is no accepted mail."""
    (seen,) = read(
        lines(
            f"smtpd[9]: connect from {_FROM}",
            f"smtpd[9]: 8F1D02A: client={_FROM}",
            f"smtpd[9]: lost connection after DATA from {_FROM}",
            f"smtpd[9]: disconnect from {_FROM}",
        )
    )
    assert (seen.outcome, seen.client) == ("lost", "203.0.113.7")


def test_the_queue_manager_may_speak_after_the_client_left() -> None:
    """Then it is accepted mail, and nothing else."""
    seen = read(
        lines(
            f"smtpd[9]: connect from {_FROM}",
            f"smtpd[9]: 8F1D02A: client={_FROM}",
            f"smtpd[9]: disconnect from {_FROM}",
            "qmgr[3]: 8F1D02A: from=<a@sender.example>, size=9, nrcpt=1 (queue active)",
            f"lmtp[4]: 8F1D02A: to=<b@here.example>, {_SENT}",
        )
    )
    assert briefly(seen) == [("smtpd", "203.0.113.7", "accepted", "b@here.example")]


_CHECK = (
    f"from {_FROM}; from=<a@sender.example> to=<b@here.example> proto=ESMTP "
    "helo=<mail.sender.example>"
)


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        (
            f"reject: header Subject: buy from x[192.0.2.6]; now {_CHECK}: 5.7.1 not here",
            "rejected",
            "5.7.1 not here",
        ),
        (f"reject: body buy {_CHECK}: 4.7.1 later", "deferred", "4.7.1 later"),
        (f"discard: header Subject: buy {_CHECK}: gone", "accepted", "discard: header: gone"),
        (f"hold: header Subject: buy {_CHECK}: look", "accepted", "hold: header: look"),
        (
            (
                f"milter-reject: END-OF-MESSAGE from {_FROM}: 5.7.1 Spam message rejected; "
                "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>"
            ),
            "rejected",
            "5.7.1 Spam message rejected",
        ),
        (
            (
                f"milter-reject: END-OF-MESSAGE from {_FROM}: 4.7.1 Try again later; "
                "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>"
            ),
            "deferred",
            "4.7.1 Try again later",
        ),
        (
            (
                f"milter-discard: END-OF-MESSAGE from {_FROM}: milter triggers DISCARD action; "
                "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>"
            ),
            "accepted",
            "discard: milter triggers DISCARD action",
        ),
    ],
)
def test_cleanup_decides(text: str, outcome: str, reason: str) -> None:
    """header_checks, body_checks and milters: one sighting, of the client that sent it."""
    (seen,) = read(
        lines(
            f"smtpd[9]: connect from {_FROM}",
            f"smtpd[9]: 8F1D02A: client={_FROM}",
            "cleanup[2]: 8F1D02A: message-id=<x@sender.example>",
            f"cleanup[2]: 8F1D02A: {text}",
            f"smtpd[9]: disconnect from {_FROM}",
        )
    )
    assert (seen.outcome, seen.reason, seen.queue_id) == (outcome, reason, "8F1D02A")
    assert (seen.client, seen.helo) == ("203.0.113.7", "mail.sender.example")
    assert (seen.sender, seen.recipient) == ("a@sender.example", "b@here.example")
    assert (seen.delivery, seen.service) == (None, "smtpd")


def test_a_warning_of_header_checks_changes_nothing() -> None:
    """But it tells the HELO."""
    (seen,) = one(
        f"cleanup[2]: QID: warning: header Subject: buy {_CHECK}: hm",
        f"lmtp[4]: QID: to=<b@here.example>, {_SENT}",
    )
    assert (seen.outcome, seen.helo) == ("accepted", "mail.sender.example")


def test_smtpd_throws_away_or_holds() -> None:
    """Access maps: the client hears 250."""
    tail = "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>"
    for verb in ("discard", "hold"):
        (seen,) = read(
            lines(
                f"smtpd[9]: connect from {_FROM}",
                f"smtpd[9]: NOQUEUE: {verb}: RCPT from {_FROM}: <x>: Client host why; {tail}",
                f"smtpd[9]: 8F1D02A: client={_FROM}",
                "cleanup[2]: 8F1D02A: message-id=<x@sender.example>",
                f"smtpd[9]: disconnect from {_FROM}",
            )
        )
        assert (seen.outcome, seen.recipient, seen.delivery) == ("accepted", "b@here.example", None)
        assert seen.reason == f"{verb}: <x>: Client host why"


def test_a_refused_recipient_beside_an_accepted_one() -> None:
    """Two recipients, two sightings."""
    seen = read(
        lines(
            f"smtpd[9]: connect from {_FROM}",
            f"smtpd[9]: 8F1D02A: client={_FROM}",
            f"smtpd[9]: 8F1D02A: reject: RCPT from {_FROM}: 550 5.1.1 <no@here.example>: Recipient "
            "address rejected: User unknown; from=<a@sender.example> to=<no@here.example> "
            "proto=ESMTP helo=<mail.sender.example>",
            "qmgr[3]: 8F1D02A: from=<a@sender.example>, size=9, nrcpt=1 (queue active)",
            f"smtpd[9]: disconnect from {_FROM}",
            f"lmtp[4]: 8F1D02A: to=<b@here.example>, {_SENT}",
            "qmgr[3]: 8F1D02A: removed",
        )
    )
    assert [(one.outcome.value, one.recipient, one.queue_id) for one in seen] == [
        ("accepted", "b@here.example", "8F1D02A"),
        ("unknown-recipient", "no@here.example", "8F1D02A"),
    ]


def test_refused_at_the_end_of_data_is_not_accepted() -> None:
    """smtpd_end_of_data_restrictions, after recipients were accepted."""
    seen = read(
        lines(
            f"smtpd[9]: connect from {_FROM}",
            f"smtpd[9]: 8F1D02A: client={_FROM}",
            "cleanup[2]: 8F1D02A: message-id=<x@sender.example>",
            f"smtpd[9]: 8F1D02A: reject: END-OF-MESSAGE from {_FROM}: 554 5.7.1 <END-OF-MESSAGE>: "
            "End-of-data rejected: no; from=<a@sender.example> to=<b@here.example> proto=ESMTP "
            "helo=<mail.sender.example>",
            f"smtpd[9]: disconnect from {_FROM}",
        )
    )
    assert [one.outcome for one in seen] == ["rejected"]


# --- scores --------------------------------------------------------------------------------


def scored(filter_line: str, *, late: bool = False) -> tuple[list[Sighting], list[Update]]:
    """A message and what a filter says of it."""
    ends = lines(
        f"lmtp[4]: 4C1bQ92zjTz9sV: to=<b@here.example>, {_SENT}",
        "qmgr[3]: 4C1bQ92zjTz9sV: removed",
    )
    said = f"Nov 25 08:00:09 mx1 {filter_line}\n"
    text = lines(*accepted("4C1bQ92zjTz9sV")) + (ends + said if late else said + ends)
    return feed(LogReader(WHOLE), [text.encode()])


SCORES = [
    (
        "rspamd[77]: <5a2b1c>; proxy; rspamd_task_write_log: id: <4C1bQ92zjTz9sV@sender.example>, "
        "qid: <4C1bQ92zjTz9sV>, ip: 203.0.113.7, from: <a@sender.example>, "
        "(default: F (no action): "
        "[7.50/15.00] [BAYES_HAM(-3.00){99.9%;}]), len: 900, time: 10ms, dns req: 3, digest: <0>, "
        "rcpts: <b@here.example>, mime_rcpts: <b@here.example>"
    ),
    (
        "amavis[78]: (00078-01) Passed SPAMMY {RelayedTaggedInbound}, "
        "[203.0.113.7]:4000 [203.0.113.7] "
        "<a@sender.example> -> <b@here.example>, Queue-ID: 4C1bQ92zjTz9sV, Message-ID: "
        "<4C1bQ92zjTz9sV@sender.example>, mail_id: x, Hits: 7.5, size: 900, queued_as: 4C1, 800 ms"
    ),
    (
        "amavisd[78]: (00078-01) Blocked SPAM, [203.0.113.7] "
        "<a@sender.example> -> <b@here.example>, "
        "Message-ID: <4C1bQ92zjTz9sV@sender.example>, mail_id: x, Hits: 7.5, size: 900, 800 ms"
    ),
    (
        "spamd[79]: spamd: result: Y 7.5 - BAYES_50 scantime=1.0,size=900,user=b,uid=1,"
        "required_score=5.0,rhost=localhost,raddr=127.0.0.1,rport=4,mid=<4C1bQ92zjTz9sV@sender.example>,autolearn=no"
    ),
]


SPAM = [False, True, True, True]


@pytest.mark.parametrize("line", SCORES)
def test_a_filter_tells_the_score(line: str) -> None:
    """By queue id or by Message-ID."""
    ((seen,), _) = scored(line)
    assert (seen.score, seen.spam) == (7.5, SPAM[SCORES.index(line)])


@pytest.mark.parametrize("program", ["spamd[79]", "amavis[78]"])
def test_what_another_filter_quotes_is_not_rspamds(program: str) -> None:
    """Whoever sends mail writes into their lines, too."""
    quoted = SCORES[0].partition(": ")[2]
    assert Scores().read(f"mx1 {program}", f"checking message <x {quoted}> for b:1") is None


def test_spamd_rounds_on_its_second_line() -> None:
    """The line before it has the fraction."""
    exact = "spamd[79]: spamd: identified spam (7.4/5.0) for b:1 in 1.0 seconds, 900 bytes."
    ((seen,), _) = scored(f"{exact}\nNov 25 08:00:09 mx1 {SCORES[3].replace('Y 7.5', 'Y 7')}")
    assert seen.score == 7.4


@pytest.mark.parametrize("line", SCORES)
def test_a_late_score_is_an_update(line: str) -> None:
    """For a message that is handed out already, once filters were seen to log."""
    first = scored(line)[0]
    assert first
    text = (
        f"Nov 25 07:59:00 mx1 {line.replace('4C1bQ92zjTz9sV', '4C1bQ92zjTz9sA')}\n"
        + lines(
            *accepted("4C1bQ92zjTz9sV"),
            f"lmtp[4]: 4C1bQ92zjTz9sV: to=<b@here.example>, {_SENT}",
            "qmgr[3]: 4C1bQ92zjTz9sV: removed",
        )
        + f"Nov 25 08:00:09 mx1 {line}\n"
    )
    (seen,), (update,) = feed(LogReader(WHOLE), [text.encode()])
    spam = SPAM[SCORES.index(line)]
    assert update == Update(seen.time, "mx1", "4C1bQ92zjTz9sV", None, None, 7.5, spam)


def rspamd(
    queue_id: str, score: str = "7.50", action: str = "no action", **told: str
) -> tuple[str, str]:
    """Rspamd's line of a message, before its score and from there on, as its default format is."""
    word = {"message_id": "1@sender.example", "sender": "a@sender.example"} | told
    options = told.get("options", "")
    return (
        (
            "rspamd_proxy[77]: <5a2b1c>; proxy; rspamd_task_write_log: "
            f"id: <{word['message_id']}>, "
            f"qid: <{queue_id}>, ip: 203.0.113.7, from: <{word['sender']}>, "
        ),
        (
            f"(default: T ({action}): [{score}/15.00] [R_ONE(1.00){{{options}}}]), len: 900, "
            f"time: 10ms, dns req: 3, digest: <0>, mime_rcpts: <{told.get('to', 'b@here.example')}>"
        ),
    )


REFUSED = "8F1D02A: milter-reject: END-OF-MESSAGE from "


@pytest.mark.parametrize(
    ("action", "reply", "outcome"),
    [
        ("reject", "5.7.1 Spam message rejected", "rejected"),
        ("soft reject", "4.7.1 Try again later", "deferred"),
        ("Greylist_2", "4.7.1 Try again later", "deferred"),
    ],
)
def test_a_message_that_the_filter_turned_away_has_its_score(
    action: str, reply: str, outcome: str
) -> None:
    """Whether its line stands before the rejection or behind it; another's is not taken."""
    fields = "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<h>"
    begin = lines(
        f"smtpd[9]: connect from {_FROM}",
        f"smtpd[9]: 8F1D02A: client={_FROM}",
        "cleanup[2]: 8F1D02A: message-id=<1@sender.example>",
    )
    refused = f"Nov 25 08:00:04 mx1 postfix/cleanup[2]: {REFUSED}{_FROM}: {reply}; {fields}\n"
    other, own = (
        f"Nov 25 08:00:04 mx1 {''.join(rspamd(queue_id, score, action))}\n"
        for queue_id, score in (("8F1D02B", "1.00"), ("8F1D02A", "21.25"))
    )
    (seen,), updates = feed(LogReader(WHOLE), [(begin + other + own + refused).encode()])
    assert (seen.outcome, seen.queue_id, seen.score, updates) == (outcome, "8F1D02A", 21.25, [])
    assert seen.spam is True
    (seen,), updates = feed(LogReader(WHOLE), [(begin + other + refused + own).encode()])
    assert (seen.outcome, seen.score) == (outcome, None)
    assert updates == [Update(seen.time, "mx1", "8F1D02A", None, None, 21.25, True)]


PIECES = [
    "(default: F (no action): [-9.00/15.00]",
    ">, qid: <",
    "4C1bQ92zjTz9sX",
    "undef",
    ">, ",
    "(",
    ", from: <",
    " ",
    "a",
    "rspamd_task_write_log: id: <",
    ") for ",
    "result: ",
    ", Hits: 1",
]
WRITTEN = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


@given(WRITTEN, WRITTEN, WRITTEN, WRITTEN)
@example("(default:", " (default: F (no action): [-9.00/15.00]", "", "")
def test_nobody_writes_their_own_score(identity: str, sender: str, options: str, to: str) -> None:
    """Nor another message's: what stands in Message-ID and addresses is no word of the filter's."""
    told = {
        "message_id": identity.replace(" ", "?"),
        "sender": sender,
        "options": options,
        "to": to,
    }
    score = Scores().read(
        "mx1 rspamd_proxy[77]", "".join(rspamd("8F1D02A", **told)).partition(": ")[2]
    )
    assert score == (7.5, "8F1D02A", None, True)


@given(st.text(max_size=60), WRITTEN, st.integers(0, 400))
def test_any_line_of_a_filter_is_read_without_a_fault(text: str, words: str, end: int) -> None:
    """Cut short, too: a score and a queue id, or nothing."""
    whole = "".join(rspamd(text, options=words)).partition(": ")[2]
    for line in (f"rspamd_task_write_log: {text}{words}", whole[:end]):
        score = Scores().read("mx1 rspamd[7]", line)
        assert score is None or (score.queue_id is not None and len(score.queue_id) <= 40)


@given(WRITTEN)
def test_only_the_function_that_tells_scores_is_believed(subject: str) -> None:
    """Other lines of Rspamd quote subjects and addresses, too."""
    whole = "".join(rspamd("8F1D02A")).partition(": ")[2].removeprefix("<5a2b1c>; proxy; ")
    for told in (
        f"<5a2b1c>; lua; subject.lua:12: subject is {subject}{whole}",
        f"<5a2b1c>; task; rspamd_message_parse: loaded message; id: <{subject}{whole}>",
        f"(normal) <5a2b1c>; proxy; got {whole}",
        f"{subject} {whole}",
    ):
        assert Scores().read("mx1 rspamd[7]", told) is None


# --- Rspamd's own log ----------------------------------------------------------------------


def own(queue_id: str, score: str, second: int, severity: str = "") -> str:
    """A line of the log that Rspamd writes itself."""
    told = "".join(rspamd(queue_id, score)).partition("rspamd_proxy[77]: ")[2]
    return f"2026-11-25 08:00:{second:02} {severity}#1234(rspamd_proxy) {told}\n"


MAIL = lines(
    *accepted("4C1bQ92zjTz9sV"),
    f"lmtp[4]: 4C1bQ92zjTz9sV: to=<b@here.example>, {_SENT}",
    "qmgr[3]: 4C1bQ92zjTz9sV: removed",
)


@pytest.mark.parametrize("severity", ["", "[notice] "])
@pytest.mark.parametrize("before", [True, False])
def test_rspamds_own_log_beside_the_mail_log(severity: str, before: bool) -> None:
    """It names no host; read before the message or amid its lines, the score is the message's."""
    told = own("4C1bQ92zjTz9sA", "1.00", 1) + own("4C1bQ92zjTz9sV", "7.50", 2, severity)
    first, rest = MAIL[: MAIL.index("\n") + 1], MAIL[MAIL.index("\n") + 1 :]
    text = told + MAIL if before else first + told + rest
    (seen,), updates = feed(LogReader(WHOLE), [text.encode()])
    assert (seen.score, seen.spam, updates) == (7.5, True, [])


def test_a_queue_id_comes_again() -> None:
    """A score of hours before is another message's."""
    told = own("4C1bQ92zjTz9sV", "7.50", 2).replace(" 08:", " 06:")
    (seen,), _ = feed(LogReader(WHOLE), [(told + MAIL).encode()])
    assert (seen.score, seen.spam) == (None, None)


def test_rspamds_own_log_followed_alone() -> None:
    """It has news of what another stream reads, once that must have been handed out."""
    reader = live(30.0)
    time = WHOLE.now - 6400
    assert reader.feed(own("8F1D02A", "7.50", 2).encode()) == ([], [])
    reader = LogReader.load(reader.dump(), reader.settings)
    assert reader.tick(time + 60) == ([], [])
    _, (update,) = reader.tick(time + 200)
    assert update[1:] == ("", "8F1D02A", None, None, 7.5, True)
    assert abs(update.time - time) < 10
    assert reader.tick(time + 400) == ([], [])


# --- following -----------------------------------------------------------------------------


def live(hold: float = 5.0) -> LogReader:
    """A reader that follows."""
    return LogReader(Settings(WHOLE.now, WHOLE.zone, hold))


def test_what_is_settled_is_handed_out_at_once() -> None:
    """And what is not, after the hold; news come as updates."""
    reader = live()
    text = lines(*accepted("8F1D02A"), f"smtp[4]: 8F1D02A: to=<b@there.example>, {_LATER}")
    assert reader.feed(text.encode()) == ([], [])
    (seen,), updates = reader.tick(NOW)
    assert (seen.delivery, updates) == ("deferred", [])
    news = lines(f"smtp[4]: 8F1D02A: to=<b@there.example>, {_SENT}", "qmgr[3]: 8F1D02A: removed")
    sightings, (update,) = reader.feed(news.encode())
    assert sightings == []
    assert update[:5] == (seen.time, "mx1", "8F1D02A", "b@there.example", "sent")
    assert reader.finish() == ([], [])


@pytest.mark.parametrize("filters", [1, 2])
def test_what_a_filter_gave_back_waits_no_longer(filters: int) -> None:
    """The first message has left the queue, and one that carries it on stays in it for days."""
    reader = live(30.0)
    text = lines(*_FILTERED, *_GIVEN_BACK)
    if filters == 2:
        again = lines(*_FILTERED[5:], *_GIVEN_BACK).replace("9s2", "9s3").replace("9s1", "9s2")
        text += again
    last = f"4C1bQ92zjTz9s{filters + 1}"
    text += lines(f"smtp[5]: {last}: to=<b@here.example>, {_LATER}")
    assert reader.feed(text.encode()) == ([], [])
    (seen,), updates = reader.tick(NOW)
    assert (seen.client, seen.queue_id) == ("203.0.113.7", "4C1bQ92zjTz9s1")
    assert (seen.recipient, seen.delivery, updates) == ("b@here.example", "deferred", [])
    reader = LogReader.load(reader.dump(), reader.settings)
    news = lines(f"smtp[5]: {last}: to=<b@here.example>, {_SENT}", f"qmgr[3]: {last}: removed")
    sightings, (update,) = reader.feed(news.encode())
    assert sightings == []
    assert update[:5] == (seen.time, "mx1", seen.queue_id, "b@here.example", "sent")
    assert reader.finish() == ([], [])


def test_a_recipient_that_shows_after_the_hold() -> None:
    """It has been handed out without its name; a second one is a sighting of its own."""
    reader = live()
    reader.feed(lines(*accepted("8F1D02A")).encode())
    (blank,), _ = reader.tick(NOW)
    assert (blank.recipient, blank.delivery) == (None, None)
    more = lines(
        f"smtp[4]: 8F1D02A: to=<b@there.example>, {_SENT}",
        f"smtp[4]: 8F1D02A: to=<c@there.example>, {_BACK}",
        "qmgr[3]: 8F1D02A: removed",
    )
    (second,), (update,) = reader.feed(more.encode())
    assert update[:5] == (blank.time, "mx1", "8F1D02A", None, "sent")
    assert (second.recipient, second.delivery) == ("c@there.example", "bounced")


def test_followed_sessions_end_when_they_are_old() -> None:
    """A process that died says no more."""
    reader = live()
    reader.feed(lines(f"smtpd[9]: connect from {_FROM}").encode())
    assert reader.tick(NOW).sightings == []
    assert [one.outcome for one in reader.tick(NOW + 2 * 86400).sightings] == ["connected"]
