"""The command line: a REST client without Django, and the commands that run the service."""
