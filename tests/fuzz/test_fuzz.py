"""Some hundreds of damaged files of each kind; `python -m tests.fuzz` does thousands."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.fuzz.kinds import KINDS
from tests.fuzz.mutations import CHANGES, changed
from tests.fuzz.worker import Worker


@pytest.fixture(scope="module", params=KINDS)
def worker(request):
    made = Worker(request.param)
    yield made
    made.close()


@given(data=st.data(), changes=CHANGES)
@settings(max_examples=150)
def test_a_damaged_file_is_refused_or_right(worker, data, changes):
    which = data.draw(st.integers(0, len(worker.seeds) - 1))
    assert worker.ask(which, changed(worker.seeds[which], changes)) is None
