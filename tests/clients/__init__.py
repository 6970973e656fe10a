"""Clients that others wrote, from their registries, against a live server: CONTRIBUTING.md."""
