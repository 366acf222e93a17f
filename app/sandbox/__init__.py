"""A GitHub on loopback, for the demo and for tests: state in memory, real HTTP, real signatures, honest refusals.

Nothing else in app/ but the command line imports it.
"""

from app.sandbox.control import Remote
from app.sandbox.sandbox import Sandbox, run

__all__ = ["Remote", "Sandbox", "run"]
