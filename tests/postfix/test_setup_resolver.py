"""How the mail server's resolver reaches the zones."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mailmum.postfix.setup_resolver import recipes


def lines(resolver: str, host: str = "127.0.0.1", port: int = 5300) -> str:
    """One resolver's configuration."""
    (recipe,) = (
        r for r in recipes("rbl.example", host, port) if r.resolver.startswith(f"{resolver}:")
    )
    return "\n".join(recipe.lines) + "\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "192.0.2.53", "0.0.0.0", "2001:db8::53"])
def test_unbound_takes_its_recipe(host: str, tmp_path: Path) -> None:
    """unbound-checkconf is the judge."""
    checker = shutil.which("unbound-checkconf", path="/usr/sbin:/usr/bin")
    assert checker, "no unbound here: script/bootstrap --test installs it"
    config = tmp_path / "unbound.conf"
    config.write_text(
        f'server:\n    chroot: ""\n    directory: "{tmp_path}"\n    username: ""\n'
        + lines("unbound", host)
    )
    done = subprocess.run([checker, str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_a_service_on_this_machine_needs_leave_to_be_asked() -> None:
    """By default unbound does not ask loopback."""
    assert "do-not-query-localhost: no" in lines("unbound")
    assert "do-not-query-localhost" not in lines("unbound", "192.0.2.53")


def test_a_wildcard_address_is_asked_on_loopback() -> None:
    """Nobody can ask 0.0.0.0 or ::."""
    assert "stub-addr: 127.0.0.1@5300" in lines("unbound", "0.0.0.0")
    assert "server=/rbl.example/::1#53\n" in lines("dnsmasq", "::", 53)


def test_each_resolver_writes_the_port_its_own_way() -> None:
    """@ for unbound, # for dnsmasq, a word for BIND."""
    assert "stub-addr: 127.0.0.1@5300" in lines("unbound")
    assert "server=/rbl.example/127.0.0.1#5300" in lines("dnsmasq")
    assert "forwarders { 127.0.0.1 port 5300; };" in lines("BIND")


def test_answers_in_127_are_let_through() -> None:
    """Protection against DNS rebinding would strip them."""
    assert 'private-domain: "rbl.example"' in lines("unbound")
    assert "rebind-domain-ok=/rbl.example/" in lines("dnsmasq")


def test_no_signature_is_expected() -> None:
    """A base outside the public tree is not delegated, so validation has to pass it over."""
    assert 'domain-insecure: "rbl.example"' in lines("unbound")
    assert 'validate-except { "rbl.example"; };' in lines("BIND")
