"""The Django app."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.requests"
