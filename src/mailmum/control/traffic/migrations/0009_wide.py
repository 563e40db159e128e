from typing import Any

from django.db import migrations, models

from mailmum.control.traffic.clustered import CreateClustered

DAY = 86_400


def sum_up_again(apps: Any, schema_editor: Any) -> None:
    """Have the worker make the sums of wide networks, too, of all days that it has done."""
    database = schema_editor.connection.alias
    days = apps.get_model("traffic", "NetworkDay").objects.using(database)
    changed = apps.get_model("traffic", "Changed")
    pairs = days.values_list("account", "start").distinct().order_by("account", "start")
    rows = [changed(account=account, step=DAY, start=start, times=1) for account, start in pairs]
    changed.objects.using(database).bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0008_spam"),
    ]

    operations = [
        CreateClustered(
            name="WideDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "start",
                        "depth",
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
                ("start", models.BigIntegerField(help_text="Unix time at which the day begins")),
                ("depth", models.SmallIntegerField(help_text="0 is the widest")),
                (
                    "client",
                    models.BinaryField(help_text="the first address of the network", max_length=16),
                ),
                ("server", models.BigIntegerField()),
                ("source", models.SmallIntegerField()),
                ("outcome", models.SmallIntegerField()),
                ("rbl", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
            ],
        ),
        migrations.RunPython(sum_up_again, migrations.RunPython.noop),
    ]
