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


class ListUse(models.Model):
    """The same by list, and by the policy service: which ways a server asks."""

    pk = models.CompositePrimaryKey("server", "list")
    server = models.BigIntegerField()
    list = models.CharField(max_length=8, help_text="bl, wl, dbl, dwl or policy")
    queries = models.BigIntegerField()
    last = models.BigIntegerField(help_text="Unix time of the last lookup")

    def __str__(self) -> str:
        return f"{self.queries} lookups in {self.list} by server {self.server}"


class RevokedUse(models.Model):
    """Lookups with a key that has been revoked: a server somebody forgot to change."""

    key = models.CharField(max_length=63, primary_key=True)
    server = models.BigIntegerField(db_index=True)
    queries = models.BigIntegerField(default=0)
    last = models.BigIntegerField(help_text="Unix time of the last lookup")

    def __str__(self) -> str:
        return f"{self.queries} lookups with a revoked key"


class BarredUse(models.Model):
    """Lookups about a server from where it may not be asked; the last sender stands for all."""

    server = models.BigIntegerField(primary_key=True)
    queries = models.BigIntegerField(default=0)
    sender = models.CharField(max_length=45)
    last = models.BigIntegerField(help_text="Unix time of the last lookup")

    def __str__(self) -> str:
        return f"{self.queries} lookups from outside"


class TokenUse(models.Model):
    """When a token was used last.  Kept here so that no read waits for a writer of rules."""

    token = models.BigIntegerField(primary_key=True)
    last = models.DateTimeField()

    def __str__(self) -> str:
        return f"token {self.token} at {self.last}"


