"""Which token a token was made by: it ends with that one."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Tokens that are there already were made by none, as far as is known."""

    dependencies = [("accounts", "0006_answers")]

    operations = [
        migrations.AddField(
            model_name="token",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="children",
                to="accounts.token",
            ),
        ),
    ]
