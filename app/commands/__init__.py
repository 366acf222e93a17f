"""What commands print. The command line itself, the settings and the process are `__main__`'s."""
