"""The Django app."""

from django.apps import AppConfig


class ListingsConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.listings"
