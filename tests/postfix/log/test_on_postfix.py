"""A real Postfix writes the log, and the clients know what happened to them.

Each case is a client with an address of its own that does one thing; what its SMTP client saw is
what its sightings have to say, and there may be no others.  Totals are held against pflogsumm.
"""

import base64
import contextlib
import re
import socket
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

import pytest

from mailmum.postfix.log.reader import LogReader, Settings
from mailmum.traffic.sightings import Sighting
from tests.postfix.log.reading import feed
from tests.support.ports import free_port
from tests.support.postfix import HOST, Postfix, postfix
from tests.support.postfix_dns import Zone, name_server
from tests.support.smtp import RECIPIENT, SENDER, Session, Visitor, session

_SECOND = "second@example.net"
_SETTINGS = {
    "virtual_mailbox_domains": "example.net, bounce.example, later.example",
    "virtual_mailbox_maps": (
        f"inline:{{ {RECIPIENT}=x, {_SECOND}=x, a@bounce.example=x, a@later.example=x }}"
    ),
    "virtual_alias_maps": (
        f"inline:{{ {{ all@example.net={RECIPIENT} {_SECOND} }}, "
        "both@example.net=a@later.example }"
    ),
    "header_checks": (
        "regexp:{ {/^Subject: hold/ HOLD looks odd} {/^Subject: discard/ DISCARD not wanted} "
        "{/^Subject: reject/ REJECT no such thing} {/^Subject: warn/ WARN hm} }"
    ),
    "smtpd_helo_required": "yes",
    "smtpd_hard_error_limit": "2",
    "smtpd_recipient_restrictions": (
        "check_helo_access inline:{bad.helo.example=REJECT}, "
        "check_sender_access inline:{ { later@sender.example=DEFER come back }, "
        "{ odd@sender.example=DISCARD away with it } }, "
        "reject_unauth_destination, warn_if_reject reject_rbl_client warn.example, "
        "reject_rbl_client block.example"
    ),
    "smtpd_data_restrictions": (
        "reject_unauth_pipelining, check_sender_access inline:{data@sender.example=REJECT}"
    ),
    "smtpd_etrn_restrictions": "reject",
    "message_size_limit": "100000",
    "smtpd_end_of_data_restrictions": "check_sender_access inline:{end@sender.example=REJECT}",
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "dovecot",
    "smtpd_error_sleep_time": "0",
    "disable_vrfy_command": "no",
    "postscreen_dnsbl_sites": "block.example, warn.example",
    "postscreen_dnsbl_action": "enforce",
    "postscreen_greet_action": "enforce",
}


def _ways(again: int, refusing: int) -> dict[str, str]:
    """All mail goes through a filter, which is this Postfix once more; some then goes wrong."""
    return {
        "content_filter": f"smtp:[{HOST}]:{again}",
        "mynetworks": "127.0.0.1",
        "transport_maps": (
            f"inline:{{ bounce.example=smtp:[{HOST}]:{refusing}, "
            f"later.example=smtp:[{HOST}]:{free_port()} }}"
        ),
    }


Expected = tuple[str, str | None, int | None, str | None, str | None]
"""Outcome, recipient, code, list and delivery."""


