"""Running notebooks in batch, what truly happened in a run, and the page made of it.

runner      one notebook in a process of its own, supervised   (worker, process, notebook)
record      what happened, as it is written to run.json        (texts)
metrics     the notebook's own figures                         labkit.reports.save_metrics
bounds      what is kept of what cells send, already while they run
html        the executed notebook as one page                  (mathml, handouts, template/)
sanitise    what may stand on a page                           (pictures, animations)
guard       what lies where reports are to be written
people      images of people left out of a page that is to be published
results     put in place file by file                          (files)
index       the overview of a folder of reports                (thumbnails)
progress    what the terminal shows meanwhile

Importing labkit.reports imports nothing heavy: papermill and nbconvert come with a run.
"""

import sys

from labkit.reports.metrics import save_metrics

# With this package jsonschema, which nbformat uses, builds a grammar of international addresses
# when it is imported: two thirds of the time that a run takes to start. No notebook needs it.
sys.modules.setdefault("rfc3987_syntax", None)

__all__ = ["save_metrics"]
