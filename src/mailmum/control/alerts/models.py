"""What is kept of alerts: those that are open and were, where they go, and what is on its way.

A *notice* says that an alert is to be told to a channel; it is made in the transaction that opens
or closes the alert, so none is lost.  When notices are due they are packed into a *parcel*: one
message whose content and id stay the same however often it is tried, so that whoever gets it twice
can tell.
"""

from django.db import models

from mailmum.control.accounts.models import Account


class Manner(models.Model):
    """How an account wants to be told; without a row the defaults hold."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    zone = models.CharField(max_length=64, default="UTC")
    quiet_from = models.SmallIntegerField(null=True, help_text="minute of the day, in the zone")
    quiet_until = models.SmallIntegerField(null=True, help_text="minute of the day, in the zone")
    digest = models.PositiveIntegerField(default=60, help_text="seconds that notices are gathered")
    silent_after = models.PositiveIntegerField(default=900, help_text="seconds")
    spike_times = models.PositiveIntegerField(default=4)
    spike_least = models.PositiveIntegerField(default=50)
    accepted_least = models.PositiveIntegerField(default=1)
    report_day = models.SmallIntegerField(default=0, help_text="0: Monday")
    report_hour = models.SmallIntegerField(default=7)
    reported = models.BigIntegerField(null=True, help_text="moment of the latest weekly report")

    def __str__(self) -> str:
        return f"manner of account {self.account_id}"


class Channel(models.Model):
    """Where an account is told: an e-mail address or a webhook."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8)
    target = models.CharField(max_length=500)
    secret = models.CharField(max_length=64, help_text="what webhooks are signed with")
    least = models.CharField(max_length=8, help_text="least severity that is told")
    kinds = models.JSONField(default=list, help_text="kinds of alerts; empty: all")
    reports = models.BooleanField(default=False)
    created = models.DateTimeField()
    stopped = models.BigIntegerField(null=True, help_text="when its receiver unsubscribed")
    tested = models.BigIntegerField(null=True, help_text="when it was tested last")

    class Meta:
        """A name stands for one channel of an account."""

        constraints = (
            models.UniqueConstraint(fields=["account", "name"], name="one_channel_a_name"),
        )

    def __str__(self) -> str:
        return self.name


class Ended(models.Model):
    """An address that wants no more of an account's mail, whatever channels there are."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    target = models.CharField(max_length=500, help_text="in small letters")
    since = models.BigIntegerField(help_text="Unix time")

    class Meta:
        """Once for an address."""

        constraints = (
            models.UniqueConstraint(fields=["account", "target"], name="one_end_an_address"),
        )

    def __str__(self) -> str:
        return self.target


class Trials(models.Model):
    """When an account tested its channels lately or told them late, also those that are no more."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    times = models.JSONField(default=list, help_text="Unix times")

    def __str__(self) -> str:
        return f"tests of account {self.account_id}"


class Alert(models.Model):
    """Something out of the ordinary: open for as long as it holds."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    about = models.CharField(max_length=300)
    severity = models.CharField(max_length=8)
    text = models.CharField(max_length=500)
    link = models.CharField(max_length=500, help_text="page of the account that shows more")
    since = models.BigIntegerField(help_text="since when it has held, Unix time")
    opened = models.BigIntegerField(help_text="Unix time")
    missing = models.BigIntegerField(null=True, help_text="since when it has not held any more")
    closed = models.BigIntegerField(null=True, help_text="Unix time")
    acknowledged = models.BigIntegerField(null=True, help_text="Unix time")
    acknowledged_by = models.CharField(max_length=320, blank=True)

    class Meta:
        """One open alert of a kind about a thing."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "kind", "about"],
                condition=models.Q(closed=None),
                name="one_open_alert",
            ),
        )
        indexes = (models.Index(fields=["account", "closed", "id"], name="alert_closed"),)

    def __str__(self) -> str:
        return self.text


class Parcel(models.Model):
    """One message to one channel."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="parcels")
    ref = models.CharField(max_length=32, unique=True, help_text="its id, also at the receiver")
    what = models.CharField(max_length=8, help_text="alerts or report")
    content = models.JSONField()
    made = models.BigIntegerField(help_text="Unix time")
    due = models.BigIntegerField(help_text="when it is tried next, Unix time")
    tries = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    ended = models.BigIntegerField(null=True, help_text="when it was sent or given up")
    sent = models.BooleanField(default=False)

    class Meta:
        """What waits is found at once, however much was sent."""

        indexes = (
            models.Index(fields=["due"], name="parcel_due", condition=models.Q(ended=None)),
            models.Index(fields=["channel", "id"], name="parcel_channel"),
        )

    def __str__(self) -> str:
        return f"parcel {self.ref}"


class Notice(models.Model):
    """That an alert has opened or closed is to be told to a channel."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+")
    event = models.CharField(max_length=6, help_text="opened or closed")
    due = models.BigIntegerField(help_text="Unix time")
    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, null=True, related_name="notices")

    class Meta:
        """Each event is told to a channel once."""

        constraints = (
            models.UniqueConstraint(
                fields=["channel", "alert", "event"], name="one_notice_an_event"
            ),
        )
        indexes = (
            models.Index(fields=["due"], name="notice_due", condition=models.Q(parcel=None)),
        )

    def __str__(self) -> str:
        return f"{self.event} {self.alert_id}"