@contextlib.contextmanager
def refusing_auth() -> Iterator[int]:
    """A Dovecot auth server that knows nobody; its port."""
    listener = socket.create_server((HOST, 0))

    def answer(connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as file:
            file.write(
                b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\n"
                b"CUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n"
            )
            file.flush()
            for line in file:
                words = line.rstrip(b"\n").split(b"\t")
                if words[0] == b"AUTH":
                    file.write(b"FAIL\t" + words[1] + b"\tuser=info\n")
                    file.flush()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


class World:
    """A Postfix, and what its clients saw."""

    def __init__(self, server: Postfix) -> None:
        self.server = server
        self.expected: dict[str, list[Expected]] = defaultdict(list)
        self.named: dict[str, set[str]] = {}
        self.count = 0

    def visitor(self, address: str = "", **about: str) -> Visitor:
        """Somebody who has not been here before."""
        self.count += 1
        return Visitor(address or f"198.51.100.{self.count}", **about)

    @contextlib.contextmanager
    def talk(self, visitor: Visitor) -> Iterator[Session]:
        """A session in which the visitor has said EHLO."""
        with session(HOST, self.server.port) as smtp:
            assert smtp.read().code == 220
            smtp.say(f"EHLO {visitor.helo}")
            smtp.say(f"XCLIENT {visitor.attributes}")
            smtp.say(f"EHLO {visitor.helo}")
            yield smtp

    def send(
        self,
        visitor: Visitor,
        *recipients: str,
        sender: str = SENDER,
        subject: str = "test",
    ) -> list[int]:
        """Try to deliver a message; codes of the replies from MAIL on."""
        with self.talk(visitor) as smtp:
            codes = [smtp.say(f"MAIL FROM:<{sender}>").code]
            codes += [smtp.say(f"RCPT TO:<{one}>").code for one in recipients]
            if any(code == 250 for code in codes[1:]):
                codes.append(smtp.say("DATA").code)
                if codes[-1] == 354:
                    codes.append(smtp.say(f"Subject: {subject}\r\n\r\nHello.\r\n.").code)
            smtp.say("QUIT")
        return codes

    def expect(self, visitor: Visitor, *expected: Expected) -> None:
        """What the log has to say of the visitor."""
        self.expected[visitor.address] += expected


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """All cases, played on one Postfix."""
    block, warn = Zone("block.example"), Zone("warn.example")
    again, refusing = free_port(), free_port()
    with (
        refusing_auth() as port,
        name_server(block, warn) as dns,
        postfix(
            dns.address,
            {**_SETTINGS, **_ways(again, refusing), "smtpd_sasl_path": f"inet:{HOST}:{port}"},
            postscreen=True,
            services=[
                "smtp unix - - n - - smtp",
                f"{HOST}:{again} inet n - y - - smtpd -o content_filter= -o header_checks=",
                f"{HOST}:{refusing} inet n - y - - smtpd -o smtpd_relay_restrictions=reject",
            ],
        ) as server,
    ):
        made = World(server)
        accepted(made)
        addresses(made)
        refused(made, block, warn)
        checked(made)
        sessions(made)
        commands(made)
        screened(made, block, warn)
        server.await_log(lambda log: log.count(": removed") >= 8)
        time.sleep(1.0)
        yield made


_BOTH = ("block.example", "warn.example")
_SENT: Expected = ("accepted", RECIPIENT, 250, None, "sent")


def accepted(world: World) -> None:
    """Messages that are accepted, and what becomes of them."""
    plain = world.visitor(name="mail.plain.example")
    assert world.send(plain, RECIPIENT)[-1] == 250
    world.expect(plain, _SENT)

    six = world.visitor("2001:db8::25")
    assert world.send(six, RECIPIENT, sender="")[-1] == 250
    world.expect(six, _SENT)

    mixed = world.visitor()
    assert world.send(mixed, RECIPIENT, "nobody@example.net", _SECOND)[1:4] == [250, 550, 250]
    world.expect(
        mixed,
        _SENT,
        ("unknown-recipient", "nobody@example.net", 550, None, None),
        ("accepted", _SECOND, 250, None, "sent"),
    )

    alias = world.visitor()
    assert world.send(alias, "all@example.net", "both@example.net")[-1] == 250
    world.expect(
        alias,
        ("accepted", "all@example.net", 250, None, "sent"),
        ("accepted", "both@example.net", 250, None, "deferred"),
    )

    bounced = world.visitor()
    assert world.send(bounced, "a@bounce.example", "a@later.example")[-1] == 250
    world.expect(
        bounced,
        ("accepted", "a@bounce.example", 250, None, "bounced"),
        ("accepted", "a@later.example", 250, None, "deferred"),
    )


def addresses(world: World) -> None:
    """Addresses and commands as the RFCs allow them, and clients of IPv6."""
    quoted = world.visitor("2001:db8:0:1::25")
    odd = '"o > to=<x> dd"@example.net'
    assert world.send(quoted, odd, sender='"a b"@sender.example')[1] == 550
    world.expect(quoted, ("unknown-recipient", odd, 550, None, None))

    foreign = world.visitor()
    with world.talk(foreign) as smtp:
        smtp.say("MAIL FROM:<gr\u00fc\u00dfe@b\u00fccher.example> SMTPUTF8")
        assert smtp.say("RCPT TO:<gr\u00fc\u00dfe@example.net>").code == 550
        smtp.say("QUIT")
    world.expect(foreign, ("unknown-recipient", "gr\u00fc\u00dfe@example.net", 550, None, None))

    pieces = world.visitor()
    with world.talk(pieces) as smtp:
        smtp.say(f"MAIL FROM:<{SENDER}>")
        smtp.say(f"RCPT TO:<{RECIPIENT}>")
        assert smtp.say("BDAT 17\r\nSubject: test\r\n").code == 250
        assert smtp.say("BDAT 9 LAST\r\n\r\nHello").code == 250
        smtp.say("QUIT")
    world.expect(pieces, _SENT)


def refused(world: World, block: Zone, warn: Zone) -> None:
    """Recipients that are refused, or would have been."""
    unknown = world.visitor()
    assert world.send(unknown, "nobody@example.net")[1] == 550
    world.expect(unknown, ("unknown-recipient", "nobody@example.net", 550, None, None))

    relay = world.visitor()
    assert world.send(relay, "a@elsewhere.example")[1] == 454
    world.expect(relay, ("relay-denied", "a@elsewhere.example", 454, None, None))

    listed = world.visitor()
    block.list_address(listed.address)
    assert world.send(listed, RECIPIENT)[1] == 554
    world.expect(listed, ("rejected", RECIPIENT, 554, "block.example", None))

    warned = world.visitor()
    warn.list_address(warned.address)
    assert world.send(warned, RECIPIENT)[-1] == 250
    world.expect(warned, _SENT, ("warned", RECIPIENT, 554, "warn.example", None))

    helo = world.visitor(helo="bad.helo.example")
    assert world.send(helo, RECIPIENT)[1] == 554
    world.expect(helo, ("rejected", RECIPIENT, 554, None, None))

    later = world.visitor()
    assert world.send(later, RECIPIENT, sender="later@sender.example")[1] == 450
    world.expect(later, ("deferred", RECIPIENT, 450, None, None))


def checked(world: World) -> None:
    """What is decided after the recipient, or behind the client's back."""
    odd = world.visitor()
    assert world.send(odd, RECIPIENT, sender="odd@sender.example")[-1] == 250
    world.expect(odd, ("accepted", RECIPIENT, 250, None, None))

    end = world.visitor()
    assert world.send(end, RECIPIENT, sender="end@sender.example")[-1] == 554
    world.expect(end, ("rejected", RECIPIENT, 554, None, None))

    data, pieces = world.visitor(), world.visitor()
    assert world.send(data, RECIPIENT, sender="data@sender.example")[-1] == 554
    world.expect(data, ("rejected", RECIPIENT, 554, None, None))
    with world.talk(pieces) as smtp:
        smtp.say("MAIL FROM:<data@sender.example>")
        smtp.say(f"RCPT TO:<{RECIPIENT}>")
        assert smtp.say("BDAT 17\r\nSubject: test\r\n").code == 554
        smtp.say("QUIT")
    world.expect(pieces, ("rejected", RECIPIENT, 554, None, None))

    for subject, code, expected in (
        ("hold", 250, ("accepted", RECIPIENT, 250, None, None)),
        ("discard", 250, ("accepted", RECIPIENT, 250, None, None)),
        ("reject", 550, ("rejected", RECIPIENT, None, None, None)),
        ("warn", 250, _SENT),
    ):
        one = world.visitor()
        assert world.send(one, RECIPIENT, subject=subject)[-1] == code
        world.expect(one, expected)


def sessions(world: World) -> None:
    """Sessions without mail."""
    quiet = world.visitor()
    with world.talk(quiet) as smtp:
        smtp.say("QUIT")
    world.expect(quiet, ("connected", None, None, None, None))

    lost = world.visitor()
    with world.talk(lost):
        pass
    world.expect(lost, ("lost", None, None, None, None))

    half = world.visitor()
    with world.talk(half) as smtp:
        smtp.say(f"MAIL FROM:<{SENDER}>")
        assert smtp.say(f"RCPT TO:<{RECIPIENT}>").code == 250
    world.expect(half, ("lost", None, None, None, None))

    errors = world.visitor()
    with world.talk(errors) as smtp, contextlib.suppress(ConnectionError):
        while True:
            smtp.say("NONSENSE")
    world.expect(errors, ("protocol", None, None, None, None))

    guess = world.visitor()
    with world.talk(guess) as smtp:
        token = base64.b64encode(b"\0info\0secret").decode()
        assert smtp.say(f"AUTH PLAIN {token}").code == 535
        smtp.say("QUIT")
    world.expect(guess, ("auth-failed", None, None, None, None))

    verify = world.visitor()
    with world.talk(verify) as smtp:
        assert smtp.say("VRFY nobody@example.net").code == 550
        smtp.say("QUIT")
    world.expect(verify, ("unknown-recipient", "nobody@example.net", 550, None, None))

    pushy = world.visitor()
    with world.talk(pushy) as smtp:
        smtp.say(f"MAIL FROM:<{SENDER}>")
        smtp.say(f"RCPT TO:<{RECIPIENT}>")
        smtp._connection.sendall(b"DATA\r\nSubject: x\r\n\r\nHello\r\n.\r\n")
        assert smtp.read().code == 503
    world.expect(pushy, ("protocol", RECIPIENT, 503, None, None))


def commands(world: World) -> None:
    """Refused at other commands than RCPT."""
    etrn = world.visitor()
    with world.talk(etrn) as smtp:
        assert smtp.say("ETRN example.net").code == 554
        smtp.say("QUIT")
    world.expect(etrn, ("rejected", None, 554, None, None))

    large = world.visitor()
    with world.talk(large) as smtp:
        assert smtp.say(f"MAIL FROM:<{SENDER}> SIZE=200000").code == 552
        smtp.say("QUIT")
    world.expect(large, ("rejected", None, 552, None, None))

    web = world.visitor()
    with world.talk(web) as smtp, contextlib.suppress(ConnectionError):
        smtp.say("GET / HTTP/1.1")
    world.expect(web, ("protocol", None, None, None, None))


def screened(world: World, block: Zone, warn: Zone) -> None:
    """What postscreen sees."""
    good = world.visitor()
    assert world.server.deliver_screened(good)[-1].code == 250
    world.expect(good, ("accepted", RECIPIENT, 250, None, "sent"))

    listed = world.visitor()
    block.list_address(listed.address)
    assert world.server.deliver_screened(listed)[-1].code == 550
    world.expect(listed, ("rejected", RECIPIENT, 550, "block.example", None))

    twice = world.visitor()
    block.list_address(twice.address)
    warn.list_address(twice.address)
    assert world.server.deliver_screened(twice)[-1].code == 550
    world.named |= {listed.address: {"block.example"}, twice.address: {*_BOTH}}

    early = world.visitor()
    with session(HOST, world.server.screen_port, early.proxy_line) as smtp:
        smtp._connection.sendall(b"EHLO early.example\r\n")
        smtp.read()
        smtp._connection.sendall(b"QUIT\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                smtp.read()
    world.expect(early, ("protocol", None, None, None, None))

    hasty = world.visitor()
    with session(HOST, world.server.screen_port, hasty.proxy_line):
        time.sleep(0.2)
    world.expect(hasty, ("lost", None, None, None, None))


def _zone() -> tzinfo:
    zone = datetime.now(UTC).astimezone().tzinfo
    assert zone is not None
    return zone


def everything(world: World) -> tuple[list[Sighting], LogReader]:
    """All sightings of the log, and the reader."""
    reader = LogReader(Settings(time.time(), _zone(), None))
    sightings, _ = feed(reader, [(world.server.folder / "mail.log").read_bytes()])
    return sightings, reader


def test_each_client_was_seen_as_it_was_served(world: World) -> None:
    """Every case, and nothing beside."""
    sightings, _ = everything(world)
    seen: dict[str, list[Expected]] = defaultdict(list)
    for one in sightings:
        seen[str(one.client)].append(
            (one.outcome.value, one.recipient, one.code, one.rbl, one.delivery)
        )
    own = seen.pop(HOST)
    # Which of the two lists comes first is up to postscreen.
    for who in [who for who, lists in world.named.items() if len(lists) > 1]:
        (refusal,) = seen.pop(who)
        assert refusal[:3] == ("rejected", RECIPIENT, 550)
        assert refusal[3] in _BOTH
    assert {who: sorted(what, key=repr) for who, what in seen.items()} == {
        who: sorted(what, key=repr) for who, what in world.expected.items()
    }, world.server.log
    # The server is its own client where mail is sent on, and refused.
    assert {one[:3] for one in own} == {("rejected", "a@bounce.example", 554)}


def test_postscreen_tells_of_every_list(world: World) -> None:
    """Once for each recipient that it refused, with all lists that named the client."""
    sightings, _ = everything(world)
    told = [one for one in sightings if one.client in world.named]
    assert {str(one.client): set(one.named) for one in told} == world.named
    assert len(told) == len(world.named)


def test_everything_was_understood(world: World) -> None:
    """No line of a real Postfix is left over."""
    _, reader = everything(world)
    assert (list(reader.samples), reader.foreign) == ([], 0)
    assert reader.lines == world.server.log.count("\n")


def test_totals_are_those_of_pflogsumm(world: World) -> None:
    """Messages received, refused, warned of, held, discarded, and deliveries."""
    report = subprocess.run(
        ["pflogsumm", str(world.server.folder / "mail.log")],
        env={"LC_ALL": "C", "PATH": "/usr/bin:/usr/sbin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    totals = {
        word: int(count)
        for count, word in re.findall(r"^ +([0-9]+) +([a-z ]+[a-z])", report, re.MULTILINE)
    }
    sightings, _ = everything(world)
    reasons = Counter(str(one.reason).partition(":")[0] for one in sightings)
    refused = [one for one in sightings if one.outcome not in ("accepted", "warned")]
    # It counts lines that refuse something: sessions that merely ended badly are none.
    assert totals["rejected"] == sum(one.code is not None or bool(one.recipient) for one in refused)
    warned = sum(one.outcome == "warned" for one in sightings)
    # Warnings of header_checks count there, one for each of the two times that the mail passed.
    assert totals["reject warnings"] == warned + world.server.log.count(": warning: header ")
    assert totals["held"] == reasons["hold"]
    assert totals["discarded"] == reasons["discard"]
    assert totals["received"] == len(re.findall(r": [0-9A-F]+: client=", world.server.log))
