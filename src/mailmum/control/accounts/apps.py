"""The Django app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers the models of this package."""

    name = "mailmum.control.accounts"
