"""What holds for all tests."""

import numpy as np
import pytest
from hypothesis import settings

# Speed is not what a test states, and a busy machine is no failure.
settings.register_profile("labkit", deadline=None)
settings.load_profile("labkit")

# Files that train networks, run whole labs or feed in huge and broken files; `make check` leaves them out.
SLOW = {
    "test_checkpoints.py",
    "test_cli.py",
    "test_cluster.py",
    "test_conditional_gan.py",
    "test_conv_autoencoder.py",
    "test_cvae.py",
    "test_foreign_mat.py",
    "test_fuzz.py",
    "test_gan.py",
    "test_hostile.py",
    "test_iwae.py",
    "test_pages.py",
    "test_people.py",
    "test_pooled_conv.py",
    "test_published.py",
    "test_quiet.py",
    "test_replicas.py",
    "test_runner.py",
    "test_spectral.py",
    "test_sweeps.py",
    "test_toys.py",
    "test_training.py",
    "test_varied.py",
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def rng():
    """A generator of the test's own, so that its data do not depend on which tests ran before."""
    return np.random.default_rng(0)
