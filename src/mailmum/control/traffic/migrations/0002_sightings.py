from django.db import migrations, models

from mailmum.control.traffic.clustered import CreateClustered


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountTerms",
            fields=[
                ("account", models.BigIntegerField(primary_key=True, serialize=False)),
                ("privacy", models.CharField(max_length=16)),
                ("recent_days", models.IntegerField()),
                ("minute_days", models.IntegerField()),
                ("hour_days", models.IntegerField()),
                ("day_days", models.IntegerField()),
            ],
        ),
        CreateClustered(
            name="Changed",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "step",
                        "start",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("step", models.IntegerField(help_text="3600 or 86400 seconds")),
                ("start", models.BigIntegerField()),
                (
                    "times",
                    models.BigIntegerField(
                        help_text="how often it has changed since it was listed"
                    ),
                ),
            ],
        ),
        CreateClustered(
            name="ClientDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "start",
                        "client",
                        "server",
                        "source",
                        "outcome",
                        "rbl",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                (
                    "start",
                    models.BigIntegerField(help_text="Unix time at which the hour or day begins"),
                ),
                ("client", models.BinaryField(max_length=16)),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("rbl", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        CreateClustered(
            name="ClientHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "start",
                        "client",
                        "server",
                        "source",
                        "outcome",
                        "rbl",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                (
                    "start",
                    models.BigIntegerField(help_text="Unix time at which the hour or day begins"),
                ),
                ("client", models.BinaryField(max_length=16)),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("rbl", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        CreateClustered(
            name="DomainDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "start",
                        "name",
                        "kind",
                        "server",
                        "source",
                        "outcome",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("start", models.BigIntegerField(help_text="Unix time at which the day begins")),
                (
                    "name",
                    models.BinaryField(
                        help_text="labels in reverse, each with a dot", max_length=260
                    ),
                ),
                (
                    "kind",
                    models.SmallIntegerField(
                        help_text="1: verified, 2: the client's claim, or asked for"
                    ),
                ),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
            ],
        ),
        CreateClustered(
            name="LastSeen",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "server",
                        "source",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("account", models.BigIntegerField()),
                (
                    "time",
                    models.BigIntegerField(
                        help_text="of the latest sighting, Unix time in milliseconds"
                    ),
                ),
                (
                    "kept",
                    models.BigIntegerField(help_text="when it was last written here, likewise"),
                ),
            ],
        ),
        CreateClustered(
            name="NameDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "start",
                        "name",
                        "kind",
                        "client",
                        "server",
                        "source",
                        "outcome",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("start", models.BigIntegerField(help_text="Unix time at which the day begins")),
                (
                    "name",
                    models.BinaryField(
                        help_text="labels in reverse, each with a dot", max_length=260
                    ),
                ),
                (
                    "kind",
                    models.SmallIntegerField(
                        help_text="1: verified, 2: the client's claim, or asked for"
                    ),
                ),
                (
                    "client",
                    models.BinaryField(
                        help_text="empty where only a name was asked for", max_length=16
                    ),
                ),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
            ],
        ),
        CreateClustered(
            name="NetworkDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "start",
                        "client",
                        "server",
                        "source",
                        "outcome",
                        "rbl",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                (
                    "start",
                    models.BigIntegerField(help_text="Unix time at which the hour or day begins"),
                ),
                ("client", models.BinaryField(max_length=16)),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("rbl", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
            },
        ),
        CreateClustered(
            name="Stream",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "server",
                        "name",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("server", models.BigIntegerField()),
                ("name", models.CharField(max_length=200)),
                ("position", models.TextField()),
                ("state", models.BinaryField()),
            ],
        ),
        CreateClustered(
            name="Total",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "step",
                        "start",
                        "server",
                        "source",
                        "outcome",
                        "rbl",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("step", models.IntegerField(help_text="60, 3600 or 86400 seconds")),
                ("start", models.BigIntegerField(help_text="Unix time at which it begins")),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("rbl", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
            ],
        ),
        CreateClustered(
            name="Worst",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "step",
                        "start",
                        "server",
                        "network",
                        "first",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("step", models.IntegerField(help_text="3600 or 86400 seconds")),
                ("start", models.BigIntegerField()),
                ("server", models.BigIntegerField(help_text="0: all servers of the account")),
                ("network", models.BooleanField()),
                ("first", models.BinaryField(max_length=16)),
                ("stopped", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Seen",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("time", models.BigIntegerField(help_text="Unix time in milliseconds")),
                (
                    "hour",
                    models.BigIntegerField(
                        help_text="Unix time at which its hour begins, in seconds"
                    ),
                ),
                ("client", models.BinaryField(max_length=16, null=True)),
                ("outcome", models.SmallIntegerField()),
                (
                    "rbl",
                    models.BigIntegerField(default=0, help_text="number of the list, 0 for none"),
                ),
                ("count", models.BigIntegerField(default=1)),
                ("host", models.CharField(max_length=255)),
                ("service", models.CharField(max_length=64)),
                ("client_name", models.CharField(max_length=255, null=True)),
                ("helo", models.CharField(max_length=255, null=True)),
                ("sender", models.CharField(max_length=320, null=True)),
                ("recipient", models.CharField(max_length=320, null=True)),
                ("code", models.SmallIntegerField(null=True)),
                ("queue_id", models.CharField(max_length=64, null=True)),
                ("delivery", models.SmallIntegerField(null=True)),
                ("score", models.FloatField(null=True)),
                ("reason", models.CharField(max_length=500, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["account", "time", "id", "server", "source", "outcome", "rbl"],
                        name="seen_time",
                    ),
                    models.Index(
                        condition=models.Q(("client__isnull", False)),
                        fields=["account", "hour", "client"],
                        name="seen_client",
                    ),
                    models.Index(
                        condition=models.Q(("outcome", 1), ("queue_id__isnull", False)),
                        fields=["server", "hour", "queue_id"],
                        name="seen_queue",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Zone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("name", models.CharField(max_length=255)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "name"), name="one_zone_a_name")
                ],
            },
        ),
    ]
