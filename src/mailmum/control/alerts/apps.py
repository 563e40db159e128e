"""Declares the app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts, where they are sent, and reports."""

    name = "mailmum.control.alerts"
