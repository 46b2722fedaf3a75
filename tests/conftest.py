"""What holds for all tests."""

from hypothesis import settings

# Speed is not what a test states, and a busy machine is no failure.
settings.register_profile("labkit", deadline=None)
settings.load_profile("labkit")
