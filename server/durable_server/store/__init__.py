"""What the log folds to, on disk: answers questions, and tells from where to replay."""
