"""Golden histories: what the sources sent, and who does what at several instants, in words that a clinician reads."""
