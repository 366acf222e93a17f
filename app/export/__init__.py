"""Writes files of rows, in batches of columns, to anywhere that fsspec knows. What is in them the core decides."""
