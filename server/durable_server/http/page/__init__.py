"""The page for people: what it is served from, and how."""
