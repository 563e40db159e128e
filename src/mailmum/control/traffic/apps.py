"""The Django app."""

from django.apps import AppConfig


class TrafficConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.traffic"
