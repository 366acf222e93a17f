"""The only code that talks to GitHub's API, and the only code that knows githubkit. Facts come out, values go in.

It decides nothing about cost or pulls, and keeps nothing but installation tokens in memory.
"""
