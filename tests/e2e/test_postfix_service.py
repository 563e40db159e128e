"""The whole way: verbs of the command line, `mailmum up`, the printed setup, a real Postfix.

Two servers of one account, each with a Postfix that was set up by running what `postfix setup`
prints. Their resolver is a name server of the test's own that holds a third party's list and passes
on what belongs to the service.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests.support.postfix import HOST, Postfix, postfix
from tests.support.postfix_dns import NameServer, Zone, loopback_address, name_server
from tests.support.service import Service, make_service, service
from tests.support.smtp import RECIPIENT, SENDER, Reply, Visitor, session

BASE = "rbl.example.net"
THIRD = "rbl.third.example"
STANDS = {
    "smtpd_recipient_restrictions": (
        f"permit_mynetworks, reject_unauth_destination, reject_rbl_client {THIRD}"
    ),
    "postscreen_dnsbl_sites": f"{THIRD}*1",
    "postscreen_dnsbl_action": "enforce",
}
STRANGER = "203.0.113.200"
SCREENED = range(3, 8)


@dataclass
class World:
    """A service, its servers' Postfixes by name, and their resolver."""

    service: Service
    dns: NameServer
    servers: dict[str, Postfix]
    keys: set[str] = field(default_factory=set)

    def mailmum(self, *words: str) -> None:
        """Run a verb that changes something, and wait until DNS answers it."""
        change = self.service.json(*words)
        assert change
        self.wait()

    def wait(self) -> None:
        """Wait until what was changed so far is answered: the last change is this one."""
        marker = f"192.0.2.{100 + next(_markers) % 100}"
        self.service.run("block", marker, "--reason", "marker", "--force")
        zone = self.service.json("server", "show", "mx1")["zones"]["bl"]
        name = ".".join(reversed(marker.split(".")))
        self.service.eventually(lambda: self.service.lookup(f"{name}.{zone}") == ["127.0.0.2"])

    def key(self, name: str) -> str:
        """A server's zone key."""
        return str(self.service.json("server", "show", name)["key"])

    def set_up(self, name: str, *options: str) -> None:
        """Run what the setup prints, in a shell."""
        self.keys.add(self.key(name))
        folder = str(self.servers[name].config)
        words = ("postfix", "setup", "--server", name, "--config-dir", folder, "--here")
        self.servers[name].shell(self.service.run(*words, *options).stdout)

    def send(self, server: str, visitor: Visitor | str) -> Reply:
        """The reply that decides on one message; none may ever show a key."""
        who = Visitor(visitor) if isinstance(visitor, str) else visitor
        reply = self.servers[server].deliver(who)
        assert self.keys
        assert not any(key in reply.text for key in self.keys)
        return reply


_markers = iter(range(10**6))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with two servers, set up by what is printed."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("service")
        running = stack.enter_context(service(folder, "--zone", BASE))
        third = Zone(THIRD)
        dns = stack.enter_context(name_server(third, forwards={BASE: running.dns}))
        servers = {
            name: stack.enter_context(postfix(dns.address, STANDS, postscreen=name == "mx1"))
            for name in ("mx1", "mx2")
        }
        made = World(running, dns, servers)
        for name in servers:
            running.run("server", "add", name)
            made.set_up(name)
        for last in (1, 2, 9, *SCREENED):
            third.list_address(f"198.51.100.{last}")
        yield made


def test_a_stranger_is_accepted(world: World) -> None:
    """Nothing is blocked that nobody listed, whatever the name."""
    assert world.send("mx1", STRANGER).code == 250
    assert world.send("mx1", "2001:db8:1::1").code == 250
    assert world.send("mx1", Visitor(STRANGER, name="mail.good.example")).code == 250


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
    """554 with the reason and the link, for addresses and networks of both versions."""
    world.mailmum("block", target, "--reason", f"Sent spam from {target}")
    reply = world.send("mx1", client)
    assert reply.code == 554
    assert f"Client host [{client}] blocked using bl.{BASE}; Sent spam from {target}" in reply.text
    assert f"{world.service.url}/why/" in reply.text


