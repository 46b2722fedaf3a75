"""Pictures of a notebook, as addresses that hold them: a page loads nothing.

A picture is known by its first bytes and not by what a cell calls it. One that cannot be shown
(on the web, missing, damaged, too large) is a PictureError with the reason, and the page says
it in the picture's place.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from PIL import Image

from labkit.reports.files import read_bytes

KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "image/bmp", "image/avif")
MOST_BYTES = 4_000_000
MOST_PIXELS = 40_000_000  # a browser holds four bytes of each
ON_THE_WEB = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!DOCTYPE[^>]*>\s*|<!--.{0,2000}?-->\s*)*<svg[\s>]", re.DOTALL
)
LONG = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]{200,}")


class PictureError(ValueError):
    """A picture that is not shown; the text says why, as the end of a sentence."""


def kind_of(content: bytes) -> str:
    """The media type of a picture's bytes. Raises PictureError where they are none to be shown."""
    if len(content) > MOST_BYTES:
        raise PictureError(f"it has {len(content) / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:g}")
    if SVG.match(content):
        return "image/svg+xml"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of large pictures; the bound is ours
            with Image.open(io.BytesIO(content)) as image:
                kind, (width, height) = image.get_format_mimetype(), image.size
    except Image.DecompressionBombError as error:
        raise PictureError(f"it has more than {MOST_PIXELS / 1e6:g} million pixels") from error
    except Exception as error:  # Pillow raises errors of many kinds for damaged files
        raise PictureError("it is no picture, or a damaged one") from error
    if width * height > MOST_PIXELS:
        raise PictureError(f"it has {width:,} × {height:,} pixels, more than {MOST_PIXELS / 1e6:g} million")
    if kind not in KINDS:
        raise PictureError(f"browsers do not show {kind}")
    return kind


def address(content: bytes) -> str:
    """A picture's bytes as an address. Raises PictureError."""
    return f"data:{kind_of(content)};base64,{base64.b64encode(content).decode()}"


def content_of(data: Any, kind: str) -> bytes:
    """The bytes of a picture in an output or an attachment. Raises PictureError."""
    if isinstance(data, list):  # lines, as notebook files have them
        data = "".join(map(str, data))
    if not isinstance(data, str):
        raise PictureError(f"its data are a {type(data).__name__} and no text")
    if kind == "image/svg+xml" and "<" in data:
        return data.encode("utf-8", "replace")
    if len(data) > 2 * MOST_BYTES:
        raise PictureError(f"it has {len(data) * 0.75 / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:g}")
    try:
        return base64.b64decode(re.sub(r"\s", "", data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError("its data are not base64") from error


@dataclass
class Sources:
    """Where the pictures of a cell are found: in its attachments, and beside the notebook.

    `folder` None: nothing is read from files.
    """

    attachments: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    stored: list[str] = field(default_factory=list)

    def without_data(self, text: str) -> str:
        """`text` with a short address in place of each that holds a picture; `found` knows it."""
        return LONG.sub(self.store, text)

    def store(self, match: re.Match) -> str:
        """Keep one address and return the short one."""
        self.stored.append(match[0])
        return f"stored:{len(self.stored) - 1}"

    def found(self, source: str) -> str:
        """The picture that an address leads to, as an address that holds it. Raises PictureError."""
        if ON_THE_WEB.match(source):
            raise PictureError("it lies on the web, and this page loads nothing")
        scheme, rest = (SCHEME.match(source) or [None, ""])[1], source.partition(":")[2]
        scheme = (scheme or "").lower()
        if scheme == "stored" and rest.isdecimal() and int(rest) < len(self.stored):
            return self.found(self.stored[int(rest)])
        if scheme == "data":
            return address(data_in(rest))
        if scheme == "attachment":
            return address(self.attached(rest))
        if scheme:
            raise PictureError(f"an address that begins with {scheme}: is not read")
        return address(self.beside(source))

    def attached(self, name: str) -> bytes:
        """An attachment by its name, however the name is written. Raises PictureError."""
        attachments = self.attachments if isinstance(self.attachments, Mapping) else {}
        named = {plain_name(other): bundle for other, bundle in attachments.items()}
        bundle = named.get(plain_name(name))
        if not isinstance(bundle, Mapping):
            raise PictureError("the cell has no such attachment")
        kind = next((kind for kind in (*KINDS, *bundle) if kind in bundle), "")
        return content_of(bundle.get(kind), kind)

    def beside(self, source: str) -> bytes:
        """A file in the notebook's folder. Raises PictureError, also for one that lies elsewhere."""
        name = unquote(re.sub(r"[?#].*", "", source.strip(), flags=re.DOTALL))
        if self.folder is None or not name or "\0" in name:
            raise PictureError("it is not in the notebook")
        try:
            folder = self.folder.resolve()
            path = (folder / name).resolve()
            if Path(name).is_absolute() or not path.is_relative_to(folder):
                raise PictureError("it lies outside of the notebook's folder")
            return read_bytes(path, MOST_BYTES)
        except FileNotFoundError as error:
            raise PictureError("there is no such file beside the notebook") from error
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long
            if isinstance(error, PictureError):
                raise
            raise PictureError(
                f"the file cannot be read ({getattr(error, 'strerror', None) or error})"
            ) from error


def plain_name(name: str) -> str:
    """A name as two writings of it share it: percent signs undone, one form of accents, no spaces around."""
    return unicodedata.normalize("NFC", unquote(str(name))).strip()


def data_in(rest: str) -> bytes:
    """The bytes in what follows "data:". Raises PictureError."""
    about, comma, data = rest.partition(",")
    if not comma or not about.strip().lower().startswith("image/"):
        raise PictureError("its address holds no picture")
    if about.strip().lower().endswith(";base64"):
        return content_of(unquote(data), "")
    return unquote_to_bytes(data)
