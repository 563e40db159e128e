"""How this installation makes requests to URLs that accounts have chosen."""

from mailmum.control.config import current
from mailmum.daemons.outgoing import Outgoing
from mailmum.domain.reachable import parse_reachable


def outgoing() -> Outgoing:
    """To the public Internet, and to what the parameter `reach` names."""
    return Outgoing(reach=parse_reachable(current().reach))
