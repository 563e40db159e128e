"""What is counted of lookups.

There are no foreign keys: this may be another database than the one of the rules.
"""

from django.db import models


class ServerUse(models.Model):
    """How often a server asked and when it did last: tells a silent server from a busy one."""

    server = models.BigIntegerField(primary_key=True)
    queries = models.BigIntegerField(default=0)
    blocked = models.BigIntegerField(default=0)
    allowed = models.BigIntegerField(default=0)
    last = models.BigIntegerField(help_text="Unix time of the last lookup")

    def __str__(self) -> str:
        return f"{self.queries} lookups by server {self.server}"


class RevokedUse(models.Model):
    """Lookups with a key that has been revoked: a server somebody forgot to change."""

    key = models.CharField(max_length=63, primary_key=True)
    server = models.BigIntegerField(db_index=True)
    queries = models.BigIntegerField(default=0)
    last = models.BigIntegerField(help_text="Unix time of the last lookup")

    def __str__(self) -> str:
        return f"{self.queries} lookups with a revoked key"


class TokenUse(models.Model):
    """When a token was used last.  Kept here so that no read waits for a writer of rules."""

    token = models.BigIntegerField(primary_key=True)
    last = models.DateTimeField()

    def __str__(self) -> str:
        return f"token {self.token} at {self.last}"
