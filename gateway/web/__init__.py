"""Pages for people, rendered on the server, in Swedish and English."""
