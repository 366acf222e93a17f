"""What vendors tell of their own figures: reports and invoices as plain values. What cannot be read exactly is refused."""