def test_an_allowed_address_inside_a_blocked_network_is_accepted(world: World) -> None:
    """The most specific listing decides; its neighbours stay blocked."""
    world.mailmum("block", "203.0.113.64/27", "2001:db8:64::/48")
    world.mailmum("allow", "203.0.113.70", "2001:db8:64::70")
    assert world.send("mx1", "203.0.113.70").code == 250
    assert world.send("mx1", "2001:db8:64::70").code == 250
    assert world.send("mx1", "203.0.113.71").code == 554
    assert world.send("mx1", "2001:db8:64::71").code == 554


def test_one_server_differs_from_its_account(world: World) -> None:
    """A server's own allow beats the account's block there, its own block holds only there."""
    world.mailmum("block", "203.0.113.101")
    world.mailmum("allow", "203.0.113.101", "--server", "mx2")
    world.mailmum("block", "203.0.113.102", "--server", "mx2")
    assert [world.send(name, "203.0.113.101").code for name in ("mx1", "mx2")] == [554, 250]
    assert [world.send(name, "203.0.113.102").code for name in ("mx1", "mx2")] == [250, 554]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("mail.spam.example", "mail.spam.example"),
        (".spamhouse.example", "deep.below.spamhouse.example"),
        (".top", "anything.at.all.top"),
    ],
)
def test_blocked_names_are_rejected_in_helo_and_reverse_dns(
    world: World, target: str, name: str
) -> None:
    """A host, a domain with all under it, a top-level domain."""
    world.mailmum("block", target, "--reason", "Spam house")
    for visitor in (
        Visitor(STRANGER, helo=name),
        Visitor(STRANGER, name=name),
        Visitor(STRANGER, reverse=name),
    ):
        reply = world.send("mx1", visitor)
        assert reply.code == 554
        assert f"[{name}] blocked using dbl.{BASE}; Spam house" in reply.text


def test_a_blocked_host_leaves_its_neighbours_alone(world: World) -> None:
    """A host covers itself only."""
    world.mailmum("block", "one.pool.example")
    assert world.send("mx1", Visitor(STRANGER, helo="one.pool.example")).code == 554
    assert world.send("mx1", Visitor(STRANGER, helo="two.pool.example")).code == 250
    assert world.send("mx1", Visitor(STRANGER, helo="a.one.pool.example")).code == 250


def test_an_allow_overrides_a_third_party(world: World) -> None:
    """By address, and by a name that the DNS confirms; never by one that is claimed."""
    assert world.send("mx1", "198.51.100.1").code == 554
    world.mailmum("allow", "198.51.100.1", ".friend.example")
    assert world.send("mx1", "198.51.100.1").code == 250
    friend = "mail.friend.example"
    assert world.send("mx1", Visitor("198.51.100.2", name=friend)).code == 250
    assert world.send("mx1", Visitor("198.51.100.2", reverse=friend)).code == 554
    assert world.send("mx1", Visitor("198.51.100.2", helo=friend)).code == 554


def screened_out(world: World, addresses: list[str]) -> tuple[str, Reply]:
    """The first of these clients that postscreen turns away, and its words.

    On a busy machine the answer of a list may come when postscreen has waited its second for it and
    let the client go on to smtpd, which refuses it with 554.
    """
    for address in addresses:
        reply = world.servers["mx1"].deliver_screened(Visitor(address))[-1]
        if reply.code != 554:
            return address, reply
    raise AssertionError("postscreen never had the answer in time")


def test_an_allow_overrides_a_third_party_in_postscreen(world: World) -> None:
    """Before smtpd sees the client at all."""
    address, reply = screened_out(world, [f"198.51.100.{n}" for n in SCREENED])
    assert (reply.code, THIRD in reply.text) == (550, True)
    world.mailmum("allow", address, "--server", "mx1")
    assert world.servers["mx1"].deliver_screened(Visitor(address))[-1].code == 250


def test_postscreen_rejects_what_is_blocked(world: World) -> None:
    """Under the list's public name."""
    addresses = [f"203.0.113.{n}" for n in range(110, 115)]
    world.mailmum("block", *addresses)
    _, reply = screened_out(world, addresses)
    assert reply.code == 550
    assert reply.text.endswith(f"blocked using bl.{BASE}")


