"""Servers and their keys."""

from django.db import models

from mailmum.control.accounts.models import Account
from mailmum.domain.pauses import HOLD
from mailmum.domain.texts import REASON_LIMIT


class Server(models.Model):
    """One mail server.  A removed one is kept: its keys stay known, and undo can return it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="servers")
    name = models.CharField(max_length=80)
    ref = models.CharField(max_length=16, unique=True)
    addresses = models.JSONField(default=list, help_text="its own addresses and host names")
    askers = models.JSONField(default=list, help_text="networks that may ask; empty: anyone")
    ttl = models.PositiveIntegerField(null=True, help_text="null: the account's, as is code")
    code = models.BigIntegerField(null=True)
    text = models.CharField(max_length=REASON_LIMIT, blank=True, help_text="empty: the account's")
    created = models.DateTimeField(auto_now_add=True)
    removed = models.BigIntegerField(null=True, help_text="journal sequence of the removal")
    blocks_from = models.BigIntegerField(
        null=True,
        default=HOLD,
        help_text="nothing is blocked before this Unix time, null: before it is resumed",
    )

    class Meta:
        """A name stands for one server of an account."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "name"],
                condition=models.Q(removed=None),
                name="one_server_a_name",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Key(models.Model):
    """A zone key.  It is never reused or deleted: a revoked one is recognised and counted."""

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="keys")
    label = models.CharField(max_length=63, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    until = models.BigIntegerField(null=True, help_text="Unix time of its end, null: current")

    def __str__(self) -> str:
        return f"key {self.pk} of {self.server_id}"
