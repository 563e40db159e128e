"""The Django app."""

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.triggers"
