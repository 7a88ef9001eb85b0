"""Programs in other languages that start and steer workflows, and the workflows that they use."""
