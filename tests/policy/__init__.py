"""Tests of mailmum.policy."""
