"""Importing and exporting: files of other programs become listings in one change, and back."""
