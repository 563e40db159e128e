"""Sessions: what each comes to, one sighting for each recipient or one for the session."""

import pytest

from mailmum.postfix.log.reader import LogReader
from tests.postfix.log.reading import WHOLE, briefly, lines, read

_FROM = "mail.sender.example[203.0.113.7]"
_TAIL = "from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>"


def session(*said: str, service: str = "smtpd") -> str:
    """A session of one smtpd that says these lines."""
    return lines(
        f"{service}[9]: connect from {_FROM}",
        *(f"{service}[9]: {text}" for text in said),
        f"{service}[9]: disconnect from {_FROM} ehlo=1 quit=1 commands=2",
    )


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([], "connected"),
        ([f"lost connection after CONNECT from {_FROM}"], "lost"),
        ([f"lost connection after DATA (1234 bytes) from {_FROM}"], "lost"),
        ([f"timeout after END-OF-MESSAGE from {_FROM}"], "lost"),
        ([f"too many errors after RCPT from {_FROM}"], "protocol"),
        ([f"improper command pipelining after EHLO from {_FROM}: QUIT\\r\\n"], "protocol"),
        ([f"warning: non-SMTP command from {_FROM}: GET / HTTP/1.1"], "protocol"),
        ([f"warning: Illegal address syntax from {_FROM} in MAIL command: <a b>"], "protocol"),
        ([f"warning: {_FROM}: SASL LOGIN authentication failed: UGFzc3dvcmQ6"], "auth-failed"),
        (
            [
                (
                    f"warning: {_FROM}: SASL PLAIN authentication failed: (reason unavailable), "
                    "sasl_username=info@here.example"
                ),
                f"lost connection after AUTH from {_FROM}",
            ],
            "auth-failed",
        ),
        (
            [
                f"warning: {_FROM}: SASL LOGIN authentication failed: authentication failure",
                f"too many errors after AUTH from {_FROM}",
                f"lost connection after AUTH from {_FROM}",
            ],
            "auth-failed",
        ),
        (
            [
                (
                    f"warning: {_FROM}: SASL PLAIN authentication failed: Connection lost to "
                    "authentication server"
                )
            ],
            "connected",
        ),
        (
            [f"SSL_accept error from {_FROM}: -1", f"lost connection after STARTTLS from {_FROM}"],
            "lost",
        ),
        (
            [f"Anonymous TLS connection established from {_FROM}: TLSv1.3 with cipher X"],
            "connected",
        ),
    ],
)
def test_a_session_is_one_sighting(said: list[str], outcome: str) -> None:
    """The most telling thing that happened decides."""
    (seen,) = read(session(*said))
    assert (seen.outcome, seen.client, seen.client_name) == (
        outcome,
        "203.0.113.7",
        "mail.sender.example",
    )
    assert (seen.recipient, seen.queue_id) == (None, None)


@pytest.mark.parametrize(
    ("tag", "service"),
    [
        ("smtpd", "smtpd"),
        ("submission/smtpd", "submission/smtpd"),
        ("smtps/smtpd", "smtps/smtpd"),
    ],
)
def test_services_keep_their_names(tag: str, service: str) -> None:
    """Submission and smtps are told apart; the syslog name is not part of it."""
    (seen,) = read(session(service=tag))
    assert seen.service == service
    renamed = session(service=tag).replace("postfix/", "postfix-in/")
    assert [one.service for one in read(renamed)] == [service]
    assert [one.service for one in read(renamed.replace("postfix-in/", "mta/"))] == [service]


def test_each_refused_recipient_is_one_sighting() -> None:
    """And then none for the session, whatever else happened."""
    seen = read(
        session(
            f"NOQUEUE: reject: RCPT from {_FROM}: 550 5.1.1 <b@here.example>: Recipient address "
            f"rejected: User unknown; {_TAIL}",
            f"NOQUEUE: reject: RCPT from {_FROM}: 554 5.7.1 <b@here.example>: Relay access denied; "
            f"{_TAIL}",
            f"lost connection after RCPT from {_FROM}",
        )
    )
    assert [one.outcome for one in seen] == ["unknown-recipient", "relay-denied"]


