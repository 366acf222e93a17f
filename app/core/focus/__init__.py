"""Cost and usage as the FinOps Foundation's FOCUS tells it: one row model, and a view of it for each version."""
