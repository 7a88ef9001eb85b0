"""What a developer declares: workflows, objects, retry policies; and how a module is loaded."""
