"""Binding: what can go wrong is said with its cause and fix."""

import errno
import socket
from unittest import mock

import pytest

from mailmum.daemons.dnsd_sockets import bind, probe
from mailmum.daemons.listening import StartFailed
from tests.support.ports import free_port, is_free


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "permission denied; grant CAP_NET_BIND_SERVICE or choose a port above 1023"),
        (errno.EADDRNOTAVAIL, "this machine does not have that address"),
        (errno.EADDRINUSE, "the port is in use"),
        (errno.ENOBUFS, "No buffer space available"),
    ],
)
def test_why_an_address_cannot_be_bound(number: int, words: str) -> None:
    """The message names address, protocol, cause and fix."""
    with (
        mock.patch.object(socket.socket, "bind", side_effect=OSError(number, "x")),
        pytest.raises(StartFailed) as caught,
    ):
        bind([("127.0.0.1", 53)], shared=False)
    assert str(caught.value).startswith("DNS cannot listen on 127.0.0.1:53 (UDP): ")
    assert words in str(caught.value)


@pytest.mark.parametrize("host", ["no such host", "256.1.1.1", "", "x" * 70])
def test_a_host_that_is_none(host: str) -> None:
    """A proposal of what to write."""
    with pytest.raises(StartFailed, match=r"such as 127\.0\.0\.1:5300"):
        bind([(host or "..", 5300)], shared=False)


def test_an_address_of_another_machine() -> None:
    """With the kernel's own refusal."""
    with pytest.raises(StartFailed, match="does not have that address"):
        bind([("192.0.2.1", free_port("both"))], shared=False)


def test_all_or_none() -> None:
    """When one address cannot be bound, the others are let go."""
    port = free_port("both")
    with pytest.raises(StartFailed):
        bind([("127.0.0.1", port), ("192.0.2.1", port)], shared=False)
    assert is_free(port, "both")


def test_several_addresses() -> None:
    """IPv4 and IPv6 on the same port, and both wildcards side by side."""
    port = free_port("both")
    for hosts in (("127.0.0.1", "127.0.0.2", "::1"), ("0.0.0.0", "::")):
        sockets = bind([(host, port) for host in hosts], shared=False)
        assert len(sockets.udp) + len(sockets.wildcard_udp) == len(hosts)
        assert len(sockets.tcp) == len(hosts)
        sockets.close()


def test_shared_ports_can_be_bound_twice_but_not_probed() -> None:
    """Workers share; a probe finds them."""
    listen = [("127.0.0.1", free_port("both"))]
    probe(listen)
    first, second = bind(listen, shared=True), bind(listen, shared=True)
    with pytest.raises(StartFailed, match="in use"):
        probe(listen)
    first.close()
    second.close()
    probe(listen)


def test_answers_are_not_fragmented() -> None:
    """The kernel has been told to set "don't fragment", and not to listen to ICMP (linux/in.h)."""
    ip_mtu_discover, ip_pmtudisc_probe = 10, 3
    port = free_port("both")
    for host in ("127.0.0.1", "0.0.0.0"):
        sockets = bind([(host, port)], shared=False)
        (udp,) = (*sockets.udp, *sockets.wildcard_udp)
        assert udp.getsockopt(socket.IPPROTO_IP, ip_mtu_discover) == ip_pmtudisc_probe
        sockets.close()
