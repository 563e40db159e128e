from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("servers", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="server",
            name="blocks_from",
            field=models.BigIntegerField(
                default=0,
                help_text="nothing is blocked before this Unix time, null: before it is resumed",
                null=True,
            ),
        ),
    ]
