"""Durable background work: kept as rows, taken under a lease, done in steps; each is committed with its progress."""
