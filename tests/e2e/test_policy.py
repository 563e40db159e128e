"""The policy service the whole way: verbs of the command line, `mailmum up`, a real Postfix.

Two servers of one account, each with a Postfix that asks with its own key. Nothing here reloads a
Postfix: what is blocked and allowed counts at the next command of a client.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mailmum.cli.endpoints import postfix_endpoint
from mailmum.postfix.asking import askings
from mailmum.postfix.current import QUESTIONS, Current
from tests.e2e.test_up import pid_of
from tests.support.ports import free_port
from tests.support.postfix import HOST, Postfix, postfix
from tests.support.process import running
from tests.support.service import MAILMUM, Service, make_service, service
from tests.support.smtp import RECIPIENT, SENDER, Reply, Visitor, session

STRANGER = "203.0.113.200"
LISTED_ELSEWHERE = ("198.51.100.1", "198.51.100.2")
# What else an administrator may have: it stands for a public list behind our check.
OTHERS = f"check_client_access inline:{{ {', '.join(f'{a}=REJECT' for a in LISTED_ELSEWHERE)} }}"


def check(made: Service, name: str) -> str:
    """The restriction that asks the service, as a server."""
    key = made.json("server", "show", name)["key"]
    host = f"inet:{made.policy}"
    return (
        f"check_policy_service {{ {host}, policy_context={key}, default_action=DUNNO, timeout=5s }}"
    )


def settings(asking: str) -> dict[str, str]:
    """Restrictions in which the check stands before what keeps strangers from relaying."""
    return {
        "smtpd_relay_restrictions": "",
        "smtpd_recipient_restrictions": (
            f"permit_mynetworks, {asking}, reject_unauth_destination, {OTHERS}"
        ),
    }


@dataclass
class World:
    """A service and the Postfixes of its servers."""

    service: Service
    servers: dict[str, Postfix]
    keys: set[str]

    def send(
        self, visitor: Visitor | str, recipient: str = RECIPIENT, server: str = "mx1"
    ) -> Reply:
        """The reply that decides on one message; none may ever show a key."""
        who = Visitor(visitor) if isinstance(visitor, str) else visitor
        reply = self.servers[server].deliver(who, recipient)
        assert not any(key in reply.text for key in self.keys)
        return reply

    def comes_to(self, visitor: Visitor | str, code: int, server: str = "mx1") -> Reply:
        """Wait until the reply has this code, which takes moments."""
        replies: list[Reply] = []

        def has_come() -> bool:
            replies.append(self.send(visitor, server=server))
            return replies[-1].code == code

        self.service.eventually(has_come)
        return replies[-1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with two servers."""
    with ExitStack() as stack:
        made = stack.enter_context(service(tmp_path_factory.mktemp("service")))
        servers, keys = {}, set()
        for name in ("mx1", "mx2"):
            keys.add(made.json("server", "add", name)["key"])
            servers[name] = stack.enter_context(postfix("127.0.0.1", settings(check(made, name))))
        yield World(made, servers, keys)


def test_a_stranger_is_accepted(world: World) -> None:
    """Nothing is blocked that nobody listed; others' restrictions hold."""
    assert world.send(STRANGER).code == 250
    assert world.send("2001:db8:1::1").code == 250
    assert world.send(LISTED_ELSEWHERE[0]).code == 554


@pytest.mark.parametrize(
    ("target", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.16/28", "203.0.113.30"),
        ("2001:db8:bad::7", "2001:db8:bad::7"),
        ("2001:db8:dead::/48", "2001:db8:dead:beef::1"),
    ],
)
def test_a_blocked_client_gets_the_public_reason(world: World, target: str, client: str) -> None:
    """554 with the reason and the link, and without the key, in the log neither."""
    world.service.run("block", target, "--reason", f"Sent spam from {target}")
    reply = world.comes_to(client, 554)
    ref = f"{world.service.url}/why/"
    assert f"5.7.1 <{RECIPIENT}>: Recipient address rejected: Sent spam from {target}. See" in str(
        reply
    )
    assert f" See {ref}" in reply.text
    assert reply.text.endswith(f"/{client}")
    assert not any(key in world.servers["mx1"].log for key in world.keys)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("mail.spam.example", "mail.spam.example"),
        (".spamhouse.example", "deep.below.spamhouse.example"),
        (".top", "anything.at.all.top"),
    ],
)
def test_a_blocked_name(world: World, target: str, name: str) -> None:
    """Verified, of the reverse zone, or in HELO."""
    world.service.run("block", target, "--force")
    world.comes_to(Visitor(STRANGER, helo=name), 554)
    assert world.send(Visitor(STRANGER, name=name)).code == 554
    assert world.send(Visitor(STRANGER, reverse=name)).code == 554
    assert world.send(STRANGER).code == 250