def test_after_unlist_and_a_reload_it_is_accepted_again(world: World) -> None:
    """Also by an smtpd that keeps its answers, as it does by default."""
    server = world.servers["mx2"]
    server.configure(max_use="100")
    server.reload()
    world.mailmum("block", "203.0.113.120")
    assert world.send("mx2", "203.0.113.120").code == 554
    world.mailmum("unlist", "203.0.113.120")
    server.reload()
    assert world.send("mx2", "203.0.113.120").code == 250
    server.configure(max_use="1")
    server.reload()


def test_a_change_is_obeyed_within_a_second(world: World) -> None:
    """From the verb's end to the reject, with an smtpd that asks anew.

    Several times, since a machine that is busy with other tests may be slow once.
    """
    took = []
    for number in range(130, 136):
        visitor = Visitor(f"203.0.113.{number}")
        assert world.servers["mx1"].deliver(visitor).code == 250
        world.service.run("block", visitor.address)
        began = time.monotonic()
        world.service.eventually(partial(_rejected, world.servers["mx1"], visitor))
        took.append(time.monotonic() - began)
        if took[-1] < 1:
            return
    raise AssertionError(f"it took {took} seconds")


def _rejected(server: Postfix, visitor: Visitor) -> bool:
    return server.deliver(visitor).code == 554


def test_a_listing_ends_by_itself(world: World) -> None:
    """Blocked until the moment that it says, then no more, without anything being run."""
    expires = _seen_until(world, Visitor("203.0.113.140"))
    time.sleep(max(expires - time.time(), 0) + 0.1)
    assert world.send("mx1", "203.0.113.140").code == 250


def _seen_until(world: World, visitor: Visitor) -> float:
    """Block for as short a time as this machine needs to see it; when that ends."""
    for seconds in ("3s", "6s", "12s", "24s"):
        (made,) = world.service.json("block", visitor.address, "--for", seconds)["listings"]
        expires = datetime.fromisoformat(made["expires"]).timestamp()
        while time.time() < expires:
            if _rejected(world.servers["mx1"], visitor) and time.time() < expires:
                return expires
    raise AssertionError("the machine is too slow to see a listing before it ends")


@pytest.mark.parametrize("code", ["127.0.0.1", "127.9.8.7", "127.255.254.255"])
def test_any_return_code_blocks(world: World, code: str) -> None:
    """The filter of the setup accepts whatever code a listing may have."""
    address = f"203.0.113.{150 + sum(map(int, code.split('.'))) % 40}"
    world.mailmum("block", address, "--code", code)
    assert world.send("mx1", address).code == 554


def test_an_allowed_client_cannot_relay(world: World) -> None:
    """An allow is no permission to send elsewhere."""
    world.mailmum("allow", "203.0.113.195")
    reply = world.servers["mx1"].deliver(Visitor("203.0.113.195"), "someone@elsewhere.example")
    assert "Relay access denied" in reply.text


def test_a_new_key_and_the_old_one_for_a_time(world: World) -> None:
    """Blocks hold with the old key until the setup is run again, and after."""
    world.mailmum("block", "203.0.113.197")
    old = world.key("mx2")
    world.service.run("server", "rotate-key", "mx2")
    world.wait()
    assert world.send("mx2", "203.0.113.197").code == 554
    world.set_up("mx2")
    world.dns.asked.clear()
    assert world.send("mx2", "203.0.113.197").code == 554
    assert old != world.key("mx2")
    assert old not in world.servers["mx2"].main_cf
    assert not any(old in question for question in world.dns.asked)


def test_a_trial_only_logs(world: World) -> None:
    """Then the same setup without --trial enforces."""
    world.mailmum("block", "203.0.113.198")
    world.set_up("mx2", "--trial")
    assert world.send("mx2", "203.0.113.198").code == 250
    world.servers["mx2"].await_log(lambda log: "reject_warning" in log)
    world.set_up("mx2")
    assert world.send("mx2", "203.0.113.198").code == 554


