"""The lock of all dependencies, with what makes it, installs it and describes it."""
