"""Which public lists are asked, what they said, and how they fare.

What a list says of a client is the same for everybody, and so is how it fares: both are kept once
for the whole installation, and seen by accounts that have chosen that list.
"""

from django.db import models

from mailmum.control.accounts.models import Account


class Witness(models.Model):
    """A public list that an account asks."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    zone = models.CharField(max_length=253)
    created = models.DateTimeField()

    class Meta:
        """Each list once in an account."""

        constraints = (
            models.UniqueConstraint(fields=["account", "zone"], name="one_witness_a_zone"),
        )

    def __str__(self) -> str:
        return self.zone


class Health(models.Model):
    """How a list fares."""

    zone = models.CharField(max_length=253, primary_key=True)
    state = models.CharField(max_length=8)
    since = models.BigIntegerField(help_text="since when it has been in this state, Unix time")
    checked = models.BigIntegerField(help_text="Unix time")

    def __str__(self) -> str:
        return f"{self.zone} {self.state}"


class Said(models.Model):
    """What a list said of a client, for as long as that holds."""

    pk = models.CompositePrimaryKey("zone", "client")
    zone = models.CharField(max_length=253)
    client = models.BinaryField(max_length=16)
    meaning = models.CharField(max_length=8)
    codes = models.CharField(max_length=200, blank=True)
    asked = models.BigIntegerField(help_text="Unix time")
    until = models.BigIntegerField(db_index=True, help_text="Unix time")

    class Meta:
        """How many were asked of a list lately is looked up before it is asked more."""

        indexes = (models.Index(fields=["zone", "asked"], name="said_asked"),)

    def __str__(self) -> str:
        return f"{self.zone}: {self.meaning}"


class Word(models.Model):
    """That a list which an account asks lists a client: what triggers count.

    Numbers rise in the order of commits, since they are taken under the writer's lock.  The word of
    a list about a client who was seen at a server comes once for as long as it holds.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    witness = models.BigIntegerField(help_text="number of the list")
    zone = models.CharField(max_length=253)
    client = models.BinaryField(max_length=16)
    server = models.BigIntegerField(help_text="where the client was seen")
    sighting = models.BigIntegerField(help_text="for which it was asked")
    at = models.BigIntegerField(help_text="when it was said, Unix time in milliseconds")
    until = models.BigIntegerField(help_text="how long it holds, Unix time")

    class Meta:
        """Looked up by client before one is added, and by time."""

        indexes = (
            models.Index(fields=["account", "client"], name="word_client"),
            models.Index(fields=["account", "at"], name="word_time"),
        )

    def __str__(self) -> str:
        return f"{self.zone} lists somebody at {self.at}"


class AskedDay(models.Model):
    """About how many clients lists were asked for the triggers of an account on a day (UTC)."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.BigIntegerField(help_text="Unix time at which it begins")
    asked = models.BigIntegerField(default=0)
    left_out = models.BigIntegerField(
        default=0, help_text="seen, and never asked about: more came than may be asked"
    )

    class Meta:
        """One for a day."""

        constraints = (models.UniqueConstraint(fields=["account", "day"], name="one_asked_a_day"),)

    def __str__(self) -> str:
        return f"{self.asked} asked, {self.left_out} left out"


class AskedUpTo(models.Model):
    """Up to which sighting all have been asked about, or need not be; one row."""

    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"up to {self.number}"
