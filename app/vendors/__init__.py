"""The only code that asks vendors for their figures over HTTP. Whoever calls it gets values of the core."""
