"""How long `make reports` takes, and each lab in it: the `quick` profile on the bundled data.

    python -m benchmarks.reports [LAB …]

Writes results/reports.json. The labs run as `make reports` runs them, one a core at a time, so that
the sum of their seconds is more than the total.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.training import RESULTS, machine
from labkit.config import find_lab, lab_names
from labkit.project import replacing


def main() -> None:
    """Time each lab's report and write the table."""
    names = [find_lab(name).name for name in sys.argv[1:]] or lab_names()
    environment = {key: value for key, value in os.environ.items() if key != "LABKIT_DATA"}
    environment["LABKIT_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        command = [sys.executable, "-m", "labkit", "run", *names, "--profile", "quick", "--out", folder]
        subprocess.run(command, env=environment, check=True)
        total = round(time.perf_counter() - begun, 1)
        records = {name: json.loads((Path(folder) / name / "run.json").read_text()) for name in names}
    labs = {name: round(record["seconds"], 1) for name, record in records.items()}
    RESULTS.mkdir(exist_ok=True)
    facts = {"labs": labs, "total": total, **machine(), "load": os.getloadavg()[1]}
    with replacing(RESULTS / "reports.json") as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
