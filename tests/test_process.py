"""How much memory a run holds, with all that it started."""

import subprocess
import sys
import time

import pytest

from labkit.reports import process
from labkit.reports.process import ProcessTree

MB = 2**20
HOLD = """
import multiprocessing, time
block = bytearray(b"x") * (100 * 2**20)
def child():
    time.sleep(60)
fork = multiprocessing.get_context("fork")
for _ in range(4):
    fork.Process(target=child, daemon=True).start()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def tree():
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"ready\n"
        yield ProcessTree(parent.pid, 400 * MB)
        parent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_pages_that_forked_children_share_are_counted_once(tree):
    assert not tree.sample(), "five processes show 100 MB each, and hold them together"
    assert 100 * MB < tree.peak < 200 * MB
    assert len(tree.known) == 5
    tree.most_memory = 90 * MB
    assert tree.sample(), "what was measured before is measured again where it could be too much"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_memory_that_is_shared_no_longer_is_seen(tree, monkeypatch):
    """Fewer resident bytes than before, and yet a new peak: the pages are one process's own now."""
    tree.sample()
    monkeypatch.setattr(process, "memory_of", lambda one, shared=False: 80 * MB if one in few else 0)
    few = sorted(tree.known, key=lambda one: one.pid)[:3]
    tree.sample()
    assert tree.peak == 240 * MB


def test_the_peak_stays_when_the_processes_are_gone(tree):
    tree.sample()
    peak = tree.peak
    tree.kill()
    time.sleep(0.1)
    assert not tree.sample() and tree.peak == peak > 100 * MB
