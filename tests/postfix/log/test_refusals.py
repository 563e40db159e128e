"""Refusals of smtpd, line by line: outcome, code, list, and whose words are whose."""

import pytest

from mailmum.postfix.log.refusals import judge, refusal
from mailmum.traffic.sightings import Outcome
from tests.postfix.log.reading import lines, read

_TAIL = "; from=<a@sender.example> to=<b@here.example> proto=ESMTP helo=<mail.sender.example>"
_BOX = "<b@here.example>: Recipient address rejected: "
_CLIENT = "Client host rejected: "

REPLIES = [
    (
        (
            "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using "
            "zen.rbl.example; https://www.rbl.example/query/ip/203.0.113.7"
        ),
        "rejected",
        "zen.rbl.example",
    ),
    (
        "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using RBL.Example",
        "rejected",
        "rbl.example",
    ),
    (
        (
            "554 5.7.1 Service unavailable; Sender address [a@sender.example] blocked using "
            "dbl.rbl.example; listed"
        ),
        "rejected",
        "dbl.rbl.example",
    ),
    (
        (
            "554 5.7.1 Service unavailable; Helo command [mail.sender.example] blocked using "
            "dbl.rbl.example;"
        ),
        "rejected",
        "dbl.rbl.example",
    ),
    (
        "451 4.7.1 Service unavailable; Client host [203.0.113.7] blocked using soft.rbl.example",
        "deferred",
        "soft.rbl.example",
    ),
    (
        "554 5.7.1 Rejected: 203.0.113.7 is listed in the bl.rbl.example list",
        "rejected",
        "bl.rbl.example",
    ),
    (
        "554 5.7.1 <unknown[203.0.113.7]>: Client host rejected: blocked by ourlist",
        "rejected",
        "ourlist",
    ),
    (
        (
            "554 5.7.1 <unknown[203.0.113.7]>: Client host rejected: "
            "blocked by bad.local.example for spam"
        ),
        "rejected",
        "bad.local.example",
    ),
    (
        "554 5.7.1 <unknown[203.0.113.7]>: Client host rejected: blocked by our policy",
        "rejected",
        None,
    ),
    ("550 5.1.1 " + _BOX + "User unknown in local recipient table", "unknown-recipient", None),
    ("550 5.1.1 " + _BOX + "User unknown in virtual mailbox table", "unknown-recipient", None),
    ("550 5.1.1 " + _BOX + "User unknown in virtual alias table", "unknown-recipient", None),
    ("550 5.1.1 " + _BOX + "User unknown in relay recipient table", "unknown-recipient", None),
    ("550 5.1.1 " + _BOX + "User unknown", "unknown-recipient", None),
    ("450 4.1.1 " + _BOX + "User unknown in local recipient table", "unknown-recipient", None),
    (
        "550 5.1.1 " + _BOX + "undeliverable address: host mx2.here.example[192.0.2.9] said: "
        "550 5.1.1 <b@here.example>: no (in reply to RCPT TO command)",
        "unknown-recipient",
        None,
    ),
    ("550 5.1.1 " + _BOX + 'unverified address: unknown user: "b"', "unknown-recipient", None),
    (
        "450 4.1.1 " + _BOX + "unverified address: Address verification in progress",
        "deferred",
        None,
    ),
    ("550 5.1.1 <b@here.example>: no such user here", "unknown-recipient", None),
    ("554 5.7.1 <b@here.example>: Relay access denied", "relay-denied", None),
    ("454 4.7.1 <b@here.example>: Relay access denied", "relay-denied", None),
    ("450 4.2.0 " + _BOX + "Greylisted, see http://postgrey.example/help", "deferred", None),
    ("450 4.7.1 <mail.sender.example>: Helo command rejected: Host not found", "deferred", None),
    (
        "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
        "rejected",
        None,
    ),
    ("450 4.7.25 " + _CLIENT + "cannot find your hostname, [203.0.113.7]", "deferred", None),
    ("450 4.1.8 <a@sender.example>: Sender address rejected: Domain not found", "deferred", None),
    (
        (
            "550 5.1.0 <a@sender.example>: Sender address rejected: "
            "User unknown in virtual mailbox table"
        ),
        "rejected",
        None,
    ),
    (
        "553 5.7.1 <a@sender.example>: Sender address rejected: not owned by user x",
        "rejected",
        None,
    ),
    ("550 5.7.23 " + _BOX + "Message rejected due to: SPF fail - not authorized", "rejected", None),
    ("452 4.3.1 Insufficient system storage", "deferred", None),
    ("450 4.7.1 Session encryption is required", "deferred", None),
    (
        "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining",
        "protocol",
        None,
    ),
    ("554 5.1.8 <a@sender.example>: Sender address rejected: Domain not found", "rejected", None),
    ("550 5.1.10 " + _BOX + "Domain here.example does not accept mail (nullMX)", "rejected", None),
]


