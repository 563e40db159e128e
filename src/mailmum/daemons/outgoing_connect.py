"""A connection to a host that somebody else has named, at an address that was checked.

The name is resolved here and never again: what was checked is what is connected to, so a name that
answers with another address a moment later (DNS rebinding) gains nothing.  If one address of an
answer may not be reached, none is: a name that mixes public and private addresses is no honest one.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from mailmum.daemons.outgoing_faults import Unreached, Unsafe
from mailmum.domain.reachable import Address, Reachable
from mailmum.domain.texts import shown

# One address that drops packets must not use up the time of the others.
_ONE_ADDRESS = 10.0
_MOST_ADDRESSES = 64


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, in monotonic seconds, at which a request as a whole has taken too long."""

    at: float
    allowed: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """So many seconds from now."""
        return cls(time.monotonic() + seconds, seconds)

    def left(self, host: str) -> float:
        """Seconds that are left.

        Raises:
            Unreached: none.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise self.passed(host)
        return left

    def passed(self, host: str) -> Unreached:
        """What to say when there are none."""
        return Unreached(
            f"{shown(host)} was not done within {self.allowed:g} seconds",
            fix="see whether it is slow or away, and try again later",
        )


def connect(
    host: str, port: int, trust: ssl.SSLContext | None, reach: Reachable, deadline: Deadline
) -> socket.socket:
    """A connection to the host, encrypted when there is a context to trust by.

    Raises:
        Unsafe: the host has an address that may not be reached.
        Unreached: it has none, or none of them answers, or its certificate is not to be trusted.
    """
    addresses = resolve(host, deadline)
    for address in addresses:
        space = reach.why_not(host, address)
        if space is not None:
            raise Unsafe.at(host, str(address), space)
    plain = _first_that_answers(host, addresses, port, deadline)
    if trust is None:
        return plain
    return _encrypted(plain, host, trust, deadline)


def resolve(host: str, deadline: Deadline) -> list[Address]:
    """All addresses of a host.

    The system's resolver knows no time limit, so it is asked in a thread that is left behind when
    it takes too long.

    Raises:
        Unreached: it has no address, or there is no answer in time.
    """
    with suppress(ValueError):
        return [ipaddress.ip_address(host)]
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()
    threading.Thread(target=_ask, args=(host, answers), daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left(host))
    except queue.Empty:
        raise deadline.passed(host) from None
    if isinstance(found, OSError):
        raise Unreached(
            f"{shown(host)} cannot be resolved: {found.strerror or found}",
            fix="check the spelling of the name, and the resolver of this machine",
        )
    return [ipaddress.ip_address(text) for text in found]


def _ask(host: str, answers: "queue.SimpleQueue[list[str] | OSError]") -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        answers.put(error)
    except UnicodeError:
        answers.put(OSError("it is no name in the DNS"))
    else:
        # A zone index (fe80::1%eth0) says nothing that matters: such addresses are refused.
        texts = dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)
        answers.put(list(texts)[:_MOST_ADDRESSES] or OSError("it has no address"))


def _first_that_answers(
    host: str, addresses: list[Address], port: int, deadline: Deadline
) -> socket.socket:
    reason = ""
    for address in addresses:
        limit = min(_ONE_ADDRESS, deadline.left(host))
        try:
            return socket.create_connection((str(address), port), timeout=limit)
        except TimeoutError:
            reason = f"{address} does not answer at port {port}"
        except OSError as error:
            reason = f"{address}, port {port}: {error.strerror or error}"
    deadline.left(host)
    raise Unreached(
        f"{shown(host)} cannot be reached: {reason}",
        fix="see whether it is up, and whether a firewall is in the way",
    )


def _encrypted(
    plain: socket.socket, host: str, trust: ssl.SSLContext, deadline: Deadline
) -> socket.socket:
    try:
        plain.settimeout(deadline.left(host))
        # An end without a farewell (RFC 8446 section 6.1) may be somebody's cut: it is a fault.
        return trust.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=False)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise Unreached(
            f"the certificate of {shown(host)} is not to be trusted: {error.verify_message}",
            fix="its operator has to mend it; an authority of your own belongs in the system's "
            "store, or in a file that SSL_CERT_FILE names",
        ) from None
    except TimeoutError:
        plain.close()
        raise deadline.passed(host) from None
    except (OSError, ValueError) as error:
        plain.close()
        raise Unreached(
            f"{shown(host)} speaks no TLS that is known here: {error}",
            fix="check the port, and whether the address begins with https rightly",
        ) from None
