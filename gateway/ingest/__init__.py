"""From a kept message to saved statements: sources, inbox, pipeline."""