def test_undo_takes_it_out_again(world: World) -> None:
    """What the setup printed to undo, run in a shell; then it is set up again."""
    server = world.servers["mx2"]
    world.mailmum("block", "203.0.113.199")
    made = world.service.json(
        "postfix", "setup", "--server", "mx2", "--config-dir", str(server.config), "--here"
    )
    server.run(made["undo"])
    assert "mailmum" not in server.main_cf.replace(str(server.folder), "")
    assert world.send("mx2", "203.0.113.199").code == 250
    world.set_up("mx2")
    assert world.send("mx2", "203.0.113.199").code == 554


def test_with_the_service_stopped_mail_flows(tmp_path: Path) -> None:
    """Nothing of ours blocks; a third party's reject becomes "try again"; then all is as before."""
    made = make_service(tmp_path, "--zone", BASE)
    third = Zone(THIRD)
    third.list_address("198.51.100.1")
    with (
        name_server(third, forwards={BASE: made.dns}) as dns,
        postfix(dns.address, STANDS) as server,
    ):
        world = World(made, dns, {"mx1": server})
        with made.up():
            made.run("server", "add", "mx1")
            world.set_up("mx1")
            world.mailmum("block", "203.0.113.7")
            assert server.deliver(Visitor("203.0.113.7")).code == 554
        assert server.deliver(Visitor(STRANGER)).code == 250
        assert server.deliver(Visitor("203.0.113.7")).code == 250
        assert server.deliver(Visitor("198.51.100.1")).code == 450
        with made.up():
            assert server.deliver(Visitor("203.0.113.7")).code == 554


def test_the_service_itself_at_port_53(tmp_path: Path) -> None:
    """Named in smtpd's resolv.conf with no resolver between."""
    made = make_service(tmp_path, "--zone", BASE, dns=(loopback_address(), 53))
    with made.up(), postfix(made.dns[0]) as server:
        world = World(made, NameServer(made.dns[0]), {"mx1": server})
        made.run("server", "add", "mx1")
        world.set_up("mx1")
        world.mailmum("block", "203.0.113.7", "--reason", "Sent spam")
        assert "Sent spam" in world.send("mx1", "203.0.113.7").text
        assert world.send("mx1", STRANGER).code == 250


@contextmanager
def asking(server: Postfix, client: str) -> Iterator[Callable[[], int]]:
    """A session that names a recipient again and again: the codes of the replies."""
    with session(HOST, server.port) as smtp:
        smtp.read()
        for line in (
            "EHLO x",
            f"XCLIENT {Visitor(client).attributes}",
            "EHLO x",
            f"MAIL FROM:<{SENDER}>",
        ):
            smtp.say(line)
        yield lambda: smtp.say(f"RCPT TO:<{RECIPIENT}>").code


@pytest.mark.parametrize("way", ["policy", "both"])
def test_set_up_to_ask_the_policy_service(world: World, way: str) -> None:
    """What is printed, run: blocked and allowed at once, own people first, the undo undoes it."""
    with postfix(world.dns.address, STANDS) as server:
        before = server.postconf("-n")
        words = ("--server", "mx2", "--config-dir", str(server.config), "--here", "--way", way)
        made = world.service.json("postfix", "setup", *words)
        server.shell(made["text"])
        assert world.service.json("postfix", "setup", *words)["changes"] == []
        assert ("reject_rbl_client" in server.postconf("mailmum_block")) == (way == "both")

        def code(address: str) -> int:
            return server.deliver(Visitor(address)).code

        client = "203.0.113.141" if way == "policy" else "203.0.113.142"
        # What smtpd was told by DNS it does not ask again in a session.
        with asking(server, client) as again, asking(world.servers["mx1"], client) as by_dns:
            assert (again(), by_dns()) == (250, 250)
            world.mailmum("block", client, "--reason", "By policy")
            world.service.eventually(lambda: again() == 554)
            assert by_dns() == 250
        assert code(client) == 554
        assert "By policy" in server.deliver(Visitor(client)).text
        assert code("198.51.100.9") == 554
        world.service.run("allow", "198.51.100.9")
        try:
            world.service.eventually(lambda: code("198.51.100.9") == 250)
        finally:
            world.service.run("unlist", "198.51.100.9", client)
        server.run(made["undo"])
        assert server.postconf("-n") == before
