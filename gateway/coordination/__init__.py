"""Statements agreed into one version of who does what."""