def test_block_and_allow_count_within_one_session(world: World) -> None:
    """The very next recipient of a client that is connected all the time."""
    port = world.servers["mx1"].port
    visitor = Visitor("203.0.113.40")
    with session(HOST, port) as smtp:
        smtp.read()
        smtp.say("EHLO x")
        smtp.say(f"XCLIENT {visitor.attributes}")
        smtp.say("EHLO mail.visitor.example")
        smtp.say(f"MAIL FROM:<{SENDER}>")

        def asked(code: int) -> bool:
            return smtp.say(f"RCPT TO:<{RECIPIENT}>").code == code

        assert asked(250)
        for verb, code in (("block", 554), ("allow", 250), ("block", 554), ("unlist", 250)):
            world.service.run(verb, visitor.address)
            world.service.eventually(partial(asked, code))


@pytest.mark.parametrize(
    "spelled",
    [
        "CHECK_POLICY_SERVICE, {{ inet:{at}, {{ policy_context = {key} }} {{timeout = 5s}} }}",
        "check_policy_service {{ inet:localhost:{port}, policy_context=$ours, timeout=5s }}",
        "check_policy_service {{ inet:{port} policy_context=${{ours}},default_action=dunno }}",
        "check_policy_service inet:[127.0.0.1]:{port}",
    ],
)
def test_spellings_of_the_check(world: World, spelled: str) -> None:
    """What smtpd obeys is known as a check of this service, which lets mail flow."""
    key = world.service.json("server", "show", "mx2")["key"]
    at, mail = world.service.policy, world.servers["mx2"]
    asking = spelled.format(at=at, port=at.rpartition(":")[2], key=key)
    # In its chroot smtpd knows localhost from here only.
    shutil.copy("/etc/hosts", mail.folder / "queue/etc/hosts")
    mail.configure(
        ours=key,
        smtpd_policy_service_policy_context="$ours",
        smtpd_policy_service_default_action="DUNNO",
        **settings(asking),
    )
    world.service.run("block", "203.0.113.110", "--server", "mx2")
    world.comes_to("203.0.113.110", 554, "mx2")
    assert world.send(STRANGER, server="mx2").code == 250
    current = Current.read({name: mail.postconf(option) for name, option in QUESTIONS.items()})
    [found] = askings(current)
    host, port = postfix_endpoint(found.service.removeprefix("inet:"))
    assert (socket.gethostbyname(host), f"{port}") == ("127.0.0.1", at.rpartition(":")[2])
    assert (found.key, found.flows) == (key, True)


def test_an_allowed_address_inside_a_blocked_network(world: World) -> None:
    """Accepted without a reload; its neighbours stay blocked."""
    world.service.run("block", "203.0.113.64/27")
    world.comes_to("203.0.113.70", 554)
    world.service.run("allow", "203.0.113.70")
    world.comes_to("203.0.113.70", 250)
    assert world.send("203.0.113.71").code == 554


def test_an_allow_ends_the_restrictions(world: World) -> None:
    """A client that somebody else's list has is accepted because it is allowed here."""
    assert world.send(LISTED_ELSEWHERE[1]).code == 554
    world.service.run("allow", LISTED_ELSEWHERE[1])
    world.comes_to(LISTED_ELSEWHERE[1], 250)


def test_an_allowed_client_can_never_relay(world: World) -> None:
    """Though the check stands before what keeps strangers from relaying, and nothing else does."""
    world.service.run("allow", "198.51.100.9")
    world.service.run("allow", "mail.friend.example")
    blocked = Visitor("203.0.113.72", name="mail.friend.example")
    world.comes_to(blocked, 250)
    for visitor in (Visitor("198.51.100.9"), blocked, Visitor(STRANGER)):
        for recipient in ("someone@elsewhere.example", "someone%elsewhere.example@example.net"):
            reply = world.send(visitor, recipient)
            assert reply.code in (550, 554)
        assert "Relay access denied" in world.send(visitor, "someone@elsewhere.example").text


def test_an_allow_says_nothing_about_recipients(world: World) -> None:
    """An unknown one is refused all the same."""
    world.service.run("allow", "198.51.100.10")
    reply = world.send("198.51.100.10", "nobody@example.net")
    assert "User unknown" in reply.text


