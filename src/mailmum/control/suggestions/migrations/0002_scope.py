"""A target that is listed for all servers and for one is two proposals."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def scopes(apps: Apps, _schema: BaseDatabaseSchemaEditor) -> None:
    """Where the listings of earlier proposals hold stands in their evidence."""
    suggestion = apps.get_model("suggestions", "Suggestion")
    for one in suggestion.objects.filter(kind__in=["shorten", "drop"]):
        if scope := one.evidence.get("scope"):
            suggestion.objects.filter(pk=one.pk).update(scope=scope)


class Migration(migrations.Migration):
    dependencies = [
        ("suggestions", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="suggestion", name="one_suggestion"),
        migrations.AddField(
            model_name="suggestion",
            name="scope",
            field=models.BigIntegerField(
                default=0, help_text="where that holds: 0, or a server's number"
            ),
        ),
        migrations.RunPython(scopes, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="suggestion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["open", "dismissed"])),
                fields=("account", "kind", "target", "scope"),
                name="one_suggestion",
            ),
        ),
    ]
