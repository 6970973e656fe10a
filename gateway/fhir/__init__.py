"""Resources as JSON: reading, writing, structural check."""
