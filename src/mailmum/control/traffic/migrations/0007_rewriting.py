from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0006_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rewriting",
            fields=[
                ("account", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "since",
                    models.BigIntegerField(help_text="Unix time at which less was to be kept"),
                ),
                (
                    "time",
                    models.BigIntegerField(help_text="of the last one, Unix time in milliseconds"),
                ),
                ("number", models.BigIntegerField(help_text="of the last one")),
            ],
        ),
    ]
