"""What an account sets about its traffic: how long it is kept, and what of mail addresses.

Sightings are found by way of the hours in which a client came, so hours are kept as long as
sightings at least, and days as long as hours.
"""

from dataclasses import dataclass

from mailmum.domain.errors import BadInput
from mailmum.traffic.privacy import CHOICES, FULL

LONGEST = {"recent_days": 90, "minute_days": 14, "hour_days": 190, "day_days": 3660}


@dataclass(frozen=True, slots=True)
class Terms:
    """How long each kind is kept, in days, and the mode of privacy."""

    recent_days: int = 14
    minute_days: int = 2
    hour_days: int = 35
    day_days: int = 400
    privacy: str = FULL

    def __post_init__(self) -> None:
        for name, longest in LONGEST.items():
            if not 1 <= getattr(self, name) <= longest:
                raise BadInput(
                    f"{getattr(self, name)} days are not between 1 and {longest}", field=name
                )
        if self.hour_days < self.recent_days:
            raise BadInput(
                f"hours cannot be kept for less than the {self.recent_days} days of sightings",
                fix="sightings are found by way of them: keep them as long at least",
                field="hour_days",
            )
        if self.day_days < self.hour_days:
            raise BadInput(
                f"days cannot be kept for less than the {self.hour_days} days of hours",
                fix="keep them as long at least",
                field="day_days",
            )
        if self.privacy not in CHOICES:
            raise BadInput(
                f"{self.privacy!r} is no way to keep mail addresses",
                fix=f"one of {', '.join(CHOICES)}",
                field="privacy",
            )
