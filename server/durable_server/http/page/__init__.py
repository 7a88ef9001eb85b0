"""The page for people, and how its files are served."""
