"""MailMum: a Real-time Blackhole List of your own for every mail server you run."""

__version__ = "0.1.0"
