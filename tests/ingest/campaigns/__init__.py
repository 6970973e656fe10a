"""Long tests that run on their own, keep their state and go on where they stopped: docs/campaigns.md."""
