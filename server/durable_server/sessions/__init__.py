"""Sessions of workers: the rules of their connections, and of what they report about attempts."""
