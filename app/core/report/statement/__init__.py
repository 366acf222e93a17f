"""What people read of a statement: as an issue, as a page to print, as CSV. Made from the kept document alone."""
