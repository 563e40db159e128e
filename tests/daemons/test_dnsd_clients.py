"""Other people's clients against dnsd: drill of ldns, and kdig of Knot, over UDP and TCP."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons.dnsd_kit import BL, DBL, KEY, Database, Served, serving

LISTED = f"7.113.0.203.{BL}"


@pytest.fixture(scope="module", params=["compiled", "python"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Each engine, with a blocked address and a blocked host."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        database.block("203.0.113.7", reason="Sent spam")
        database.block("mx.spam.example")
        with serving(database, engine=request.param) as served:
            yield served


def run(program: str, *arguments: str) -> str:
    """What a client says; it must be content."""
    path = shutil.which(program) or program
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("transport", ["-u", "-t"])
def test_drill(served: Served, transport: str) -> None:
    """Answers, their absence, and signatures that are asked for in vain."""
    common = (transport, "-p", str(served.port), "@127.0.0.1")
    for arguments in (("-D",), ("-b", "1232"), ()):
        text = run("drill", *common, *arguments, LISTED, "A")
        assert "rcode: NOERROR" in text
        assert "127.0.0.2" in text
        assert "MSG SIZE" in text
    assert "Sent spam" in run("drill", *common, LISTED, "TXT")
    assert "rcode: NXDOMAIN" in run("drill", *common, f"8.113.0.203.{BL}", "A")
    assert "127.0.1.2" in run("drill", *common, f"mx.spam.example.{DBL}", "A")


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_kdig(served: Served, transport: str) -> None:
    """With every option it has for an authoritative server."""
    common = ("@127.0.0.1", "-p", str(served.port), transport, "+retry=0")
    for arguments in (
        ("+noedns",),
        ("+edns=0", "+dnssec", "+cdflag", "+adflag", "+zflag"),
        ("+bufsize=512", "+nsid", "+padding", "+alignment"),
        ("+cookie", "+subnet=192.0.2.0/24"),
        ("+norec", "+badcookie", "+ednsopt=65001:00ff"),
    ):
        text = run("kdig", *common, *arguments, LISTED, "A")
        assert "status: NOERROR" in text
        assert "127.0.0.2" in text
        assert "WARNING" not in text.replace("recursion requested but not available", "")
        assert ("COOKIE" in text) == ("+cookie" in arguments)
    assert "Sent spam" in run("kdig", *common, LISTED, "TXT")
    assert "status: NXDOMAIN" in run("kdig", *common, f"8.113.0.203.{BL}", "A")
    assert "status: REFUSED" in run("kdig", *common, "mail.example", "A")


def test_kdig_asks_many_over_one_connection(served: Served) -> None:
    """RFC 7766 section 6.2.1: the connection stays open for the next query."""
    names = [f"{number}.113.0.203.{BL}" for number in range(4, 10)]
    text = run(
        "kdig", "@127.0.0.1", "-p", str(served.port), "+tcp", "+keepopen", "+retry=0", *names
    )
    assert text.count("status: NOERROR") == 1
    assert text.count("status: NXDOMAIN") == 5


def test_nobody_tells_the_key(served: Served) -> None:
    """Not in TXT, and not in records of the zones above."""
    for name, type_ in ((LISTED, "TXT"), ("rbl.example.net", "ANY"), ("bl.rbl.example.net", "NS")):
        text = run("kdig", "@127.0.0.1", "-p", str(served.port), "+noall", "+answer", name, type_)
        assert not [line for line in text.splitlines() if KEY in line.partition("IN")[2]]
