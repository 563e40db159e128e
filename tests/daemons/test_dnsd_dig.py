"""BIND's dig against dnsd: the checks of RFC 8906 section 8."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.daemons.dnsd_kit import BL, Database, serving


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address and one domain."""
    database = Database(tmp_path)
    database.block("203.0.113.7", reason="Sent spam")
    database.block(".spam.example")
    return database


DIG = shutil.which("dig") or "dig"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # RFC 8906 section 8: what a correct server answers.
        (["+noedns", "+noad", "+norec", BL, "SOA"], ["status: NOERROR", "flags: qr aa;", "SOA"]),
        (["+noedns", "+noad", "+norec", BL, "TYPE1000"], ["status: NOERROR", "flags: qr aa;"]),
        (["+noedns", "+noad", "+norec", "+cd", BL, "SOA"], ["status: NOERROR", "flags: qr aa;"]),
        (["+noedns", "+noad", "+norec", "+ad", BL, "SOA"], ["status: NOERROR", "flags: qr aa;"]),
        (["+noedns", "+noad", "+rec", BL, "SOA"], ["status: NOERROR", "flags: qr aa rd;"]),
        (
            ["+noedns", "+noad", "+norec", "+zflag", BL, "SOA"],
            ["status: NOERROR", "flags: qr aa;"],
        ),
        (
            ["+noedns", "+noad", "+norec", "+opcode=15", "+header-only"],
            ["status: NOTIMP", "flags: qr;"],
        ),
        (["+noedns", "+noad", "+norec", "+tcp", BL, "SOA"], ["status: NOERROR", "SOA"]),
        (["+edns=0", "+nocookie", "+noad", "+norec", BL, "SOA"], ["EDNS: version: 0", "NOERROR"]),
        (
            ["+edns=1", "+noednsneg", "+nocookie", "+noad", "+norec", BL, "SOA"],
            ["status: BADVERS", "EDNS: version: 0", "ANSWER: 0"],
        ),
        (
            ["+ednsopt=100", "+nocookie", "+noad", "+norec", BL, "SOA"],
            ["status: NOERROR", "EDNS: version: 0"],
        ),
        (
            ["+ednsflags=0x40", "+nocookie", "+noad", "+norec", BL, "SOA"],
            ["status: NOERROR", "flags:; udp"],
        ),
        (
            ["+edns=1", "+noednsneg", "+ednsopt=100", "+ednsflags=0x40", "+noad", BL, "SOA"],
            ["status: BADVERS"],
        ),
        (["+dnssec", "+nocookie", "+noad", "+norec", BL, "SOA"], ["flags: do;"]),
        (["+dnssec", "+edns=1", "+noednsneg", "+noad", BL, "SOA"], ["status: BADVERS"]),
        (["+cookie", "+noad", "+norec", BL, "SOA"], ["status: NOERROR", "(good)"]),
        (["+bufsize=512", "+dnssec", BL, "ANY", "+notcp"], ["status: NOERROR", "ANSWER: 1"]),
        (["-c", "CH", "-t", "TXT", "version.bind"], ["status: REFUSED"]),
        (["+tcp", BL, "AXFR", "+nocomments"], ["Transfer failed"]),
    ],
)
def test_dig(database: Database, arguments: list[str], expected: list[str]) -> None:
    """BIND's dig sees what RFC 8906 asks for."""
    with serving(database) as served:
        command = [DIG, "@127.0.0.1", "-p", str(served.port), "+time=2", "+tries=1", *arguments]
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        for words in expected:
            assert words in output, output
        expected_warning = "WARNING: recursion requested but not available"
        assert "WARNING" not in output.replace(expected_warning, ""), output
