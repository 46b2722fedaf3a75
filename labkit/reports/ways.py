"""Addresses from one page to others: the overview, the labs before and after, the published page.

Only folders inside the checkout's ``reports/`` lead to the published set: from elsewhere an
address would tell where on this machine the checkout lies.
"""

from __future__ import annotations

import os
from pathlib import Path

from labkit import project
from labkit.config import lab_names


def address(page: Path, folder: Path) -> str:
    """`page` as an address relative to `folder`."""
    return Path(os.path.relpath(page.resolve(), folder.resolve())).as_posix()


def neighbours(lab: str, folder: Path, out: Path) -> list[tuple[str, str, str]]:
    """Ways from the page of `lab` in `folder` to others, as (relation, name, address).

    The overview of `out`, and the labs before and after where they have a page: in `out`,
    else in the published set.
    """
    names = lab_names()
    ways = [("index", "All reports", address(out / "index.html", folder))]
    place = names.index(lab) if lab in names else None
    for relation, step in (("prev", -1), ("next", 1)) if place is not None else ():
        if 0 <= place + step < len(names):
            name = names[place + step]
            pages = [root / name / "report.html" for root in (out, published_beside(out)) if root]
            ways += [(relation, name, address(page, folder)) for page in pages if page.is_file()][:1]
    return ways


def published_beside(out: Path) -> Path | None:
    """Folder of the published set for the reports in `out`; None where there is none, or `out` is it."""
    published = project.PUBLISHED
    return published if published and published in out.resolve().parents else None


def published_page(lab: str, out: Path) -> str | None:
    """Address, seen from `out`, of the lab's published page; None where there is none."""
    published = published_beside(out)
    page = published and published / lab / "report.html"
    return address(page, out) if page and page.is_file() else None
