"""The policy daemon, composed: its parameters, its listings, its counts."""

from mailmum.control.config import Config, parse_endpoint, parse_policy_servers
from mailmum.control.dataplane.sink import TrafficSink
from mailmum.control.dataplane.source import DatabaseSource
from mailmum.daemons import policyd
from mailmum.daemons.policyd_options import PolicydOptions
from mailmum.daemons.supervisor_ready import tell_ready


def answer(parameters: Config) -> None:
    """Answer policy requests until told to stop.

    Raises:
        Refusal: it cannot start; the message says why and what to do.
    """
    policyd.run(options(parameters), DatabaseSource, TrafficSink(), ready=_ready)


def options(parameters: Config) -> PolicydOptions:
    """The daemon's parameters from the installation's."""
    endpoint = parse_endpoint(parameters.policy)
    return PolicydOptions(
        host=endpoint.host,
        port=endpoint.port,
        public_url=parameters.base_url,
        snapshot=parameters.snapshot_path,
        servers=parse_policy_servers(parameters.policy_servers),
    )


def _ready() -> None:
    tell_ready()
