"""Who pays: owners, periods, statements, shared costs, journals. Values in, values out; no amount is ever a float."""