class Seen(models.Model):
    """One sighting of the last days, as it was kept; see `mailmum.traffic.sightings.Sighting`.

    Numbers rise in the order of commits, on PostgreSQL too: whoever follows them misses nothing.
    `hour` begins the index by client because clients come from everywhere: within an hour all that
    is written lies close together, and the roll-up by client tells in which hours to look.
    """

    account = models.BigIntegerField()
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    time = models.BigIntegerField(help_text="Unix time in milliseconds")
    hour = models.BigIntegerField(help_text="Unix time at which its hour begins, in seconds")
    client = models.BinaryField(max_length=16, null=True)
    outcome = models.SmallIntegerField()
    rbl = models.BigIntegerField(default=0, help_text="number of the list, 0 for none")
    count = models.BigIntegerField(default=1)
    host = models.CharField(max_length=255)
    service = models.CharField(max_length=64)
    # NULL is unknown, "" is known to be empty: the null sender.
    client_name = models.CharField(max_length=255, null=True)  # noqa: DJ001
    helo = models.CharField(max_length=255, null=True)  # noqa: DJ001
    sender = models.CharField(max_length=320, null=True)  # noqa: DJ001
    recipient = models.CharField(max_length=320, null=True)  # noqa: DJ001
    code = models.SmallIntegerField(null=True)
    queue_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    delivery = models.SmallIntegerField(null=True)
    score = models.FloatField(null=True)
    reason = models.CharField(max_length=500, null=True)  # noqa: DJ001
    # NULL: only the list that decided is known.
    named = models.CharField(  # noqa: DJ001
        max_length=255, null=True, help_text="numbers of all lists that named the client: ,3,7,"
    )
    spam = models.BooleanField(null=True, help_text="what the spam filter takes it for")

    class Meta:
        """Few indexes, all of which grow at their end: each costs every sighting."""

        indexes = (
            # The columns behind `time` let most filters be decided without touching the row.
            models.Index(
                fields=["account", "time", "id", "server", "source", "outcome", "rbl"],
                name="seen_time",
            ),
            models.Index(
                fields=["account", "hour", "client"],
                name="seen_client",
                condition=models.Q(client__isnull=False),
            ),
            # For news of a delivery, which come for accepted mail only.
            models.Index(
                fields=["server", "hour", "queue_id"],
                name="seen_queue",
                condition=models.Q(outcome=1, queue_id__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"sighting {self.pk}"


class Zone(models.Model):
    """The name of a public RBL that decided something in an account: roll-ups hold its number."""

    account = models.BigIntegerField()
    name = models.CharField(max_length=255)

    class Meta:
        """One number for a name."""

        constraints = (models.UniqueConstraint(fields=["account", "name"], name="one_zone_a_name"),)

    def __str__(self) -> str:
        return self.name


class Total(models.Model):
    """How many sightings there were in a minute, an hour or a day (UTC), without clients."""

    pk = models.CompositePrimaryKey(
        "account", "step", "start", "server", "source", "outcome", "rbl"
    )
    account = models.BigIntegerField()
    step = models.IntegerField(help_text="60, 3600 or 86400 seconds")
    start = models.BigIntegerField(help_text="Unix time at which it begins")
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    rbl = models.BigIntegerField()
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} from {self.start}"


class ListsCount(models.Model):
    """How often just these lists named a client, of contacts at which all that do are known."""

    pk = models.CompositePrimaryKey(
        "account", "step", "start", "server", "source", "outcome", "lists"
    )
    account = models.BigIntegerField()
    step = models.IntegerField(help_text="3600 or 86400 seconds")
    start = models.BigIntegerField(help_text="Unix time at which it begins")
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    lists = models.CharField(max_length=255, help_text="their numbers: ,3,7,")
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} from {self.start}"


class ClientCount(models.Model):
    """How many sightings of a client there were.

    Time comes before the client in the key: what is written now lies together, what is too old is
    one stretch, and a client is found by as many seeks as there are hours or days to look at.
    """

    pk = models.CompositePrimaryKey(
        "account", "start", "client", "server", "source", "outcome", "rbl"
    )
    account = models.BigIntegerField()
    start = models.BigIntegerField(help_text="Unix time at which the hour or day begins")
    client = models.BinaryField(max_length=16)
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    rbl = models.BigIntegerField()
    count = models.BigIntegerField()

    class Meta:
        """A form for the two that follow."""

        abstract = True

    def __str__(self) -> str:
        return f"{self.count} from {self.start}"


class ClientHour(ClientCount):
    """By the hour."""


class ClientDay(ClientCount):
    """By the day, UTC."""


class NetworkDay(ClientCount):
    """By the day for a whole network: `client` is the first address of a /24, or /64 of IPv6.

    Made by the worker from the counts of clients when a day is over, and again when late lines have
    changed it.  It holds for the days of which there is no row in `Changed`.
    """


class WideDay(models.Model):
    """By the day for wide networks: /4, /8, /12 and /16, and /16, /32, /40 and /48 of IPv6.

    Even of networks there are millions in a month, too many to be added up while somebody waits.
    Made from `NetworkDay` and with it.
    """

    pk = models.CompositePrimaryKey(
        "account", "start", "depth", "client", "server", "source", "outcome", "rbl"
    )
    account = models.BigIntegerField()
    start = models.BigIntegerField(help_text="Unix time at which the day begins")
    depth = models.SmallIntegerField(help_text="0 is the widest")
    client = models.BinaryField(max_length=16, help_text="the first address of the network")
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    rbl = models.BigIntegerField()
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} from {self.start}"


class NameDay(models.Model):
    """How many sightings of a client under a name there were on a day."""

    pk = models.CompositePrimaryKey(
        "account", "start", "name", "kind", "client", "server", "source", "outcome"
    )
    account = models.BigIntegerField()
    start = models.BigIntegerField(help_text="Unix time at which the day begins")
    # Bytes sort the same everywhere; how text sorts depends on the locale of a PostgreSQL.
    name = models.BinaryField(max_length=260, help_text="labels in reverse, each with a dot")
    kind = models.SmallIntegerField(help_text="1: verified, 2: the client's claim, or asked for")
    client = models.BinaryField(max_length=16, help_text="empty where only a name was asked for")
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} from {self.start}"


class DomainDay(models.Model):
    """How many sightings there were on a day under a top-level domain, or one right below it.

    Domains further down have few enough names to be counted when somebody asks.
    """

    pk = models.CompositePrimaryKey(
        "account", "start", "name", "kind", "server", "source", "outcome"
    )
    account = models.BigIntegerField()
    start = models.BigIntegerField(help_text="Unix time at which the day begins")
    name = models.BinaryField(max_length=260, help_text="labels in reverse, each with a dot")
    kind = models.SmallIntegerField(help_text="1: verified, 2: the client's claim, or asked for")
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    outcome = models.SmallIntegerField()
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} from {self.start}"


