"""Private BIND and Knot Resolver on loopback, and a root zone for resolvers to begin from.

The root, which has one delegation, is at port 53 of an address of its own, since delegations know
no other port; so this takes root, in a container for example. None of them has a way out.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import free_port, is_free
from tests.support.postfix_dns import PORT, loopback_address
from tests.support.process import running

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_NAMED = """\
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile "{folder}/session.key";
    lock-file none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion yes;
    qname-minimization strict;
    dnssec-validation no;
    empty-zones-enable no;
    max-cache-size 10m;
}};
controls {{ }};
zone "." {{ type hint; file "hints"; }};
"""
_ROOT = """\
$TTL 3600
. SOA ns.root. owner.root. 1 3600 600 86400 60
. NS ns.root.
ns.root. A {address}
{base}. NS ns.{base}.
ns.{base}. A {target}
"""
_AUTHORITATIVE = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-daemonize: no
    num-threads: 1
    interface: {address}
    port: {port}
    access-control: 127.0.0.0/8 allow
    module-config: "iterator"
auth-zone:
    name: "."
    zonefile: "{folder}/root"
    for-downstream: yes
    for-upstream: no
    fallback-enabled: no
remote-control:
    control-enable: no
"""
_HINTS = ". 3600 NS ns.root.\nns.root. 3600 A {root}\n"
_KRESD = """\
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
modules = {{ 'hints' }}
hints.root({{ ['ns.root.'] = '{root}' }})
trust_anchors.remove('.')
-- Name servers on loopback would be passed over as bogus.
option('ALLOW_LOCAL', true)
cache.open(10 * MB, 'lmdb://{folder}/cache')
log_level('info')
"""


def free_address() -> str:
    """An address of loopback whose port 53 nobody has.

    Raises RuntimeError when there is none.
    """
    for _ in range(50):
        address = loopback_address()
        if is_free(PORT, "both", address):
            return address
    raise RuntimeError(
        "port 53 can be bound on no address of loopback; run these tests as root, in a container "
        "for example"
    )


@contextlib.contextmanager
def root_zone(base: str, target: str) -> Iterator[str]:
    """A root that delegates one zone to the name server at an address; the root's address."""
    address = free_address()
    with _folder("root") as folder:
        text = _ROOT.format(address=address, base=base, target=target)
        (folder / "root").write_text(text)
        config = folder / "unbound.conf"
        config.write_text(_AUTHORITATIVE.format(folder=folder, address=address, port=PORT))
        command = [_find("unbound"), "-d", "-c", str(config)]
        with running(command, "start of service", env={"PATH": _PATH}):
            yield address


@contextlib.contextmanager
def bind(root: str) -> Iterator[tuple[str, int]]:
    """BIND as a resolver that minimises query names strictly; address and port it listens at."""
    port = free_port("both")
    with _folder("named") as folder:
        (folder / "hints").write_text(_HINTS.format(root=root))
        config = folder / "named.conf"
        config.write_text(_NAMED.format(folder=folder, port=port))
        command = [_find("named"), "-g", "-n", "1", "-c", str(config)]
        with running(command, "running$", env={"PATH": _PATH}):
            yield "127.0.0.1", port


@contextlib.contextmanager
def knot_resolver(root: str) -> Iterator[tuple[str, int]]:
    """Knot Resolver, which minimises query names and varies their case; address and port."""
    port = free_port("both")
    with _folder("kresd") as folder:
        config = folder / "config"
        config.write_text(_KRESD.format(port=port, root=root, folder=folder))
        command = [_find("kresd"), "-n", "-q", "-c", str(config), str(folder)]
        with running(command, lambda: not is_free(port, "both"), env={"PATH": _PATH}):
            yield "127.0.0.1", port


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"mailmum-{name}-") as folder:
        yield Path(folder)


def _find(program: str) -> str:
    path = shutil.which(program, path=_PATH)
    if path is None:
        raise RuntimeError(f"no {program} here: script/bootstrap --test installs it")
    return path
