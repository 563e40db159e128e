"""Tests of mailmum.dns."""
