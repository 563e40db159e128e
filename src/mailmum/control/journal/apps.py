"""The Django app."""

from django.apps import AppConfig


class JournalConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.journal"
