"""The Munin plugin, run by Munin's own node against a real service.

munin-run reads the same configuration as the node that runs day and night, sets the environment
and hands on what the plugin says.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.service import Service, service

PLUGIN = Path(__file__).parents[2] / "contrib/munin/mailmum_hits"
ODD_LIST = "odd_list.rbl.example"
# What following the log of a mail server does, in a process of the service's own.
KEEP = """
import sys, time
import django
django.setup()
from mailmum.control.servers.models import Server
from mailmum.control.traffic.intake import keep
from mailmum.traffic.sightings import Outcome, Sighting, Source
class Found: updates = ()
server = Server.objects.get(name="mx1")
Found.sightings = [
    Sighting(time.time(), client="198.51.100.1", outcome=Outcome.REJECTED, rbl=rbl)
    for rbl in sys.argv[1:]
]
keep(server.account_id, server.pk, Source.LOG, Found)
"""


@dataclass
class Node:
    """A Munin node with the plugin, and nothing else."""

    folder: Path

    def run(self, *words: str, name: str = "mailmum_hits", status: int = 0) -> str:
        """Have the node run the plugin; what it says."""
        plugins = self.folder / "plugins"
        plugins.mkdir(exist_ok=True)
        if not (plugins / name).exists():
            (plugins / name).symlink_to(PLUGIN)
        program = shutil.which("munin-run", path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert program is not None
        where = ["--servicedir", str(plugins), "--sconfdir", str(self.folder / "conf.d")]
        done = subprocess.run(
            [program, "--config", str(self.folder / "munin-node.conf"), *where, name, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout + (done.stderr if status else "")

    def configure(self, **variables: str) -> None:
        """Write the plugin's configuration."""
        lines = [f"env.{name} {value}" for name, value in variables.items()]
        folder = self.folder / "conf.d"
        folder.mkdir(exist_ok=True)
        (folder / "mailmum").write_text("\n".join(["[mailmum_hits*]", "user root", *lines, ""]))

    def values(self, name: str = "mailmum_hits") -> dict[str, int]:
        """The numbers, by field."""
        found = re.findall(r"(?m)^(\w+)\.value (\d+)$", self.run(name=name))
        return {field: int(value) for field, value in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two servers that has answered and whose logs told of public lists."""
    with service(tmp_path_factory.mktemp("service")) as running:
        zones = {name: running.json("server", "add", name)["zones"] for name in ("mx1", "mx2")}
        running.run("block", "203.0.113.7", "198.51.100.0/24", "host.spam.example", ".spam.top")
        bl, dbl = zones["mx1"]["bl"], zones["mx1"]["dbl"]
        running.eventually(lambda: running.lookup(f"a.spam.top.{dbl}") == ["127.0.1.3"])
        for name in (f"7.113.0.203.{bl}", f"host.spam.example.{dbl}"):
            assert running.lookup(name)
        for last in (1, 2):
            assert running.lookup(f"{last}.100.51.198.{bl}")
        assert not running.lookup(f"1.2.0.192.{bl}")
        assert running.lookup(f"7.113.0.203.{zones['mx2']['bl']}")
        lists = ["zen.rbl.example", "zen.rbl.example", "bl.rbl.example", ODD_LIST]
        environment = running.environment | {"DJANGO_SETTINGS_MODULE": "mailmum.control.settings"}
        subprocess.run([sys.executable, "-c", KEEP, *lists], env=environment, check=True)
        yield running


@pytest.fixture
def node(tmp_path: Path, made: Service) -> Node:
    """A node that may ask the service."""
    reading = made.run(
        *("account", "token", "owner@localhost", "--account", "main"),
        *("--name", f"munin {tmp_path.name}", "--scope", "read"),
    )
    (tmp_path / "token").write_text(reading.stdout)
    (tmp_path / "munin-node.conf").write_text("host_name mx1\nuser root\ngroup root\n")
    node = Node(tmp_path)
    node.configure(url=made.url, token_file=str(tmp_path / "token"))
    return node


def test_hits_by_what_was_listed_beside_public_lists(made: Service, node: Node) -> None:
    """What was asked of a real DNS and told by a log, as numbers that only grow."""
    expected = {
        "own_address": 2,
        "own_network": 2,
        "rbl_zen_rbl_example": 2,
        "rbl_bl_rbl_example": 1,
    }
    # Counts are stored about once a second.
    made.eventually(lambda: node.values().items() >= expected.items())
    found = node.values()
    assert found["own_name"] >= 2
    (odd,) = found.keys() - expected.keys() - {"own_name"}
    assert odd.startswith("rbl_odd_list_rbl_example_")
    one = node.values("mailmum_hits_mx2")
    assert one == {"own_address": 1, "own_network": 0, "own_name": 0}


def test_every_number_has_a_line_in_the_graph(node: Node) -> None:
    """In Munin's protocol: each field with a label, and as a number that grows."""
    said = node.run("config")
    assert "graph_category spamfilter\n" in said
    labels = dict(re.findall(r"(?m)^(\w+)\.label (.+)$", said))
    assert labels.keys() == node.values().keys()
    assert labels["own_address"] == "own: addresses"
    assert labels["rbl_zen_rbl_example"] == "zen.rbl.example"
    for kind in ("type DERIVE", "min 0"):
        assert set(re.findall(rf"(?m)^(\w+)\.{kind}$", said)) == labels.keys()
    # Each line is an attribute of the graph or of a field, and nothing else.
    assert all(re.fullmatch(r"graph_[a-z]+ .+|\w+\.[a-z]+ .+", line) for line in said.splitlines())


def test_the_number_of_lists_is_bounded(node: Node, made: Service, tmp_path: Path) -> None:
    """Names of lists come out of logs; those with most hits are drawn."""
    node.configure(url=made.url, token_file=str(tmp_path / "token"), lists="1")
    assert [field for field in node.values() if field.startswith("rbl_")] == ["rbl_zen_rbl_example"]


def test_what_is_wrong_is_said(node: Node, made: Service, tmp_path: Path) -> None:
    """Status 1 and a line for the administrator; autoconf says no."""
    assert "no server" in node.run(name="mailmum_hits_mx9", status=1)
    token_file = str(tmp_path / "token")
    assert node.run("autoconf") == "yes\n"
    for settings, words in (
        ({"url": made.url, "token": "mm_unknown"}, "does not know the token"),
        ({"url": made.url}, "there is no token"),
        ({"url": made.url, "token_file": "/nonexistent"}, "cannot be read"),
        ({"url": "file:///etc/passwd", "token": "x"}, "env.url"),
        ({"url": f"http://127.0.0.1:{free_port('tcp')}", "token": "x"}, "cannot be asked"),
        ({"url": made.url, "token_file": token_file, "lists": "many"}, "env.lists"),
    ):
        node.configure(**settings)
        assert words in node.run("config", status=1)
        if "lists" not in settings:
            assert node.run("autoconf").startswith("no (")


def test_the_configuration_of_the_guide_will_do(node: Node, made: Service) -> None:
    """As it stands there, but for address and place of the token."""
    guide = (PLUGIN.parents[2] / "docs/guides/running.md").read_text()
    (block,) = re.findall(r"(?ms)^```text\n(\[mailmum_hits.*?)^```", guide)
    block = block.replace("http://127.0.0.1:8053", made.url)
    block = block.replace("/etc/munin/munin.token", str(node.folder / "token"))
    (node.folder / "conf.d/mailmum").write_text(block)
    assert node.values()["own_network"] == 2


def test_it_runs_as_it_lies_there() -> None:
    """Executable, by the system's own Python."""
    assert os.access(PLUGIN, os.X_OK)
    assert PLUGIN.read_text().startswith("#!/usr/bin/python3\n")
