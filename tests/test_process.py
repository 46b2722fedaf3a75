"""How much memory a run holds, with all that it started."""

import subprocess
import sys
import time

import pytest

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
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield ProcessTree(process.pid, 400 * MB)
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_pages_that_forked_children_share_are_counted_once(tree):
    assert not tree.sample(), "five processes show 100 MB each, and hold them together"
    assert 100 * MB < tree.peak < 200 * MB
    assert len(tree.known) == 5
    tree.most_memory = 90 * MB
    assert tree.sample(), "what was measured before is measured again where it could be too much"


def test_the_peak_stays_when_the_processes_are_gone(tree):
    tree.sample()
    peak = tree.peak
    tree.kill()
    time.sleep(0.1)
    assert not tree.sample() and tree.peak == peak > 100 * MB
