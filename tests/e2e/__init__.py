"""The whole, from the command line to a real Postfix."""
