"""Declares the app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts, where they are sent, and reports; and why the old key of a channel stays away."""

    name = "mailmum.control.alerts"

    def ready(self) -> None:
        """Join in when changes are undone."""
        from mailmum.control.listings.undoing import join

        join({}, {"alerts.rotate-key": "a key that was replaced stays so; make another if need be"})