@pytest.mark.parametrize(
    "text",
    [
        "warning: file system clock is 1 seconds ahead of local clock",
        "warning: resetting file time stamps - this hurts performance",
    ],
)
def test_a_warning_about_the_machine_is_understood(text: str) -> None:
    """It is about no client (`cleanup` on a busy machine)."""
    reader = LogReader(WHOLE)
    reader.feed(lines(f"cleanup[9]: {text}").encode())
    assert (reader.unrecognised, list(reader.samples)) == (0, [])


def test_a_warning_is_not_a_refusal() -> None:
    """reject_warning tells what would have been."""
    (seen,) = read(
        session(
            f"NOQUEUE: reject_warning: RCPT from {_FROM}: 554 5.7.1 Service unavailable; Client "
            f"host [203.0.113.7] blocked using rbl.example; {_TAIL}"
        )
    )
    assert (seen.outcome, seen.rbl, seen.code) == ("warned", "rbl.example", 554)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Connection rate limit exceeded: 31", 421),
        ("Connection concurrency limit exceeded: 51", 421),
        ("Message delivery request rate limit exceeded: 11", 450),
        ("Recipient address rate limit exceeded: 101", 450),
        ("New TLS session rate limit exceeded: 9", 421),
        ("AUTH command rate limit exceeded: 9", 450),
    ],
)
def test_limits_of_rate_defer(text: str, code: int) -> None:
    """Anvil's limits turn a client away for a while."""
    (seen,) = read(session(f"warning: {text} from {_FROM} for service smtp"))
    assert (seen.outcome, seen.code, seen.client) == ("deferred", code, "203.0.113.7")
    assert seen.reason is not None
    assert seen.reason.startswith(text)


def test_a_process_is_used_again() -> None:
    """Also where the log lost a disconnect."""
    seen = read(
        lines(
            "smtpd[9]: connect from unknown[192.0.2.1]",
            "smtpd[9]: connect from unknown[192.0.2.2]",
            "smtpd[9]: lost connection after EHLO from unknown[192.0.2.2]",
            "smtpd[9]: disconnect from unknown[192.0.2.2]",
            "smtpd[9]: connect from unknown[192.0.2.3]",
        )
    )
    assert briefly(seen) == [
        ("smtpd", "192.0.2.1", "connected", None),
        ("smtpd", "192.0.2.2", "lost", None),
        ("smtpd", "192.0.2.3", "connected", None),
    ]


def test_the_same_process_id_on_two_hosts() -> None:
    """Is two processes."""
    one = lines("smtpd[9]: connect from unknown[192.0.2.1]", host="mx1")
    two = lines("smtpd[9]: connect from unknown[192.0.2.2]", host="mx2")
    end = lines("smtpd[9]: lost connection after EHLO from unknown[192.0.2.1]", host="mx1")
    assert [(seen.host, seen.outcome) for seen in read(one + two + end)] == [
        ("mx1", "lost"),
        ("mx2", "connected"),
    ]


def test_a_proxy_names_the_client_later() -> None:
    """XCLIENT: lines after it name the client, `connect` named the proxy."""
    seen = read(
        lines(
            "smtpd[9]: connect from localhost[127.0.0.1]",
            "smtpd[9]: lost connection after RCPT from unknown[2001:DB8::1]",
            "smtpd[9]: disconnect from unknown[2001:DB8::1]",
        )
    )
    assert briefly(seen) == [("smtpd", "2001:db8::1", "lost", None)]


def test_lines_without_a_beginning() -> None:
    """A log that begins in the middle: what is told is told, an end alone is nothing."""
    assert read(lines("smtpd[9]: disconnect from unknown[192.0.2.1] ehlo=1 quit=1")) == []
    (seen,) = read(lines("smtpd[9]: lost connection after EHLO from unknown[192.0.2.1]"))
    assert seen.outcome == "lost"


