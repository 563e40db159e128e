"""Addresses with ports as the command line and the service write them.

>>> endpoint("[2001:db8::1]:5300"), endpoint("192.0.2.53"), endpoint("2001:db8::1")
(('2001:db8::1', 5300), ('192.0.2.53', 53), ('2001:db8::1', 53))
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from mailmum.cli.failures import Failure


def endpoint(text: str, default_port: int = 53) -> tuple[str, int]:
    """Read HOST, HOST:PORT or [ADDRESS]:PORT; a host name is looked up.

    Raises:
        Failure: it is none of these, or the name is not known.
    """
    host, port = _parted(text.strip())
    try:
        number = int(port) if port else default_port
        if not 0 < number < 65536:
            raise ValueError(port)
        return _address(host), number
    except ValueError:
        raise Failure(
            f"{text} is not an address with a port",
            "write for example 192.0.2.53:5300 or [2001:db8::1]:5300",
            code="bad-input",
        ) from None
    except OSError:
        raise Failure(
            f"the host {host} is not known", "give its address", code="bad-input"
        ) from None


def postfix_endpoint(text: str) -> tuple[str, int]:
    """Read where Postfix asks, as it does: HOST:PORT, [ADDRESS]:PORT, or PORT or :PORT alone.

    These two are of this machine.

    A port may be the name of a service, which /etc/services tells.  The name of a host stays one:
    it may have several addresses, all of which are tried.

    Raises:
        Failure: it is none of these, or a name is not known.
    """
    host, port = _parted(text.strip())
    if not text.startswith("["):
        host, port = (host or "localhost", port) if port else ("localhost", host)
    if not port.isdecimal():
        try:
            port = str(socket.getservbyname(port, "tcp"))
        except OSError:
            raise Failure(
                f"{port or text} is neither a port nor a service in /etc/services",
                "write the number of the port",
                code="bad-input",
            ) from None
    bracketed = f"[{host}]" if ":" in host else host
    return host, endpoint(f"{bracketed}:{port}")[1]


def is_wildcard(host: str) -> bool:
    """Whether a service that listens there listens at every address."""
    return ipaddress.ip_address(host).is_unspecified


def is_loopback(host: str) -> bool:
    """Whether only programs of the same machine reach it."""
    return ipaddress.ip_address(host).is_loopback


def here(url: str) -> bool:
    """Whether a service at this URL runs on this machine, as far as the URL tells."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def _parted(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, ""


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if not host or "/" in host:
            raise
    found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])
