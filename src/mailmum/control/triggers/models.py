"""How triggers are kept, and what they have decided.

All of it lies beside the rules, not with the traffic: how far a trigger has followed is committed
together with what it lists, so that no sighting leads to a listing twice or not at all.
"""

from django.db import models

from mailmum.control.accounts.models import Account
from mailmum.triggers.rules import Mode


class Trigger(models.Model):
    """One trigger.  A removed one is kept for the sake of what it has listed.

    Attributes of the follower: contacts up to `since` do not count, those up to `position` have
    been counted; both are numbers of sightings.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="triggers")
    name = models.CharField(max_length=80)
    mode = models.CharField(max_length=8, choices=[(one.value, one.value) for one in Mode])
    server = models.BigIntegerField(default=0, help_text="whose contacts count; 0: all servers")
    rule = models.JSONField(help_text="the other fields of mailmum.triggers.rules.Rule")
    reason = models.CharField(max_length=300, blank=True, help_text="public, of its listings")
    note = models.TextField(blank=True)
    created = models.DateTimeField()
    created_by = models.CharField(max_length=320)
    changed = models.DateTimeField()
    changed_by = models.CharField(max_length=320)
    removed = models.BigIntegerField(null=True, help_text="journal sequence of the removal")
    revision = models.BigIntegerField(default=1, help_text="rises with each change")
    stopped_at = models.DateTimeField(null=True, help_text="when its brake stopped it")
    stopped_why = models.CharField(max_length=300, blank=True)
    since = models.BigIntegerField(null=True, help_text="null: from now on")
    position = models.BigIntegerField(default=0)
    newest = models.BigIntegerField(default=0, help_text="of what counted, milliseconds")

    class Meta:
        """A name stands for one trigger of an account."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "name"],
                condition=models.Q(removed=None),
                name="one_trigger_a_name",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Offence(models.Model):
    """That a trigger has listed somebody: for how long, and for the so-manieth time."""

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="+", db_index=False)
    scope = models.BigIntegerField()
    target = models.CharField(max_length=260)
    kind = models.CharField(max_length=7)
    times = models.IntegerField()
    begin = models.BigIntegerField(help_text="Unix time in milliseconds")
    until = models.BigIntegerField(help_text="likewise")
    number = models.BigIntegerField(help_text="of the sighting that completed it")

    class Meta:
        """One for each target."""

        constraints = (
            models.UniqueConstraint(
                fields=["trigger", "scope", "target"], name="one_offence_a_target"
            ),
        )

    def __str__(self) -> str:
        return f"{self.target}, {self.times} times"


class Finding(models.Model):
    """One decision of a trigger, with its evidence: what its page and `explain` show."""

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="+", db_index=False)
    account = models.BigIntegerField()
    kind = models.CharField(max_length=8, help_text="list, would, past, spare or stop")
    at = models.DateTimeField(help_text="when it was decided")
    scope = models.BigIntegerField()
    target = models.CharField(max_length=260)
    times = models.IntegerField()
    begin = models.BigIntegerField(help_text="Unix time in milliseconds")
    until = models.BigIntegerField(help_text="likewise")
    number = models.BigIntegerField(help_text="of the sighting that completed it")
    merged = models.BooleanField(help_text="whether it is a network in place of its parts")
    listing = models.BigIntegerField(null=True, help_text="number of the listing that was made")
    reason = models.CharField(max_length=300, blank=True)
    rule = models.JSONField(help_text="metric, threshold and window as they were")
    evidence = models.JSONField()

    class Meta:
        """Found by trigger, newest first, and by the listing that was made."""

        indexes = (
            models.Index(fields=["trigger", "id"], name="finding_trigger"),
            models.Index(
                fields=["account", "listing"],
                name="finding_listing",
                condition=models.Q(listing__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


class Skipped(models.Model):
    """A contact that a trigger leaves out because it fails on it, by a fault of ours.

    Number 0 stands for none in particular: the trigger cannot go on at all, and is tried again.
    """

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.BigIntegerField()
    at = models.DateTimeField(help_text="when it was given up")
    why = models.CharField(max_length=300)

    class Meta:
        """Each once."""

        constraints = (
            models.UniqueConstraint(fields=["trigger", "number"], name="one_skip_a_contact"),
        )

    def __str__(self) -> str:
        return f"{self.number} of trigger {self.trigger_id}"
