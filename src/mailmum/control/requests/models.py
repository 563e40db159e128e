"""What strangers ask for, as it is kept."""

from django.db import models

from mailmum.control.accounts.models import Account

CLIENT_LIMIT, TEXT_LIMIT, ANSWER_LIMIT, REPLY_LIMIT = 255, 1000, 500, 254


class State(models.TextChoices):
    """What became of a request."""

    OPEN = "open"
    ALLOWED = "allowed"
    UNLISTED = "unlisted"
    DECLINED = "declined"


class RemovalRequest(models.Model):
    """One request about one client at one server.

    All but `account` and `server` was written by a stranger, or is told to one.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="requests")
    # No foreign key: a server that is removed takes no request along.
    server = models.BigIntegerField(help_text="number of the server that refused")
    client = models.CharField(max_length=CLIENT_LIMIT)
    text = models.TextField(max_length=TEXT_LIMIT)
    reply_to = models.CharField(max_length=REPLY_LIMIT, blank=True)
    address = models.CharField(max_length=45, help_text="from where it came, as it is limited by")
    created = models.BigIntegerField(help_text="Unix time")
    token = models.CharField(max_length=32, unique=True, help_text="who has it may see the answer")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    answered = models.BigIntegerField(null=True, help_text="Unix time")
    answered_by = models.CharField(max_length=320, blank=True)
    answer = models.TextField(max_length=ANSWER_LIMIT, blank=True, help_text="public")
    change = models.BigIntegerField(null=True, help_text="number of the change that answered it")

    class Meta:
        """A client has one open request at a server; found by account, newest first."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "server", "client"],
                condition=models.Q(state="open"),
                name="one_open_request_a_client",
            ),
        )
        indexes = (
            models.Index(fields=["account", "state", "id"]),
            models.Index(fields=["address", "created"]),
        )

    def __str__(self) -> str:
        return f"request {self.pk} about {self.client}"
