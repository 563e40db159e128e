"""What is kept of proposals."""

from django.db import models

from mailmum.control.accounts.models import Account


class Suggestion(models.Model):
    """A proposal: open until somebody decides, or until what speaks for it is gone.

    One that was dismissed is kept, so that it is not made again.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8)
    target = models.CharField(max_length=260)
    listing = models.BigIntegerField(null=True, help_text="number of the listing it is about")
    scope = models.BigIntegerField(default=0, help_text="where that holds: 0, or a server's number")
    text = models.CharField(max_length=300)
    evidence = models.JSONField(default=dict)
    weight = models.BigIntegerField(help_text="those with more stand first")
    made = models.BigIntegerField(help_text="Unix time")
    state = models.CharField(max_length=9, default="open")
    decided = models.BigIntegerField(null=True, help_text="Unix time")
    decided_by = models.CharField(max_length=320, blank=True)

    class Meta:
        """One proposal of a kind for a target in a scope that is open or was dismissed."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "kind", "target", "scope"],
                condition=models.Q(state__in=["open", "dismissed"]),
                name="one_suggestion",
            ),
        )
        indexes = (models.Index(fields=["account", "state"], name="suggestion_state"),)

    def __str__(self) -> str:
        return self.text
