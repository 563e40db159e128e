"""The service beside the real rbldnsd, which serves the service's own export."""

import json
import random
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import dns.message
import dns.rcode
import urllib3

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from tests.formats.oracles import Answers, query_name, rbldnsd
from tests.support.service import Service, service

SEED = 20
ASKED = 2500
ZONES = {"bl": "blocked.example", "wl": "allowed.example"}


def test_answers_are_rbldnsds(tmp_path: Path) -> None:
    """Thousands of random clients: the same ones are listed, with the same code and text.

    Nested networks, exceptions, a server that differs from its account, people's listings above
    a feed's; IPv4, IPv6 and names; what is blocked and what is allowed.
    """
    chance = random.Random(SEED)
    with service(tmp_path) as made:
        zones = made.json("server", "add", "mx1")["zones"]
        targets = _fill(made, chance, tmp_path)
        files = {
            ZONES["bl"]: ("combined", _export(made, "block")),
            ZONES["wl"]: ("combined", _export(made, "allow")),
        }
        made.eventually(lambda: _settled(made, zones, targets))
        listed = 0
        with rbldnsd(files) as oracle:
            for _ in range(ASKED):
                subject = _near(chance, targets)
                action = chance.choice(["bl", "wl"])
                theirs = _theirs(oracle, subject, action)
                ours = _ours(made, subject, zones[f"d{action}" if _is_name(subject) else action])
                assert ours == theirs, (subject.text, action)
                listed += bool(ours[0])
    assert 0.1 < listed / ASKED < 0.9


def _fill(made: Service, chance: random.Random, folder: Path) -> list[str]:
    networks = [
        f"198.{18 + chance.randrange(2)}.{chance.randrange(4) * 64}.0/{chance.choice([18, 20])}"
        for _ in range(4)
    ]
    addresses = [f"198.18.{chance.randrange(256)}.{chance.randrange(256)}" for _ in range(150)]
    small = [f"198.18.{chance.randrange(64)}.{chance.randrange(16) * 16}/28" for _ in range(60)]
    six = [f"2001:db8:{chance.randrange(8):x}::/{chance.choice([48, 60])}" for _ in range(12)]
    six += [f"2001:db8:{chance.randrange(8):x}::{chance.randrange(9):x}" for _ in range(60)]
    names = [f".z{chance.randrange(6)}.example" for _ in range(4)]
    names += [f"h{chance.randrange(9)}.z{chance.randrange(6)}.example" for _ in range(30)]
    everything = [*networks, *addresses, *small, *six, *names]
    feed = folder / "feed.txt"
    feed.write_text("\n".join(sorted(set(chance.sample(everything, 120)))) + "\n")
    made.run("import", str(feed), "--format", "plain", "--reason", "on a feed")
    for action, server, size in (
        ("block", "", 150), ("allow", "", 60), ("block", "mx1", 40), ("allow", "mx1", 30),
    ):  # fmt: skip
        scope = ("--server", server) if server else ()
        chosen = sorted(set(chance.sample(everything, size)))
        made.run(action, *chosen, *scope, "--reason", f"{action} $1 at {server or 'all'}")
    made.run("block", networks[0], "--code", "127.0.0.9", "--reason", "own code")
    return everything


def _export(made: Service, action: str) -> str:
    words = ("export", "--format", "rbldnsd", "--server", "mx1", "--action", action)
    return made.run(*words).stdout


def _settled(made: Service, zones: dict[str, str], targets: list[str]) -> bool:
    """Whether DNS answers the last change."""
    address = targets[0].partition("/")[0]
    verdict = made.json("explain", address, "--server", "mx1")["verdict"]
    name = ".".join(reversed(address.split(".")))
    listed = made.lookup(f"{name}.{zones['bl']}")
    return bool(listed) == bool(verdict == "block")


def _near(chance: random.Random, targets: list[str]) -> Subject:
    """A client in or beside one of the targets."""
    target = chance.choice(targets)
    if target[0].isdigit() and ":" not in target:
        text = target.partition("/")[0]
        value = int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
        return AddressSubject(4, value + chance.choice([0, 0, 1, 15, 16, 255, 4095, 16383]))
    if ":" in target:
        value = int.from_bytes(socket.inet_pton(socket.AF_INET6, target.partition("/")[0]), "big")
        return AddressSubject(6, value + chance.choice([0, 0, 1, 2**64, 2**68, 2**80]))
    return NameSubject(chance.choice(["", "a.", "h1.", "b.h2."]) + target.lstrip("."))


def _is_name(subject: Subject) -> bool:
    return isinstance(subject, NameSubject)


def _theirs(oracle: Answers, subject: Subject, action: str) -> tuple[list[str], str]:
    sub = f"d{action}" if _is_name(subject) else action
    records, texts = oracle.ask(subject, f"{sub}.{ZONES[action]}")
    return records, "".join(texts)


def _ours(made: Service, subject: Subject, zone: str) -> tuple[list[str], str]:
    """The A records, and the text without the link that MailMum adds."""
    name = f"{query_name(subject)}.{zone}"
    texts = json.loads("[" + ",".join(made.lookup(name, "TXT")) + "]")
    text = "".join(texts).partition(" See http")[0].removesuffix(".")
    answer = made.ask(name)
    assert answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    return [item.to_text() for rrset in answer.answer for item in rrset], text


def _explained(made: Service, subject: Subject) -> Any:
    """What the API says of a client; a process each time would take a quarter of a minute."""
    known = json.loads((made.data / "cli.json").read_text())
    query = urlencode({"client": subject.text, "server": "mx1"})
    answer = urllib3.request(
        "GET",
        f"{known['url']}/api/v1/explain?{query}",
        headers={"Authorization": f"Bearer {known['token']}"},
        retries=False,
    )
    assert answer.status == 200, answer.data
    return answer.json()


def test_the_export_says_what_the_service_says(tmp_path: Path) -> None:
    """Exported and imported elsewhere, the verdicts stay: a second service answers alike."""
    chance = random.Random(SEED + 1)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with service(tmp_path / "a") as first, service(tmp_path / "b") as second:
        for made in (first, second):
            made.run("server", "add", "mx1")
        targets = _fill(first, chance, tmp_path)
        backup = tmp_path / "backup.json"
        backup.write_text(first.run("export", "--format", "json").stdout)
        second.run("import", str(backup), "--force")
        for _ in range(100):
            subject = _near(chance, targets)
            one, other = (_explained(made, subject) for made in (first, second))
            assert one["verdict"] == other["verdict"], subject.text
            assert (one["because"] or {}).get("target") == (other["because"] or {}).get("target")
