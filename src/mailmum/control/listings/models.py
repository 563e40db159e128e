"""How listings are kept.

A row is one version of a listing.  A change never rewrites a row: it ends the version in force
(`until`) and adds the next one (`since`), both marked with the sequence number of the journal
record.  So what happened at a number is the rows that began or ended there; the change feed of the
DNS daemons, undo and zone transfers all read just that, and a change of a million listings needs
no more bookkeeping than a change of one.

For range scans an address or network carries its first and last address as 16 bytes (IPv4 at
::ffff:0:0/96), a name its labels in reverse (`example.spam.` for spam.example).
"""

from django.db import models

from mailmum.control.accounts.models import Account
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import Kind


def _choices(words: type[Action] | type[Source] | type[Kind]) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


CURRENT = models.Q(until=None)
CONTENT = ("action", "reason", "note", "code", "expires", "enabled")
"""The fields that a change of a listing can change."""

ENDED = models.Q(until__isnull=False)
ALLOWED = CURRENT & models.Q(action=Action.ALLOW.value, source=Source.PERSON.value)


class Version(models.Model):
    """One version of a listing.

    `number` is the listing's id for everybody outside; the primary key is the version's.
    """

    number = models.BigIntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    scope = models.BigIntegerField(default=0, help_text="0: all servers, else the server's number")
    action = models.CharField(max_length=5, choices=_choices(Action))
    kind = models.CharField(max_length=7, choices=_choices(Kind))
    target = models.CharField(max_length=260)
    first = models.BinaryField(max_length=16, null=True)
    last = models.BinaryField(max_length=16, null=True)
    # NULL for addresses, which keeps them out of the index: "" could not.
    reversed_name = models.CharField(max_length=260, null=True)  # noqa: DJ001
    source = models.CharField(max_length=7, choices=_choices(Source))
    origin = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    note = models.TextField(blank=True)
    code = models.BigIntegerField(null=True)
    expires = models.BigIntegerField(null=True, help_text="Unix time")
    enabled = models.BooleanField(default=True)
    created = models.DateTimeField()
    created_by = models.CharField(max_length=320)
    changed = models.DateTimeField()
    changed_by = models.CharField(max_length=320)
    since = models.BigIntegerField()
    until = models.BigIntegerField(null=True)

    class Meta:
        """One current listing for a target in a scope: a person's, and one a trigger or feed."""

        constraints = (
            models.UniqueConstraint(
                fields=["account", "target", "scope", "source", "origin"],
                condition=CURRENT,
                name="one_listing_a_target",
            ),
            models.UniqueConstraint(
                fields=["account", "number"], condition=CURRENT, name="one_current_version"
            ),
        )
        indexes = (
            models.Index(fields=["since"], name="version_since"),
            models.Index(fields=["until"], name="version_until", condition=ENDED),
            models.Index(
                fields=["account", "first"],
                name="version_first",
                condition=CURRENT & models.Q(first__isnull=False),
            ),
            models.Index(
                fields=["account", "reversed_name"],
                name="version_name",
                condition=CURRENT & models.Q(reversed_name__isnull=False),
            ),
            # Holds all that counts and most filters ask, so that rows need not be read for them;
            # `until`, too, or SQLite would look into each row whether it is current.
            models.Index(
                fields=["account", "source", "action", "enabled", "scope", "expires", "until"],
                name="version_counts",
                condition=CURRENT,
            ),
            # What ends soon, and what has ended.
            models.Index(
                fields=["account", "expires"],
                name="version_ends",
                condition=CURRENT & models.Q(expires__isnull=False),
            ),
            # Who is allowed inside a target: few among many, and asked at each check of a block.
            models.Index(
                fields=["account", "first"],
                name="version_allow_first",
                condition=ALLOWED & models.Q(first__isnull=False),
            ),
            models.Index(
                fields=["account", "reversed_name"],
                name="version_allow_name",
                condition=ALLOWED & models.Q(reversed_name__isnull=False),
            ),
            # What was: of what is in force the constraint above knows the target.
            models.Index(fields=["account", "target"], name="version_was", condition=ENDED),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class NextNumber(models.Model):
    """The number that the next listing gets; one row, changed under the writer's lock."""

    next = models.BigIntegerField(default=1)

    def __str__(self) -> str:
        return str(self.next)
