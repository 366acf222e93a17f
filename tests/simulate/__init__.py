"""A simulated organisation with known truth: what the App finds out is held against what really happened.

`python -m tests.simulate` plays a small one, `--full` 200 repositories, 20,000 pulls and 60,000 agent runs.
"""
