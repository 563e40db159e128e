"""How feeds are kept.

The entries of a version are a `Content`: sorted columns as bytes, stored once under their digest,
whoever subscribes to them.  A `Feed` is an account's subscription, with the content that holds now,
the one that came from the source, and how refreshing goes.  A `FeedVersion` tells of one of its
versions.
"""

from django.db import models

from mailmum.control.accounts.models import Account
from mailmum.domain.listings import Action


class Kind(models.TextChoices):
    """Where a feed comes from."""

    URL = "url", "fetched over https"
    FILE = "file", "a file on the machine of the service"
    UPLOAD = "upload", "uploaded"
    SPF = "spf", "who may send for a domain, by its SPF record"


class Use(models.TextChoices):
    """What becomes of a feed's entries."""

    LIST = "list", "blocked or allowed, as it says"
    EXCEPT = "except", "never listed by triggers, nothing more"
    WARN = "warn", "named before somebody lists them, nothing more"


class State(models.TextChoices):
    """What became of a version."""

    CURRENT = "current", "in force"
    PAST = "past", "replaced"
    HELD = "held", "waits for a person"
    DROPPED = "dropped", "not taken"


class Content(models.Model):
    """Entries, shared by all whose feed says the same."""

    digest = models.CharField(max_length=32, unique=True)
    entries = models.IntegerField()
    addresses = models.BigIntegerField(help_text="IPv4 addresses covered, networks counted whole")
    data = models.BinaryField()
    made = models.DateTimeField(auto_now_add=True)
    names = models.BinaryField(help_text="hosts and domains as packed text, for people to read")

    def __str__(self) -> str:
        return f"{self.entries} entries"


class Feed(models.Model):
    """A subscription."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    scope = models.BigIntegerField(default=0, help_text="0: all servers, else the server's number")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    source = models.CharField(max_length=2000, blank=True, help_text="URL, or path of a file")
    format = models.CharField(max_length=20, blank=True, help_text="empty: found out")
    action = models.CharField(max_length=5, choices=[(word.value, word.value) for word in Action])
    use = models.CharField(max_length=6, choices=Use.choices, default=Use.LIST)
    reason = models.CharField(max_length=300, blank=True)
    code = models.BigIntegerField(null=True)
    every = models.IntegerField(help_text="seconds between refreshes")
    shrink = models.IntegerField(default=50, help_text="percent that may leave at once")
    grow = models.IntegerField(default=100, help_text="percent that may come at once")
    paused = models.BooleanField(default=False)
    created = models.DateTimeField()
    created_by = models.CharField(max_length=320)
    removed = models.BigIntegerField(null=True, help_text="journal sequence of the removal")

    # Entries in force, and those of the source, before the account's own servers were kept out.
    content = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, related_name="+")
    whole = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, related_name="+")
    changed = models.DateTimeField(null=True)

    # How refreshing goes.
    due = models.FloatField(default=0, help_text="Unix time of the next refresh")
    leased = models.FloatField(default=0, help_text="Unix time until which somebody refreshes it")
    checked = models.DateTimeField(null=True, help_text="the last refresh that went well")
    failures = models.IntegerField(default=0)
    failing = models.DateTimeField(null=True, help_text="since when it fails")
    problem = models.CharField(max_length=500, blank=True)
    etag = models.CharField(max_length=300, blank=True)
    modified = models.CharField(max_length=100, blank=True)
    raw = models.CharField(max_length=32, blank=True, help_text="digest of what came last")
    guard = models.CharField(max_length=32, blank=True, help_text="digest of the own servers")

    class Meta:
        """A name stands for one feed of an account; what is due is found at once."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "name"],
                condition=models.Q(removed=None),
                name="one_feed_a_name",
            ),
        )
        indexes = (models.Index(fields=["due"], name="feed_due"),)

    def __str__(self) -> str:
        return self.name


class FeedVersion(models.Model):
    """One version of a feed."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="versions")
    content = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, related_name="+")
    whole = models.ForeignKey(Content, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=7, choices=State.choices)
    at = models.DateTimeField()
    change = models.BigIntegerField(null=True, help_text="journal sequence, once it was in force")
    entries = models.IntegerField()
    added = models.IntegerField()
    removed = models.IntegerField()
    details = models.JSONField(default=dict, help_text="samples, what was left out, why it is held")

    class Meta:
        """Read newest first."""

        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.feed}: {self.entries} entries"
