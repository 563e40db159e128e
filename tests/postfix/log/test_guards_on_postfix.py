"""A real Postfix that guards itself: deep tests, TLS, limits, probes, timeouts and tables.

As in `test_on_postfix`, each case is a client with an address of its own, and what it was answered
is what its sightings have to say.  Clients are named by the PROXY protocol where limits count them.
"""

import contextlib
import ssl
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postfix.log.test_on_postfix import Expected, World, everything, refusing_auth
from tests.support.https import certificates
from tests.support.mail_sink import mail_sink
from tests.support.ports import free_port
from tests.support.postfix import HOST, postfix
from tests.support.postfix_dns import Zone, name_server
from tests.support.smtp import RECIPIENT, SENDER, Session, Visitor, session

_SETTINGS = {
    "smtpd_tls_security_level": "may",
    "smtpd_tls_loglevel": "1",
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "dovecot",
    "relay_domains": "pipe.example, local.example, error.example, lmtp.example",
    "alias_maps": "inline:{ away=/dev/null }",
    "virtual_mailbox_domains": "example.net, probe.example",
    "virtual_mailbox_maps": f"inline:{{ {RECIPIENT}=x, gone@probe.example=x }}",
    "smtpd_recipient_restrictions": (
        "check_sender_access inline:{ { hold@sender.example=HOLD look at it }, "
        "{ discard@sender.example=DISCARD away }, { warn@sender.example=WARN hm }, "
        "{ filter@sender.example=FILTER discard:nowhere }, "
        "{ prepend@sender.example=PREPEND X-Seen: yes }, "
        "{ redirect@sender.example=REDIRECT owner@example.net } }, "
        "reject_unauth_destination, "
        "check_recipient_access inline:{ gone@probe.example=reject_unverified_recipient }"
    ),
    "unverified_recipient_reject_code": "550",
    "address_verify_poll_delay": "1s",
    "smtpd_client_event_limit_exceptions": "",
    "postscreen_greet_action": "enforce",
    "postscreen_pipelining_enable": "yes",
    "postscreen_pipelining_action": "enforce",
    "postscreen_non_smtp_command_enable": "yes",
    "postscreen_non_smtp_command_action": "drop",
    "postscreen_bare_newline_enable": "yes",
    "postscreen_bare_newline_action": "enforce",
    "postscreen_access_list": "cidr:{ {203.0.113.66 reject} {203.0.113.77 permit} }",
    "postscreen_denylist_action": "enforce",
    "postscreen_command_time_limit": "3s",
    "postscreen_command_count_limit": "8",
}
_ONCE = ("recipient", "message", "auth", "new_tls_session")
_RATES = " -o ".join(
    f"smtpd_client_{what}_rate_limit={most}"
    for what, most in {"connection": 3, **dict.fromkeys(_ONCE, 1)}.items()
)
_EAGER = (
    "smtpd_delay_reject=no -o "
    "smtpd_client_restrictions=check_client_access,inline:{203.0.113.99=REJECT}"
)
_REMOVED = 9
"""
Messages: four of tables, one over TLS, a probe, one to other agents, two past postscreen.  One is
held, one thrown away at once.
"""
_ACCEPTED: Expected = ("accepted", RECIPIENT, 250, None, "sent")
_KEPT: Expected = ("accepted", RECIPIENT, 250, None, None)
_MAIL = (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>")


def alone(outcome: str, code: int | None = None) -> Expected:
    """Of a session that came to no recipient."""
    return (outcome, None, code, None, None)


class Guarded(World):
    """The same, with services that have limits: their ports."""

    limited = rated = hurried = eager = 0

    @contextlib.contextmanager
    def call(self, visitor: Visitor, port: int) -> Iterator[Session]:
        """A session through a service that is told the client by the PROXY protocol."""
        with session(HOST, port, visitor.proxy_line) as smtp:
            yield smtp

    def try_mail(self, smtp: Session) -> list[int]:
        """EHLO and on to the recipient, as far as it goes; codes."""
        codes = [smtp.read().code]
        with contextlib.suppress(ConnectionError):
            for line in ("EHLO client.example", *_MAIL):
                codes.append(smtp.say(line).code)
                if codes[-1] >= 400:
                    break
        return codes


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """All cases, played on one Postfix."""
    folder: Path = tmp_path_factory.mktemp("tls")
    chain = certificates(folder)[1]
    refusing = free_port()
    ports = [free_port() for _ in range(4)]
    proxied = "smtpd -o smtpd_upstream_proxy_protocol=haproxy -o"
    with (
        name_server(Zone("block.example")) as dns,
        refusing_auth() as auth,
        mail_sink("-L") as sink,
        postfix(
            dns.address,
            {
                **_SETTINGS,
                "smtpd_tls_chain_files": str(chain),
                "smtpd_sasl_path": f"inet:{HOST}:{auth}",
                "transport_maps": (
                    f"inline:{{ probe.example=smtp:[{HOST}]:{refusing}, "
                    "pipe.example=away:, local.example=local:, "
                    "{ error.example=error:5.1.1 nobody }, "
                    f"lmtp.example=lmtp:[{HOST}]:{sink.port} }}"
                ),
            },
            postscreen=True,
            services=[
                "smtp unix - - n - - smtp",
                "lmtp unix - - n - - lmtp",
                "local unix - n n - - local",
                "away unix - n n - - pipe user=nobody argv=/bin/true",
                f"{HOST}:{refusing} inet n - y - - smtpd -o smtpd_relay_restrictions=reject",
                f"{HOST}:{ports[0]} inet n - y - - {proxied} smtpd_client_connection_count_limit=1",
                f"{HOST}:{ports[1]} inet n - y - - {proxied} {_RATES}",
                f"{HOST}:{ports[2]} inet n - y - - {proxied} smtpd_timeout=1s",
                f"{HOST}:{ports[3]} inet n - y - - smtpd -o {_EAGER}",
            ],
        ) as server,
    ):
        made = Guarded(server)
        made.limited, made.rated, made.hurried, made.eager = ports
        with late(made):
            tables(made)
            encrypted(made)
            limits(made)
            rates(made)
            verified(made)
            agents(made)
            screened(made)
            passed(made)
        server.await_log(_is_over)
        yield made


def _is_over(log: str) -> bool:
    """Whether every session has ended, and every message that is not held is through."""
    count = log.count
    return (
        count(": connect from ") == count(": disconnect from ")
        # Those that postscreen hands on go on with smtpd.
        and count(": CONNECT from ")
        == count(": DISCONNECT ") + count(": PASS OLD ") + count(": ALLOWLISTED ")
        and count(": removed") == _REMOVED
    )


@contextlib.contextmanager
def late(world: Guarded) -> Iterator[None]:
    """Clients that fall silent, while others do not."""
    silent, hello, half, outside = (world.visitor() for _ in range(4))
    with (
        world.call(silent, world.hurried),
        world.call(hello, world.hurried) as smtp,
        world.call(half, world.hurried) as writing,
        world.call(outside, world.server.screen_port),
    ):
        smtp.read()
        smtp.say("EHLO client.example")
        assert world.try_mail(writing)[-1] == 250
        assert writing.say("DATA").code == 354
        writing._connection.sendall(b"Subject: to be continued\r\n")
        yield
        world.server.await_log(lambda log: "COMMAND TIME LIMIT" in log)
    for who, outcome in ((silent, "lost"), (hello, "lost"), (half, "lost"), (outside, "protocol")):
        world.expect(who, alone(outcome))


def tables(world: Guarded) -> None:
    """What access tables do with a message."""
    for word, expected in (
        ("hold", _KEPT),
        ("discard", _KEPT),
        ("warn", _ACCEPTED),
        ("filter", _ACCEPTED),
        ("prepend", _ACCEPTED),
        ("redirect", _ACCEPTED),
    ):
        one = world.visitor()
        assert world.send(one, RECIPIENT, sender=f"{word}@sender.example")[-1] == 250
        world.expect(one, expected)


@contextlib.contextmanager
def hidden(smtp: Session) -> Iterator[Session]:
    """The same session, encrypted."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert smtp.say("STARTTLS").code == 220
    with context.wrap_socket(smtp._connection) as connection:
        yield Session(connection)


def encrypted(world: Guarded) -> None:
    """Mail over TLS, and a handshake that fails."""
    good = world.visitor()
    with world.talk(good) as smtp, hidden(smtp) as inner:
        for line in ("EHLO client.example", *_MAIL):
            assert inner.say(line).code == 250
        assert inner.say("DATA").code == 354
        assert inner.say("Subject: x\r\n\r\nHello.\r\n.").code == 250
        inner.say("QUIT")
    world.expect(good, _ACCEPTED)

    bad = world.visitor()
    with world.talk(bad) as smtp:
        assert smtp.say("STARTTLS").code == 220
        smtp._connection.sendall(b"this is no handshake\r\n" * 20)
        with contextlib.suppress(ConnectionError, ValueError):
            smtp.read()
    world.expect(bad, alone("lost"))


def limits(world: Guarded) -> None:
    """Too many at a time, too often, and too many recipients."""
    many = world.visitor()
    with world.call(many, world.limited) as first:
        assert first.read().code == 220
        with world.call(many, world.limited) as second:
            assert second.read().code == 421
        first.say("QUIT")
    world.expect(many, alone("connected"), alone("deferred", 421))

    often = world.visitor()
    for code in (220, 220, 220, 421):
        with world.call(often, world.rated) as smtp:
            assert smtp.read().code == code
            with contextlib.suppress(ConnectionError):
                smtp.say("QUIT")
    world.expect(often, *[alone("connected")] * 3, alone("deferred", 421))

    greedy = world.visitor()
    with world.call(greedy, world.rated) as smtp:
        assert world.try_mail(smtp)[-1] == 250
        assert smtp.say("RCPT TO:<other@example.net>").code == 450
        smtp.say("QUIT")
    world.expect(greedy, alone("deferred", 450))


def rates(world: Guarded) -> None:
    """Too often in one session, and too many handshakes; a client named too late is refused."""
    eager = world.visitor()
    with world.call(eager, world.rated) as smtp:
        assert world.try_mail(smtp)[-1] == 250
        smtp.say("RSET")
        assert smtp.say(_MAIL[0]).code == 450
        smtp.say("QUIT")
    world.expect(eager, alone("deferred", 450))

    guess = world.visitor()
    with world.call(guess, world.rated) as smtp:
        smtp.read()
        smtp.say("EHLO client.example")
        assert [smtp.say("AUTH PLAIN AGluZm8AeA==").code for _ in range(2)] == [535, 450]
        smtp.say("QUIT")
    world.expect(guess, alone("auth-failed"), alone("deferred", 450))

    secret = world.visitor()
    for code in (220, 220, 454):
        with world.call(secret, world.rated) as smtp:
            smtp.read()
            smtp.say("EHLO client.example")
            if code == 454:
                assert smtp.say("STARTTLS").code == code
                smtp.say("QUIT")
                continue
            with hidden(smtp) as inner:
                inner.say("QUIT")
    world.expect(secret, alone("connected"), alone("deferred", 421), alone("deferred", 454))

    named = world.visitor("203.0.113.99")
    with session(HOST, world.eager) as smtp:
        smtp.read()
        smtp.say("EHLO client.example")
        assert smtp.say(f"XCLIENT {named.attributes}").code == 554
        smtp.say("QUIT")
    world.expect(named, alone("rejected", 554))


def verified(world: Guarded) -> None:
    """A recipient whose server does not want it."""
    probed = world.visitor()
    assert world.send(probed, "gone@probe.example")[1] == 550
    world.expect(probed, ("unknown-recipient", "gone@probe.example", 550, None, None))


def agents(world: Guarded) -> None:
    """One message, by all agents that deliver here."""
    fates = {
        "a@pipe.example": "sent",
        "away@local.example": "sent",
        "a@lmtp.example": "sent",
    }
    one = world.visitor()
    assert world.send(one, *fates)[-1] == 250
    world.expect(one, *[("accepted", whom, 250, None, fate) for whom, fate in fates.items()])
    nobody = world.visitor()
    assert world.send(nobody, "a@error.example")[1] == 550
    world.expect(nobody, ("unknown-recipient", "a@error.example", 550, None, None))


def screened(world: Guarded) -> None:
    """The deep tests of postscreen: it answers by itself, and remembers who has passed."""
    port = world.server.screen_port
    pushy, web, bare, good, endless, secret = (world.visitor() for _ in range(6))
    with contextlib.ExitStack() as stack:
        # All wait for the greeting at the same time.
        one, two, three, four, five, six = (
            stack.enter_context(world.call(who, port))
            for who in (pushy, web, bare, good, endless, secret)
        )
        assert one.read().code == 220
        one._connection.sendall(f"EHLO x.example\r\n{_MAIL[0]}\r\n{_MAIL[1]}\r\n".encode())
        assert [one.read().code for _ in range(3)] == [250, 250, 550]

        assert two.read().code == 220
        with contextlib.suppress(ConnectionError):
            two.say("GET / HTTP/1.1")

        assert three.read().code == 220
        three._connection.sendall(b"EHLO x.example\n")
        assert three.read().code == 250
        assert [three.say(line).code for line in _MAIL] == [250, 550]

        assert world.try_mail(four) == [220, 250, 250, 450]
        four.say("QUIT")

        assert five.read().code == 220
        with contextlib.suppress(ConnectionError):
            for _ in range(12):
                five.say("NOOP")

        six.read()
        six.say("EHLO client.example")
        with hidden(six) as inner:
            assert [inner.say(line).code for line in ("EHLO x", *_MAIL)] == [250, 250, 450]
            inner.say("QUIT")
    world.expect(secret, ("deferred", RECIPIENT, 450, None, None))
    world.expect(pushy, ("protocol", RECIPIENT, 550, None, None))
    world.expect(web, alone("protocol"))
    world.expect(bare, ("protocol", RECIPIENT, 550, None, None))
    world.expect(good, ("deferred", RECIPIENT, 450, None, None))
    world.expect(endless, alone("protocol"))


def passed(world: Guarded) -> None:
    """Whom postscreen lets through at once, or never."""
    old, trusted, denied = world.visitor(), *map(Visitor, ("203.0.113.77", "203.0.113.66"))
    port = world.server.screen_port
    with world.call(old, port) as smtp:
        assert world.try_mail(smtp) == [220, 250, 250, 450]
        smtp.say("QUIT")
    world.server.await_log(lambda log: f"PASS NEW [{old.address}]" in log)
    world.expect(old, ("deferred", RECIPIENT, 450, None, None))
    for one in (old, trusted):
        assert world.server.deliver_screened(one)[-1].code == 250
        world.expect(one, _ACCEPTED)
    assert world.server.deliver_screened(denied)[-1].code == 550
    world.expect(denied, ("rejected", RECIPIENT, 550, None, None))
    assert f"PASS OLD [{old.address}]" in world.server.log


def test_each_client_was_seen_as_it_was_served(world: Guarded) -> None:
    """Every case, and nothing beside."""
    sightings, _ = everything(world)
    seen: dict[str, list[Expected]] = defaultdict(list)
    for one in sightings:
        seen[str(one.client)].append(
            (one.outcome.value, one.recipient, one.code, one.rbl, one.delivery)
        )
    # The server asks itself about a recipient.
    assert {one[:3] for one in seen.pop(HOST)} == {("rejected", "gone@probe.example", 554)}
    assert {who: sorted(what, key=repr) for who, what in seen.items()} == {
        who: sorted(what, key=repr) for who, what in world.expected.items()
    }, world.server.log


def test_everything_was_understood(world: Guarded) -> None:
    """No line of a real Postfix is left over."""
    _, reader = everything(world)
    assert (list(reader.samples), reader.foreign) == ([], 0)
