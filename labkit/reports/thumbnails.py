"""Small pictures of runs for the overview, made when a run ends and kept in ``.work/thumbnails``."""

from __future__ import annotations

import base64
import contextlib
import io
import warnings
from pathlib import Path

from PIL import Image

from labkit.reports.files import write_atomically

SIZES = {"card": (480, 300), "row": (128, 80)}  # pixels
MOST_PIXELS = 50_000_000  # a picture with more is passed over: decoding it would take seconds and GBs


def thumbnail(report_dir: Path, out: Path, name: str, size: str) -> str | None:
    """The figure `name` of a run, else any, as a data address; None if there is none.

    `size` is "card" or "row". What was made once is taken again until the run is another.
    """
    kept = kept_file(report_dir, out, size)
    try:
        if kept.stat().st_mtime_ns < (report_dir / "run.json").stat().st_mtime_ns:
            keep(report_dir, out, name)
    except OSError:
        keep(report_dir, out, name)
    try:
        content = kept.read_bytes()
    except OSError:
        return None
    return "data:image/jpeg;base64," + base64.b64encode(content).decode() if content else None


def kept_file(report_dir: Path, out: Path, size: str) -> Path:
    """Where the thumbnail of a run is kept."""
    return out / ".work" / "thumbnails" / f"{report_dir.name}-{size}.jpg"


def keep(report_dir: Path, out: Path, name: str) -> None:
    """Make and keep a run's thumbnails, empty files where it has no figure."""
    pictures = dict.fromkeys(SIZES, b"")
    found = sorted((report_dir / "figures").glob("*.png"), key=lambda path: (path.stem != name, path.name))
    for path in found:
        # Pillow raises errors of many kinds for damaged files, MemoryError among them.
        with contextlib.suppress(Exception):
            pictures = shrunk(path)
            break
    for size, content in pictures.items():
        write_atomically(kept_file(report_dir, out, size), content)


def shrunk(path: Path) -> dict[str, bytes]:
    """A picture as JPEG in each size. Raises ValueError for one that is too large to look at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged here
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{path.name} has {image.width}×{image.height} pixels")
            picture, found = image.convert("RGB"), {}
    for size, most in SIZES.items():
        picture.thumbnail(most)  # the larger size comes first
        buffer = io.BytesIO()
        picture.save(buffer, format="JPEG", quality=80)
        found[size] = buffer.getvalue()
    return found
