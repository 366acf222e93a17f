"""Everything that people read about costs: values in, text out. No decision about money is taken here."""
