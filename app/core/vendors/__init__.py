"""What vendors tell of their own figures: reports and invoices as values. What cannot be read exactly is refused."""
