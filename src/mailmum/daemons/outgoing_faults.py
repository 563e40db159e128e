"""Why a request to a URL of somebody else fails: refused here, or failed there."""

from typing import Self

from mailmum.domain.errors import Refusal
from mailmum.domain.texts import shown


class Unsafe(Refusal):
    """The request is refused: it would go where requests of others may not go."""

    code = "unsafe-address"

    @classmethod
    def at(cls, host: str, address: str, space: str) -> Self:
        """A host with an address that may not be reached."""
        where = (
            shown(host) if host == address else f"{shown(host)} has the address {address}, which"
        )
        return cls(
            f"{where} is in {space} and is not reached from here",
            fix="who runs this installation can allow it: see the parameter reach",
            field="url",
        )


class Unreached(Refusal):
    """The request was allowed and has failed: no such name, no answer, not what was asked for."""

    code = "unreached"
