"""The one door: decides, narrows, audits, and says why."""