def test_repeated_lines_count_again() -> None:
    """Rsyslog's `message repeated` and syslogd's `last message repeated`."""
    refusal = (
        f"NOQUEUE: reject: RCPT from {_FROM}: 554 5.7.1 <b@here.example>: Relay access denied; "
        f"{_TAIL}"
    )
    assert len(read(session(refusal, f"message repeated 3 times: [ {refusal}]"))) == 4
    last = session(refusal).splitlines(keepends=True)
    last.insert(2, "Nov 25 08:00:05 mx1 last message repeated 2 times\n")
    assert len(read("".join(last))) == 3


@pytest.mark.parametrize("refused_first", [True, False])
def test_a_failed_login_shows_beside_recipients(refused_first: bool) -> None:
    """Once a session, whatever else came of it."""
    failed = f"warning: {_FROM}: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
    refusal = f"NOQUEUE: reject: RCPT from {_FROM}: 554 5.7.1 <b@here.example>: no; {_TAIL}"
    said = [refusal, failed, failed] if refused_first else [failed, failed, refusal]
    assert sorted(one[2] for one in briefly(read(session(*said)))) == ["auth-failed", "rejected"]
    accepted = lines(
        f"smtpd[9]: connect from {_FROM}",
        f"smtpd[9]: {failed}",
        f"smtpd[9]: 4Bx1z9sVt0: client={_FROM}",
        "qmgr[3]: 4Bx1z9sVt0: from=<a@sender.example>, size=9, nrcpt=1 (queue active)",
        f"smtpd[9]: disconnect from {_FROM} ehlo=1 quit=1 commands=2",
        "lmtp[4]: 4Bx1z9sVt0: to=<b@here.example>, relay=x, status=sent (ok)",
        "qmgr[3]: 4Bx1z9sVt0: removed",
    )
    assert sorted(one[2] for one in briefly(read(accepted))) == ["accepted", "auth-failed"]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("warning: hostname mail.example does not resolve to address 192.0.2.1", True),
        ("warning: 7.2.0.192.rbl.example: RBL lookup error: Host or domain name not found", True),
        ("warning: TLS library problem: error:0A000126:SSL routines::unexpected eof", True),
        ("warning: the moon is full", False),
        ("fatal: open database /etc/aliases.db: No such file or directory", True),
        ("fatally wrong", False),
        ("addr 192.0.2.1 does something new", False),
        ("> mail.sender.example[203.0.113.7]: 250 ok", True),
        ("> something new", False),
        ("12 new things", False),
    ],
)
def test_what_is_known_of_postfix_itself(text: str, known: bool) -> None:
    """What nobody knows is counted as not understood, also when it is a warning."""
    reader = LogReader(WHOLE)
    reader.feed(lines(f"smtpd[9]: {text}").encode())
    reader.finish()
    assert (reader.foreign, reader.unrecognised) == (0, 0 if known else 1)


def test_what_tlsproxy_says_is_no_contact() -> None:
    """Its sessions are those of postscreen, which tells of them."""
    reader = LogReader(WHOLE)
    for text in ("CONNECT from", "DISCONNECT", "Anonymous TLS connection established from"):
        reader.feed(lines(f"tlsproxy[9]: {text} [192.0.2.1]:40000").encode())
    assert (reader.finish().sightings, reader.unrecognised) == ([], 0)


def test_mail_programs_that_say_something_new() -> None:
    """Are counted and shown; other programs are not looked at."""
    reader = LogReader(WHOLE)
    reader.feed(
        b"Nov 25 08:00:00 mx1 postfix/smtpd[1]: a line of times to come\n"
        b"Nov 25 08:00:00 mx1 postfix/future[1]: whatever\n"
        b"Nov 25 08:00:00 mx1 dovecot: imap-login: Login: user=<a>\n"
        b"Nov 25 08:00:00 mx1 postfix/policy-spf[1]: Policy action=PREPEND\n"
        b"no header at all\n"
        b"Nov 25 08:00:00 mx1 postfix/anvil[1]: statistics: max cache size 2 at Nov 25 07:00:00\n"
    )
    reader.finish()
    assert (reader.lines, reader.foreign, reader.unrecognised) == (6, 3, 2)
    assert list(reader.samples) == [
        "a line of times to come",
        "whatever",
    ]
