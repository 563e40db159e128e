"""The DNS daemon, composed: its parameters, its listings, its counts."""

import hashlib
import ipaddress

from mailmum.control import config
from mailmum.control.config import Config
from mailmum.control.dataplane.sink import TrafficSink
from mailmum.control.dataplane.source import DatabaseSource
from mailmum.daemons import dnsd
from mailmum.daemons.dnsd_options import DnsdOptions
from mailmum.daemons.supervisor_ready import tell_ready
from mailmum.dns.zones import ZoneConfig


def answer(parameters: Config) -> None:
    """Answer DNS until told to stop.

    Raises:
        Refusal: it cannot start; the message says why and what to do.
    """
    dnsd.run(options(parameters), DatabaseSource, TrafficSink(), ready=_ready)


def options(parameters: Config) -> DnsdOptions:
    """The daemon's parameters from the installation's."""
    endpoints = parameters.dns_endpoints
    # Resolvers ask an address that they learn at port 53 and nowhere else.
    addresses = parameters.ns_address_list or tuple(
        endpoint.host
        for endpoint in endpoints
        if endpoint.port == 53 and _is_one_host(endpoint.host)
    )
    # Several daemons behind one address must understand each other's cookies (RFC 9018 section 3).
    secret = hashlib.blake2b(config.secret(parameters).encode(), person=b"dns cookies").digest()
    return DnsdOptions(
        listen=tuple((endpoint.host, endpoint.port) for endpoint in endpoints),
        zone=ZoneConfig(
            base=parameters.zone,
            ns=parameters.ns_names,
            addresses=addresses,
            hostmaster=parameters.hostmaster,
            public_url=parameters.base_url,
        ),
        snapshot=parameters.snapshot_path,
        workers=parameters.dns_workers,
        threads=parameters.dns_threads,
        engine=parameters.engine,
        crash=parameters.crash_path,
        cookie_secret=secret[:32],
        limits=parameters.dns_limits,
    )


def _ready() -> None:
    tell_ready()


def _is_one_host(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False