def test_only_the_verified_name_can_allow(world: World) -> None:
    """A claimed one never does."""
    world.service.run("block", "203.0.113.96/28")
    world.service.run("allow", "mail.partner.example")
    partner = "mail.partner.example"
    world.comes_to(Visitor("203.0.113.97", name=partner), 250)
    assert world.send(Visitor("203.0.113.97", reverse=partner)).code == 554
    assert world.send(Visitor("203.0.113.97", helo=partner)).code == 554


def test_one_server_differs_from_its_account(world: World) -> None:
    """Each Postfix is known by the key in its policy_context."""
    world.service.run("block", "203.0.113.101")
    world.service.run("allow", "203.0.113.101", "--server", "mx2")
    world.comes_to("203.0.113.101", 554, "mx1")
    world.comes_to("203.0.113.101", 250, "mx2")


def test_a_reason_in_another_script(world: World) -> None:
    """UTF-8 reaches the client as it is; a Postfix that may not send it sends blanks."""
    world.service.run("block", "203.0.113.110", "--reason", "Schickt Müll; спам = $x <b> 100%")
    reply = world.comes_to("203.0.113.110", 554)
    assert "rejected: Schickt Müll; спам = $x <b> 100% See http" in reply.text
    server = world.servers["mx1"]
    try:
        server.configure(smtputf8_enable="no")
        reply = world.send("203.0.113.110")
        assert reply.text.isascii()
        assert "= $x <b> 100% See http" in reply.text
    finally:
        server.postconf("-X", "smtputf8_enable")


def test_a_long_reason_leaves_room_for_the_link(world: World) -> None:
    """Postfix cuts at 510 bytes; the link stands within."""
    world.service.run("block", "2001:db8:1234:5678:9abc:def0:1234:5678", "--reason", "ü" * 300)
    reply = world.comes_to("2001:db8:1234:5678:9abc:def0:1234:5678", 554)
    assert reply.text.endswith("/2001:db8:1234:5678:9abc:def0:1234:5678")


LISTS = {
    "client": "smtpd_client_restrictions",
    "helo": "smtpd_helo_restrictions",
    "sender": "smtpd_sender_restrictions",
    "relay": "smtpd_relay_restrictions",
    "recipient": "smtpd_recipient_restrictions",
    "data": "smtpd_data_restrictions",
    "end": "smtpd_end_of_data_restrictions",
}


@pytest.mark.parametrize("delayed", ["yes", "no"])
@pytest.mark.parametrize("where", LISTS)
def test_the_check_may_stand_in_any_list(world: World, where: str, delayed: str) -> None:
    """The blocked is refused by each, strangers and the allowed by none; nobody relays."""
    world.service.run("block", "203.0.113.120")
    world.service.run("allow", "203.0.113.121")
    world.comes_to("203.0.113.120", 554)
    server = world.servers["mx1"]
    names = dict.fromkeys(LISTS.values(), "")
    names["smtpd_recipient_restrictions"] = "reject_unauth_destination"
    asking = check(world.service, "mx1")
    names[LISTS[where]] = f"{asking}, reject_unauth_destination" if where == "relay" else asking
    if where == "recipient":
        names[LISTS[where]] += ", reject_unauth_destination"
    try:
        server.configure(smtpd_delay_reject=delayed, **names)
        assert world.send("203.0.113.120").code == 554
        assert world.send("203.0.113.121").code == 250
        assert world.send(STRANGER).code == 250
        assert world.send("203.0.113.121", "someone@elsewhere.example").code == 554
    finally:
        names = dict.fromkeys(LISTS.values(), "") | settings(asking)
        server.configure(smtpd_delay_reject="yes", **names)


def test_a_revoked_key_blocks_nothing_and_is_reported(world: World) -> None:
    """Mail flows, and the server's owner learns of the Postfix that somebody forgot."""
    made = world.service
    made.run("block", "203.0.113.130")
    world.comes_to("203.0.113.130", 554, "mx2")
    made.run("server", "rotate-key", "mx2")
    assert world.send("203.0.113.130", server="mx2").code == 554
    made.run("server", "rotate-key", "mx2", "--keep", "0s")
    world.comes_to("203.0.113.130", 250, "mx2")
    told = ("doctor", "--server", "mx2")
    made.eventually(lambda: "revoked key" in made.run(*told, status=1).stdout)
    assert made.child is not None
    assert "policy.revoked-key" in made.child.output
    assert world.send("203.0.113.130").code == 554


