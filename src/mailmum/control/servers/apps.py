"""The Django app."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.servers"