class Changed(models.Model):
    """An hour or day whose counts the worker has not worked up yet; days that are not over, too."""

    pk = models.CompositePrimaryKey("account", "step", "start")
    account = models.BigIntegerField()
    step = models.IntegerField(help_text="3600 or 86400 seconds")
    start = models.BigIntegerField()
    times = models.BigIntegerField(help_text="how often it has changed since it was listed")

    def __str__(self) -> str:
        return f"changed from {self.start}"


class Worst(models.Model):
    """One of the worst clients or networks of an hour or day, in an account or on a server."""

    pk = models.CompositePrimaryKey("account", "step", "start", "server", "network", "first")
    account = models.BigIntegerField()
    step = models.IntegerField(help_text="3600 or 86400 seconds")
    start = models.BigIntegerField()
    server = models.BigIntegerField(help_text="0: all servers of the account")
    network = models.BooleanField()
    first = models.BinaryField(max_length=16)
    stopped = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.stopped} from {self.start}"


class LastSeen(models.Model):
    """When something was last seen of a server, by each source."""

    pk = models.CompositePrimaryKey("server", "source")
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    account = models.BigIntegerField()
    time = models.BigIntegerField(help_text="of the latest sighting, Unix time in milliseconds")
    kept = models.BigIntegerField(help_text="when it was last written here, likewise")

    def __str__(self) -> str:
        return f"server {self.server} by {self.source}"


class Stream(models.Model):
    """Where a followed stream stands: committed with what was read from it."""

    pk = models.CompositePrimaryKey("server", "name")
    server = models.BigIntegerField()
    name = models.CharField(max_length=200)
    position = models.TextField()
    state = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.name} of server {self.server}"


class AccountTerms(models.Model):
    """What an account has set about its traffic: a copy, since the account is elsewhere."""

    account = models.BigIntegerField(primary_key=True)
    privacy = models.CharField(max_length=16)
    recent_days = models.IntegerField()
    minute_days = models.IntegerField()
    hour_days = models.IntegerField()
    day_days = models.IntegerField()

    def __str__(self) -> str:
        return f"terms of account {self.account}"


class Rewriting(models.Model):
    """How far what was kept of an account has been rewritten, after it wanted less kept."""

    account = models.BigIntegerField(primary_key=True)
    since = models.BigIntegerField(help_text="Unix time at which less was to be kept")
    time = models.BigIntegerField(help_text="of the last one, Unix time in milliseconds")
    number = models.BigIntegerField(help_text="of the last one")

    def __str__(self) -> str:
        return f"rewriting of account {self.account}"


class Tally(models.Model):
    """One number that only grows, of the whole installation: what monitoring systems read.

    Keys are words of our own with slashes between, such as `queries/bl/block`, so there are few.
    """

    key = models.CharField(max_length=100, primary_key=True)
    count = models.BigIntegerField()
    last = models.BigIntegerField(help_text="Unix time of the last addition")

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


class Process(models.Model):
    """A process that counts: how it stood when its counts were stored last.

    `number` is that of the parcel kept last, so that none is kept twice.
    """

    process = models.CharField(max_length=32, primary_key=True)
    part = models.CharField(max_length=16)
    host = models.CharField(max_length=255)
    number = models.BigIntegerField()
    seen = models.BigIntegerField(help_text="Unix time when it was written last")
    started = models.BigIntegerField(help_text="Unix time")
    position = models.BigIntegerField(null=True, help_text="of the journal; NULL without an index")
    away = models.BigIntegerField(null=True, help_text="since when it cannot ask the database")
    saved = models.BigIntegerField(null=True, help_text="when its snapshot was last up to date")
    ended = models.BooleanField(help_text="whether it has ended as it should")

    def __str__(self) -> str:
        return f"{self.part} {self.process} on {self.host}"


class Hit(models.Model):
    """How often somebody was stopped at a server, by whose list; a number that only grows.

    Of an account's own listings `target` says what was listed; of public lists nobody knows that.
    """

    pk = models.CompositePrimaryKey("account", "server", "source", "target", "rbl")
    account = models.BigIntegerField()
    server = models.BigIntegerField()
    source = models.SmallIntegerField()
    target = models.CharField(max_length=16, help_text="address, network, host, domain or list")
    rbl = models.BigIntegerField(help_text="number of the public list, 0 for the account's own")
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count} by {self.target}"
