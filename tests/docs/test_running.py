"""The guides for running it for good: followed on both databases, their units started."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from mailmum.control.config import Config
from mailmum.postfix.setup_resolver import recipes
from tests.docs.guide import language, needs, reader
from tests.docs.machine import Machine
from tests.docs.markdown import ROOT, documents
from tests.support.postgres import Cluster
from tests.support.process import running
from tests.support.service import MAILMUM, make_service

GUIDES = ROOT / "docs" / "guides"
README = ROOT / "README.md"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which the service of the guide runs, with SQLite."""
    with Machine(make_service(tmp_path, sqlite=True)) as made:
        yield made


def test_running(tmp_path: Path, machine: Machine) -> None:
    """Links, tokens, accounts; a backup, an accident, and all as before."""
    needs("sqlite3", "curl", "dig")
    (tmp_path / "reader").mkdir()
    (tmp_path / "backups").mkdir()
    with reader(GUIDES / "running.md", machine.service, tmp_path / "reader") as guide:
        guide.places = {
            "/var/lib/mailmum": str(machine.service.data),
            "/var/backups": str(tmp_path / "backups"),
        }
        guide.handlers["sudo systemctl"] = machine.systemctl
        guide.may_fail = ("mailmum doctor",)
        assert guide.follow() > 20
    kept = {path.name for path in (tmp_path / "backups/mailmum").iterdir()}
    assert kept == {"mailmum.sqlite3", "mailmum.toml", "secret.key", "cli.json"}


def test_postgresql(tmp_path: Path, postgres_cluster: Cluster) -> None:
    """The one setting, as it stands in the guide; dumped, and restored over what came after."""
    needs("pg_dump", "pg_restore")
    path = GUIDES / "postgresql.md"
    with psycopg.connect(postgres_cluster.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE mailmum")
    (url,) = re.findall(r'database = "([^"]+)"', language(path, "toml")[0].text)
    url = url.replace("mailmum@/", f"mailmum@:{postgres_cluster.port}/")
    url = url.replace("/run/postgresql", str(postgres_cluster.socket_folder))
    variables = {
        "PGHOST": str(postgres_cluster.socket_folder),
        "PGPORT": str(postgres_cluster.port),
        "PGUSER": "mailmum",
    }
    (tmp_path / "reader").mkdir()
    service = make_service(tmp_path, sqlite=True, database=url)
    with (
        Machine(service) as machine,
        reader(path, service, tmp_path / "reader", environment=variables) as guide,
    ):
        guide.handlers["sudo systemctl"] = machine.systemctl
        assert guide.follow() > 5
        _second_dns(machine, url, tmp_path / "second")


def _second_dns(machine: Machine, url: str, folder: Path) -> None:
    """A DNS server with a data folder of its own follows the same database."""
    folder.mkdir()
    other = make_service(folder, sqlite=True, database=url)
    zone = machine.service.json("server", "show", "mx1")["zones"]["bl"]
    host, port = other.dns
    command: list[str | Path] = [MAILMUM, "dns", "--dns", f"{host}:{port}"]
    with running(command, "dns.loaded", timeout=30, env=other.environment):
        assert other.lookup(f"7.113.0.203.{zone}") == ["127.0.0.2"]
        machine.service.run("block", "203.0.113.8")
        other.eventually(lambda: other.lookup(f"8.113.0.203.{zone}") == ["127.0.0.2"])
    assert (other.data / "index.snapshot").exists()


def test_resolvers_are_told_the_same_everywhere() -> None:
    """The documents show what `mailmum postfix setup` prints for the default set-up."""
    printed = {
        recipe.resolver.partition(":")[0]: "\n".join(recipe.lines) + "\n"
        for recipe in recipes("mailmum.internal", "127.0.0.1", 5300)
    }
    for name in ("unbound", "dnsmasq"):
        assert [block.text for block in language(README, name)] == [printed[name]]


def test_unbound_takes_its_configuration(tmp_path: Path) -> None:
    """By its own checker; that it resolves too is shown by the README's test."""
    needs("unbound-checkconf")
    file = tmp_path / "mailmum.conf"
    file.write_text(language(README, "unbound")[0].text)
    done = subprocess.run(["unbound-checkconf", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_proxy_leads_to_the_default_address() -> None:
    """A request goes to where pages are, and may be as large as imports may."""
    from mailmum.web.limits import IMPORT_PATH, LARGE

    (block,) = language(GUIDES / "running.md", "nginx")
    assert block.text.count("{") == block.text.count("}")
    passed = re.findall(r"proxy_pass http://([^;]+);", block.text)
    assert set(passed) == {Config.model_fields["web"].default}
    assert f"location {IMPORT_PATH} {{" in block.text
    assert f"client_max_body_size {LARGE // 1024**2}m;" in block.text


def test_no_document_names_another_address() -> None:
    """Ports that documents show are the defaults, so that they can be followed as they stand."""
    defaults = {str(Config.model_fields[name].default) for name in ("web", "dns", "policy")}
    # The port of one server's own, for a Postfix that sends no context.
    defaults.add("127.0.0.1:10054")
    for path in documents():
        for found in re.findall(r"127\.0\.0\.1:\d+", path.read_text()):
            assert found in defaults, f"{path}: {found}"
