"""Laws are checked on shared machines too, where a slow moment says nothing about the code."""

from hypothesis import settings

settings.register_profile("core", deadline=None)
settings.load_profile("core")
