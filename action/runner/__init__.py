"""What the Action knows of the machine and the job it runs in. Nothing here runs another program."""
