"""The Django app."""

from django.apps import AppConfig


class FeedsConfig(AppConfig):
    """Registers the models, and joins in where listings know nothing of feeds."""

    name = "mailmum.control.feeds"

    def ready(self) -> None:
        """Join in when verdicts are explained, and when changes are undone."""
        from mailmum.control.feeds.lookups import covering
        from mailmum.control.feeds.undoing import REASONS, UNDOERS
        from mailmum.control.listings.further import SOURCES
        from mailmum.control.listings.undoing import join

        if covering not in SOURCES:
            SOURCES.append(covering)
        join(UNDOERS, REASONS)
