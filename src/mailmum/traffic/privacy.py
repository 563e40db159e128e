"""Which personal data of mail addresses is kept: applied before anything is written.

    full             everything
    no-local-parts   user@example.net becomes @example.net
    hashed           user@example.net becomes #k3v9q0t2m7ch@example.net

The hash is keyed, with a key for each account: the same person stays recognisable within the
account, and nobody without the key can try out names.  Case is kept out of it.  What the texts of
replies repeat of an address is treated likewise.

    >>> Privacy(NO_LOCAL_PARTS, b"").text("<user@example.net>: Recipient address rejected")
    '<@example.net>: Recipient address rejected'
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mailmum.traffic.sightings import Sighting

FULL: Final = "full"
NO_LOCAL_PARTS: Final = "no-local-parts"
HASHED: Final = "hashed"
CHOICES: Final = (FULL, NO_LOCAL_PARTS, HASHED)

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_HASH_LENGTH = 12
_MEMORY = 65_536
# What cannot belong to a local part that is written without quotes (RFC 5321 section 4.1.2).
_ENDS = frozenset(' \t<>()[]",;:\\')
_HASHED = re.compile(rf"#[{_LETTERS}]{{{_HASH_LENGTH}}}", re.ASCII)
_LOGIN = "sasl_username="
# A label in the form of a zone key (`domain.keys`) before the label of a list.
_ZONE_KEY = re.compile(
    r"(?<![0-9a-z-])[a-z][0-9a-z]{11,62}\.(?=(?:bl|wl|dbl|dwl)\.)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is left of an address.

    Attributes:
        mode: one of `CHOICES`.
        key: the account's own, 16 to 64 bytes; needed for hashes only.
        settled: see `again`.
    """

    mode: str
    key: bytes
    settled: bool = False
    _known: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def changes(self) -> bool:
        """Whether anything is left out."""
        return self.mode != FULL

    def again(self) -> "Privacy":
        """The same for texts of which some were treated already: they stay what they are."""
        return Privacy(self.mode, self.key, settled=True)

    def address(self, address: str | None) -> str | None:
        """An envelope address; unknown and the null sender stay what they are."""
        if not address or self.mode == FULL:
            return address
        local, at, domain = address.rpartition("@")
        if not at:
            local, domain = address, ""
        return f"{self._local(local)}@{domain}" if at or self.mode != HASHED else self._local(local)

    def text(self, text: str | None, *addresses: str | None) -> str | None:
        """What a reply said: every address in it, also those of the sighting without domain."""
        if not text or self.mode == FULL:
            return text
        for local in {_local_part(address) for address in addresses if address} - {""}:
            for left, right in (('"', '"'), ("<", ">")):
                text = text.replace(f"{left}{local}{right}", f"{left}{self._local(local)}{right}")
        return self._login(self._written(text))

    def _written(self, text: str) -> str:
        # Cut at each @, look back for where the local part begins: linear, whatever the text.
        *befores, rest = text.split("@")
        made = []
        for before in befores:
            start = _start(before)
            if before.startswith(_LOGIN, start):
                start += len(_LOGIN)
            local = before[start:]
            made.append(before[:start] + (self._local(local) if local else ""))
        return "@".join([*made, rest])

    def _login(self, text: str) -> str:
        before, mark, rest = text.partition(_LOGIN)
        if not mark:
            return text
        end = next((at for at, letter in enumerate(rest) if letter in _ENDS), len(rest))
        if "@" in rest[:end]:
            return text
        return f"{before}{mark}{self._local(rest[:end])}{rest[end:]}"

    def _local(self, local: str) -> str:
        if self.mode == NO_LOCAL_PARTS or not local:
            return ""
        if self.settled and _HASHED.fullmatch(local):
            return local
        known = self._known
        if (found := known.get(local)) is None:
            if len(known) >= _MEMORY:
                known.clear()
            found = known[local] = _hash(local, self.key)
        return found


def without_keys(sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """The same without zone keys in lists and replies.

    Postfix writes the whole zone where `rbl_reply_maps` does not shorten it, and a key in a page
    would let whoever looks at it ask in the server's name.

    >>> seen = Sighting(0.0, rbl="k7dqpmw2x4hnt9ab.bl.example.net")
    >>> without_keys([seen])[0].rbl
    'bl.example.net'
    """
    if not any(map(_has_key, sightings)):
        return sightings
    return [
        seen._replace(
            rbl=None if seen.rbl is None else _ZONE_KEY.sub("", seen.rbl),
            reason=None if seen.reason is None else _ZONE_KEY.sub("", seen.reason),
            named=tuple(dict.fromkeys(_ZONE_KEY.sub("", zone) for zone in seen.named)),
        )
        if _has_key(seen)
        else seen
        for seen in sightings
    ]


def _has_key(seen: Sighting) -> bool:
    return (seen.rbl is not None and _ZONE_KEY.match(seen.rbl) is not None) or (
        bool(seen.named) and any(map(_ZONE_KEY.match, seen.named))
    )


def _local_part(address: str) -> str:
    return address.rpartition("@")[0] if "@" in address else address


def _start(before: str) -> int:
    if before.endswith('"') and (quote := before.rfind('"', 0, -1)) >= 0:
        return quote
    return max((before.rfind(letter) for letter in _ENDS), default=-1) + 1


def _hash(local: str, key: bytes) -> str:
    given = local.lower().encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(given, digest_size=8, key=key).digest()
    number = int.from_bytes(digest, "big")
    return "#" + "".join(_LETTERS[number >> 5 * place & 31] for place in range(_HASH_LENGTH))
