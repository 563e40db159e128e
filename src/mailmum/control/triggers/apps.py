"""The Django app."""

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """Registers the models of this package, and lets changes of triggers be undone."""

    name = "mailmum.control.triggers"

    def ready(self) -> None:
        """Join in when changes are undone."""
        from mailmum.control.listings.undoing import join
        from mailmum.control.triggers.undoing import REASONS, UNDOERS

        join(UNDOERS, REASONS)
