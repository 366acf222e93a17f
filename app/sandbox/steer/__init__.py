"""What a person, a test or the demo does to the sandbox: plain values in, plain values out.

Repositories are named "owner/name", pulls by repository and number, people by login (made at first sight).
"""
