"""What the journal keeps."""

from django.db import models


class Record(models.Model):
    """One change: who, when, what, before and after.

    `seq` orders all changes of the installation, and that order is the order of their commits
    (`services.change` sees to it): a reader that has seen a number has seen all below it.
    """

    seq = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey("accounts.Account", on_delete=models.PROTECT, related_name="+")
    server = models.BigIntegerField(default=0, help_text="number of the server, 0: none")
    person = models.BigIntegerField(default=0, help_text="number of the person, 0: none")
    actor = models.CharField(max_length=320)
    via = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()
    what = models.CharField(max_length=40)
    summary = models.CharField(max_length=500)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    count = models.IntegerField(default=1)
    undoes = models.BigIntegerField(null=True, unique=True)

    class Meta:
        """Found by account, newest first."""

        indexes = (models.Index(fields=["account", "seq"]),)

    def __str__(self) -> str:
        return f"{self.seq} {self.what}: {self.summary}"