@pytest.mark.parametrize(("reply", "outcome", "rbl"), REPLIES)
def test_a_reply_says_why(reply: str, outcome: str, rbl: str | None) -> None:
    """Outcome, code and list of each way Postfix turns a recipient away."""
    (seen,) = read(
        lines(
            "smtpd[1]: connect from unknown[203.0.113.7]",
            f"smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: {reply}{_TAIL}",
            "smtpd[1]: disconnect from unknown[203.0.113.7] ehlo=1 mail=1 rcpt=0/1 commands=2/3",
        )
    )
    assert (seen.outcome, seen.rbl, seen.code) == (outcome, rbl, int(reply[:3]))
    assert seen.reason == reply[4:]
    assert (seen.client, seen.client_name) == ("203.0.113.7", None)
    assert (seen.sender, seen.recipient) == ("a@sender.example", "b@here.example")
    assert seen.helo == "mail.sender.example"


@pytest.mark.parametrize(
    ("text", "stage", "sender", "recipient", "helo"),
    [
        ("CONNECT from unknown[192.0.2.1]: 554 5.7.1 no; proto=SMTP", "CONNECT", None, None, None),
        (
            "HELO from unknown[192.0.2.1]: 554 5.7.1 no; proto=SMTP helo=<x y>",
            "HELO",
            None,
            None,
            "x y",
        ),
        (
            "MAIL from unknown[192.0.2.1]: 554 5.7.1 no; from=<> proto=ESMTP helo=<h>",
            "MAIL",
            "",
            None,
            "h",
        ),
        (
            "VRFY from unknown[192.0.2.1]: 550 5.1.1 no; to=<u> proto=SMTP helo=<h>",
            "VRFY",
            None,
            "u",
            "h",
        ),
        (
            "ETRN from unknown[192.0.2.1]: 554 5.7.1 no; proto=SMTP helo=<h>",
            "ETRN",
            None,
            None,
            "h",
        ),
        (
            "DATA from unknown[192.0.2.1]: 554 5.7.1 no; from=<a@b.example> proto=ESMTP helo=<h>",
            "DATA",
            "a@b.example",
            None,
            "h",
        ),
        (
            (
                "END-OF-MESSAGE from unknown[192.0.2.1]: 554 5.7.1 no; from=<a@b.example> "
                'to=<"c d"@e.example> proto=ESMTP helo=<h>'
            ),
            "END-OF-MESSAGE",
            "a@b.example",
            '"c d"@e.example',
            "h",
        ),
        (
            (
                "RCPT from unknown[192.0.2.1]: 554 5.7.1 no; from=<ä@b.example> to=<ü@e.example> "
                "proto=ESMTP helo=<h> sasl_username=<u>"
            ),
            "RCPT",
            "ä@b.example",
            "ü@e.example",
            "h",
        ),
        (
            "RCPT from unknown[192.0.2.1]: 554 5.7.1 no; from=<a@b.example> to=<c@d.exam",
            "RCPT",
            "a@b.example",
            "c@d.exam",
            None,
        ),
        (
            (
                "RCPT from unknown[192.0.2.1]: 554 5.7.1 no; from=<a@b.example> to=<c@d.example> "
                "proto=ESMTP helo=<cut"
            ),
            "RCPT",
            "a@b.example",
            "c@d.example",
            "cut",
        ),
        (
            (
                "RCPT from [192.0.2.1]:40000: 554 5.7.1 no; from=<a@b.example>, to=<c@d.example>, "
                "proto=ESMTP, helo=<h>"
            ),
            "RCPT",
            "a@b.example",
            "c@d.example",
            "h",
        ),
        (
            (
                "RCPT from unknown[192.0.2.1]: 554 5.7.1 no; from=<a@b.example> to=<c@d.example> "
                "proto=ESMTP"
            ),
            "RCPT",
            "a@b.example",
            "c@d.example",
            None,
        ),
    ],
)
def test_every_stage_and_tail(
    text: str, stage: str, sender: str | None, recipient: str | None, helo: str | None
) -> None:
    """What is not said is None; quoted, UTF-8 and cut addresses are taken as they stand."""
    found = refusal(text)
    assert found is not None
    assert (found[0], *found[4:]) == (stage, sender, recipient, helo)
    assert (found[2], found[3]) in {(554, "5.7.1 no"), (550, "5.1.1 no")}


def test_the_clients_words_do_not_decide() -> None:
    """An address or HELO that speaks like Postfix changes nothing."""
    found = refusal(
        'RCPT from unknown[192.0.2.1]: 550 5.1.1 <"Relay access denied"@here.example>: Recipient '
        'address rejected: User unknown; from=<> to=<"Relay access denied"@here.example> '
        "proto=SMTP helo=<blocked using x.example>"
    )
    assert found is not None
    stage, _, code, reply, sender, recipient, helo = found
    assert judge(stage, code, reply, (recipient, sender, helo)) == (Outcome.UNKNOWN_RECIPIENT, None)


def test_what_has_another_form_is_not_read() -> None:
    """No guess is made."""
    assert refusal("") is None
    assert refusal("RCPT from") is None
    assert refusal("header Subject: x from here") is None
