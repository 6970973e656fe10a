"""Long runs that look for what a short test would miss; each has a seeded short form among the tests."""
