"""The Django app."""

from django.apps import AppConfig


class FeedsConfig(AppConfig):
    """Registers the models, and lets verdicts know of the entries of feeds."""

    name = "mailmum.control.feeds"

    def ready(self) -> None:
        """Join in when verdicts are explained."""
        from mailmum.control.feeds.lookups import covering
        from mailmum.control.listings.further import SOURCES

        if covering not in SOURCES:
            SOURCES.append(covering)
