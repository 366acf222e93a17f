"""Lets tests import the Action's modules as its own program does: from the folder that main.py lies in."""

import sys

from tests.action.logs import ACTION

sys.path.insert(0, str(ACTION))
