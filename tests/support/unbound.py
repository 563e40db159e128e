"""A private unbound on loopback, for tests of how a resolver reaches the service.

It listens at port 53 of an address of its own, validates with the real root key as Debian's does,
and has no way out: what its stub zones do not answer is SERVFAIL.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.ports import is_free
from tests.support.postfix_dns import PORT, loopback_address
from tests.support.process import running

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Key 20326 of the root zone, as IANA publishes it: with an anchor above it, a domain that is not
# signed fails validation unless unbound is told that it is insecure.
_ANCHOR = ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
_CONFIG = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    do-daemonize: no
    num-threads: 1
    interface: {address}
    port: {port}
    access-control: 127.0.0.0/8 allow
    trust-anchor: "{anchor}"
    # No way out: nothing that a test does may ask the Internet.
    root-hints: "{folder}/hints"
    do-not-query-address: 192.0.2.0/24
remote-control:
    control-enable: no
"""
_HINTS = ". 3600 NS nowhere.invalid.\nnowhere.invalid. 3600 A 192.0.2.1\n"


@contextlib.contextmanager
def unbound(*lines: str, cache: bool = True) -> Iterator[str]:
    """Run an unbound with these lines of configuration as well; the address it listens at.

    Without `cache` it asks anew each time. Raises RuntimeError where none can be run.
    """
    program = shutil.which("unbound", path=_PATH)
    if program is None:
        raise RuntimeError("no unbound here: script/bootstrap --test installs it")
    address = _free_address()
    with tempfile.TemporaryDirectory(prefix="mailmum-unbound-") as name:
        folder = Path(name)
        (folder / "hints").write_text(_HINTS)
        config = folder / "unbound.conf"
        config.write_text(_text(folder, address, lines, cache=cache))
        with running([program, "-d", "-c", str(config)], "start of service", env={"PATH": _PATH}):
            yield address


def _text(folder: Path, address: str, lines: Iterable[str], *, cache: bool) -> str:
    text = _CONFIG.format(folder=folder, address=address, port=PORT, anchor=_ANCHOR)
    if not cache:
        text += "server:\n    cache-max-ttl: 0\n    cache-max-negative-ttl: 0\n"
    return text + "\n".join(lines) + "\n"


def _free_address() -> str:
    for _ in range(50):
        address = loopback_address()
        if is_free(PORT, "both", address):
            return address
    raise RuntimeError(
        "port 53 can be bound on no address of loopback; run these tests as root, in a container "
        "for example"
    )
