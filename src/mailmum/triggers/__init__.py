"""Triggers: parameters by which offenders list themselves. Pure: contacts in, decisions out."""
