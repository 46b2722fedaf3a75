"""What holds for all tests."""

import numpy as np
import pytest
from hypothesis import settings

# Speed is not what a test states, and a busy machine is no failure.
settings.register_profile("labkit", deadline=None)
settings.load_profile("labkit")


@pytest.fixture
def rng():
    """A generator of the test's own, so that its data do not depend on which tests ran before."""
    return np.random.default_rng(0)
