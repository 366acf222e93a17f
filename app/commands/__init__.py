"""What the commands do and print. The processes that serve and work, and the log, are `__main__`'s."""
