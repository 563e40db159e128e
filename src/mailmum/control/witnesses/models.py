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