def test_with_the_service_stopped_mail_flows(tmp_path: Path) -> None:
    """Also while it is stopped under a connection, and blocks again when it is back."""
    made = make_service(tmp_path)
    blocked = Visitor("203.0.113.7")
    with ExitStack() as stack:
        with made.up():
            assert made.child is not None
            made.run("server", "add", "mx1")
            made.run("block", "203.0.113.7")
            # A process that serves many sessions keeps its connection to the policy service.
            more = settings(check(made, "mx1")) | {"max_use": "100"}
            server = stack.enter_context(postfix("127.0.0.1", more))
            made.eventually(lambda: server.deliver(blocked).code == 554)
            os.kill(pid_of(made.child.output, "policy"), signal.SIGKILL)
            made.eventually(lambda: server.deliver(blocked).code == 554)
        for _ in range(2):
            assert server.deliver(blocked).code == 250
        assert server.deliver(Visitor(STRANGER), "someone@elsewhere.example").code == 554
        with made.up():
            made.eventually(lambda: server.deliver(blocked).code == 554)


@pytest.mark.once
def test_the_part_is_a_command_of_its_own(tmp_path: Path) -> None:
    """For systemd; without the database it starts from the snapshot that DNS has saved."""
    made = make_service(tmp_path, sqlite=True)
    with made.up():
        assert made.child is not None
        key = made.json("server", "add", "mx1")["key"]
        made.run("block", "203.0.113.7")
        # DNS saves at its start and end, and once a minute.
        os.kill(pid_of(made.child.output, "dns"), signal.SIGTERM)
        made.eventually(lambda: made.saved_block(key, "203.0.113.7"))
    command: list[str | Path] = [MAILMUM, "policy", "--data", made.data]
    with running(command, "policy.loaded", timeout=60, env=made.environment):
        assert asked(made, key).startswith("action=REJECT")
    for path in made.data.glob("mailmum.sqlite3*"):
        path.rename(path.with_name(f"lost-{path.name}"))
    with running(command, "policy.snapshot-loaded", timeout=60, env=made.environment):
        assert asked(made, key).startswith("action=REJECT")


def asked(made: Service, key: str) -> str:
    """The reply to one request of our own about a blocked client."""
    host, port = made.policy.split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(
            f"request=smtpd_access_policy\nclient_address=203.0.113.7\npolicy_context={key}\n\n".encode()
        )
        return connection.recv(1000).decode()


@pytest.mark.once
@pytest.mark.parametrize("verb", ["up", "policy"])
def test_a_port_in_use(tmp_path: Path, verb: str) -> None:
    """Named, with the way to find out who has it; exit status 1."""
    made = make_service(tmp_path, sqlite=True)
    made.run("migrate")
    port = free_port()
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        said = fails(made, verb, "--policy", f"127.0.0.1:{port}")
    assert f"the policy service cannot listen on 127.0.0.1:{port} (TCP): the port is in use" in said
    assert f"ss -lnptu 'sport = :{port}'" in said


@pytest.mark.once
def test_an_option_that_cannot_be(tmp_path: Path) -> None:
    """The parameter is named, and an example given."""
    said = fails(make_service(tmp_path, sqlite=True), "up", "--policy", "10053")
    assert "policy" in said
    assert "HOST:PORT" in said


def fails(made: Service, verb: str, *options: str) -> str:
    """Run a verb that must fail at its start; what it says last."""
    host, port = made.dns
    words: list[str | Path] = [MAILMUM, verb, "--data", made.data, "--web", made.web]
    done = subprocess.run(
        [*words, "--dns", f"{host}:{port}", *options],
        env=made.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_socketmap_lookups_of_a_real_smtpd(world: World) -> None:
    """As `check_client_access`: address, network and verified name; a change counts at once."""
    key = world.service.json("server", "show", "mx1")["key"]
    lookup = f"check_client_access socketmap:inet:{world.service.policy}:{key}"
    with postfix("127.0.0.1", settings(lookup)) as server:

        def code(visitor: Visitor) -> int:
            return server.deliver(visitor, RECIPIENT).code

        client, name = Visitor("192.0.2.91"), Visitor(STRANGER, name="mail.mapped.example")
        assert code(client) == code(name) == 250
        world.service.run("block", client.address, "mail.mapped.example", "--reason", "By map")
        world.service.eventually(lambda: code(client) == 554)
        reply = server.deliver(name, RECIPIENT)
        assert reply.code == 554
        assert "By map. See" in reply.text
        assert key not in reply.text
        # The host above a client is not the client.
        assert code(Visitor(STRANGER, name="other.mail.mapped.example")) == 250
        world.service.run("allow", client.address)
        world.service.eventually(lambda: code(client) == 250)
        # An allow never relays.
        assert server.deliver(client, "someone@elsewhere.example").code in (454, 554)
