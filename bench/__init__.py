"""Measurements: what docs/performance.md reports is made by these. `make bench` runs them all."""
