"""Run notebooks under the smoke profile and store the outputs that nbval compares.

Only cells tagged `keep_output` keep what they print (shapes, parameter counts, checks by
hand: the same under every profile); every other output is stripped. Look at the diff
before committing it: what is stored here is what CI will hold the notebook to.

    python scripts/store_outputs.py [NOTEBOOK …]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from labkit.config import labs
from labkit.project import replacing


def store_outputs(path: Path) -> int:
    """Execute the notebook at `path`, rewrite it and return how many cells keep outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    kept = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)  # time stamps
        if "keep_output" in cell.metadata.get("tags", []):
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            kept += 1
        else:
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.language_info = {"name": "python"}
    with replacing(path) as temporary:
        nbformat.write(notebook, temporary)
    return kept


def main() -> None:
    os.environ.update(LABKIT_PROFILE="smoke", LABKIT_OFFLINE="1")
    paths = [Path(name) for name in sys.argv[1:]] or [lab.path for lab in labs().values()]
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LABKIT_RUN_DIR"] = folder
            print(f"{path.name}: outputs of {store_outputs(path)} cells stored")


if __name__ == "__main__":
    main()
