"""An executed notebook as one HTML page that loads nothing from outside.

nbconvert makes the cells (``cells.html.j2``), our own template the page around them
(``page.html.j2``). Both stand in ``template/`` with the style sheet and the script.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import pass_context
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from labkit import player
from labkit.project import notebooks_dir
from labkit.reports import animations, tables
from labkit.reports.handouts import checklist, requirement_ids
from labkit.reports.judged import judge_claims
from labkit.reports.mathml import DISPLAYED, MOST_FORMULA, Formulas, MathError
from labkit.reports.notebook import BANNER, INJECTED, anchor, cell_title, slug, tags
from labkit.reports.pictures import KINDS, ON_THE_WEB, PictureError, Sources, address, content_of
from labkit.reports.pins import has_pins, value_at, with_local, with_minutes
from labkit.reports.record import RunRecord
from labkit.reports.sanitise import IDS_OF_PAGE, Cleaner, in_a_line, whole_page
from labkit.reports.texts import shortened

Ways = Sequence[tuple[str, str, str]]
TEMPLATE = Path(__file__).parent / "template"
MANY_BYTES = 5_000_000  # of a page; above it a warning
MOST_BYTES = 8_000_000  # above it the page is made again with less of the cells
MOST_CELLS = 6_500_000  # characters of all cells on the page
MOST_CELL = 5_000_000  # of one cell and its outputs
MOST_MARKDOWN = 20_000  # of one Markdown text; the parser's time grows with its square
MOST_SOURCE = 100_000  # of one code cell
MOST_HEADING = 300  # of a heading in the contents
MOST_HEADINGS = 300
MOST_ALT = 2_000
MOST_WARNINGS, MOST_WARNING = 100, 600
MOST_SECONDS = 20  # of the processor; then what is left is shown as it was written
PRIORITY = ["text/html", "text/markdown", "text/latex", "image/svg+xml", *KINDS, "text/plain"]
WIDGET = "application/vnd.jupyter.widget-view+json"
PREDICT = "**Predict.**"  # a question before a main figure
# Jupyter writes ![x](attachment:my file.png), which is no Markdown: an address has no blanks.
ATTACHED = re.compile(r"\]\(\s*(attachment:[^()\n\"]{1,300}?)\s*(?=[)\"])")


@dataclass
class Room:
    """How many characters the page and the cell that is being written still take."""

    page: int
    cell: int = 0
    told: bool = False

    def new_cell(self) -> None:
        """Begin a cell."""
        self.cell, self.told = MOST_CELL, False

    def takes(self, length: int) -> bool:
        """Whether there is room for so many characters more, which are then taken."""
        if length > min(self.page, self.cell):
            return False
        self.page -= length
        self.cell -= length
        return True


@dataclass
class Notes:
    """What turns up while the cells are written: headings for the contents, and warnings."""

    room: Room = field(default_factory=lambda: Room(MOST_CELLS))
    headings: list[tuple[int, str, str]] = field(default_factory=list)  # level, text, id
    warnings: list[str] = field(default_factory=list)
    title_seen: bool = False
    formulas: Formulas = field(default_factory=Formulas)
    begun: float = field(default_factory=time.thread_time)

    def __post_init__(self):
        self.clean = Cleaner(self.warn)

    def warn(self, sentence: str) -> None:
        """Add a warning, unless there are many."""
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(shortened(sentence, MOST_WARNING))

    def late(self) -> bool:
        """Whether drawing has used up its time: the thread's own, so that a busy machine costs nothing."""
        return time.thread_time() - self.begun > MOST_SECONDS


class Renderer(IPythonRenderer):
    """Markdown with formulas as MathML and headings in order. Its HTML is not clean yet."""

    def __init__(self, notes: Notes):
        super().__init__(escape=False)
        self.notes = notes

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading one level below the last at most; the notebook's title is the page's."""
        if level == 1 and not self.notes.title_seen:
            self.notes.title_seen = True
            return ""
        above = self.notes.headings[-1][0] if self.notes.headings else 1
        level = min(max(level, 2), above + 1)
        plain = html.unescape(re.sub(r"<[^>]*>", "", text))
        name = base = slug(plain) or "section"
        taken = {known for _, _, known in self.notes.headings} | self.notes.clean.ids
        number = 2
        while name in taken or IDS_OF_PAGE.fullmatch(name):
            name, number = f"{base}-{number}", number + 1
        self.notes.headings.append((level, text if len(plain) <= MOST_HEADING else "…", name))
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """An image; what it shows is looked up when the piece is cleaned. One on the web becomes a link."""
        if ON_THE_WEB.match(url):
            self.notes.warn(f"A picture on the web is not loaded: {url}.")
            return f'<a href="{html.escape(url)}">{text or "image"}</a>'
        alt = html.unescape(re.sub(r"<[^>]*>", "", text))
        return f'<img src="{html.escape(url)}" alt="{html.escape(alt)}">'

    def formula(self, latex: str, *, display: bool) -> str:
        """MathML, or the TeX source with the reason if it cannot be written so."""
        try:
            if self.notes.late():
                raise MathError("the page took too long to draw")
            made = self.notes.formulas(latex, display=display)
        except MathError as problem:
            self.notes.warn(f"A formula stays TeX: {shortened(latex.strip(), 200)}: {problem}.")
            source = html.escape(shortened(latex.strip(), MOST_FORMULA))
            reason = f'<span class="left-out">[{html.escape(str(problem))}]</span>'
            made = f'<code class="tex">{source}</code> {reason}'
        return f'<span class="formula">{made}</span>' if display and made else made

    def block_math(self, body: str) -> str:
        """A displayed formula."""
        return self.formula(body, display=True)

    def inline_math(self, body: str) -> str:
        """A formula in a line of text."""
        return self.formula(body, display=False)

    def paragraph(self, text: str) -> str:
        """A paragraph in which no line begins with the comma after a formula."""
        kept = re.sub(r"(<math(?:(?!<math).)*?</math>)([,.;:!?)]+)", r'<span class="kept">\1\2</span>', text)
        return super().paragraph(kept)

    def latex_environment(self, name: str, body: str) -> str:
        """An environment such as align, which stands as a displayed formula."""
        inner = body if name.startswith("equation") else f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self.formula(inner, display=name in DISPLAYED)


# A wide table scrolls in a frame that the keyboard reaches and that has a name.
FRAME = '<div class="scroll" tabindex="0" role="group" aria-label="Table">'


class CellsExporter(HTMLExporter):
    """Writes the notebook's cells and outputs, cleaned and bounded; what turns up goes into `notes`.

    `folder` is the notebook's, for pictures that lie beside it.
    """

    def __init__(self, notes: Notes, folder: Path | None = None):
        super().__init__(
            template_name=TEMPLATE.name,
            template_file="cells.html.j2",
            extra_template_basedirs=[str(TEMPLATE.parent)],
        )
        self.notes, self.folder = notes, folder

    @property
    def default_config(self):
        """Widgets and scripts in outputs give way to what can be shown without them."""
        config = super().default_config
        config.NbConvertBase.display_data_priority = PRIORITY
        return config

    def default_filters(self):
        """nbconvert's filters and those of our template."""
        yield from super().default_filters()
        yield from {
            "markdown2html": self.markdown2html,
            "latex2html": self.latex2html,
            "html_output": self.html_output,
            "picture": self.picture,
            "other": self.other,
            "has_known_kind": has_known_kind,
            "new_cell": self.new_cell,
            "bounded": self.bounded,
            "anchor": anchor,
            "cell_title": cell_title,
            "requirement_ids": requirement_ids,
            "duration": tables.duration,
        }.items()

    @pass_context
    def markdown2html(self, context, source):
        """Markdown as clean HTML; wide tables scroll in a frame of their own."""
        return self.drawn(source, context.get("cell", {}).get("attachments", {}))

    def fragment(self, source: str) -> str:
        """A piece of Markdown as clean HTML, outside of any cell."""
        return self.drawn(source, {})

    def drawn(self, source: str, attachments) -> str:
        """Markdown as clean HTML, or its text where it cannot be drawn."""
        sources = Sources(attachments, self.folder)
        text = sources.without_data(with_plain_names(str(source)))
        before = len(self.notes.headings)
        try:
            if len(text) > MOST_MARKDOWN:
                raise ValueError(f"it has {len(text):,} characters, more than {MOST_MARKDOWN:,}")
            if self.notes.late():
                raise ValueError("the page took too long to draw")
            made = MarkdownWithMath(renderer=Renderer(self.notes)).render(text)
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as problem:
            del self.notes.headings[before:]
            reason = "it is nested too deeply" if isinstance(problem, RecursionError) else str(problem)
            return self.as_text(text, f"This text is shown as it was written: {reason}")
        cleaned = self.notes.clean(made, sources)
        return cleaned.replace("<table>", f"{FRAME}<table>").replace("</table>", "</table></div>")

    def as_text(self, text: str, why: str) -> str:
        """A text as it is, under a note."""
        return f"{self.notes.clean.note(why)}<pre>{html.escape(shortened(text, MOST_MARKDOWN))}</pre>"

    @pass_context
    def latex2html(self, context, source):
        """A text/latex output, with or without its dollars."""
        marked = "$" in source or "\\begin" in source
        return self.markdown2html(context, source if marked else f"$${source}$$")

    def html_output(self, source) -> str:
        """An HTML output, cleaned; an animation of matplotlib's as a player."""
        made = player.refreshed(source if isinstance(source, str) else "".join(map(str, source)))
        if animations.is_animation(made):
            try:
                made, note = animations.played(made)
            except PictureError as problem:
                return self.notes.clean.note(f"An animation is not shown: {problem}")
            if note:
                made += f"<p>{note}</p>"
                self.notes.warn(note)
        return self.notes.clean(made, Sources(folder=self.folder))

    def picture(self, output, kind) -> str:
        """A figure with its alternative text and width from the output's metadata, or why there is none."""
        about = output.get("metadata", {}).get(kind)
        about = about if isinstance(about, dict) else {}
        try:
            source = address(content_of(output["data"][kind], kind))
        except PictureError as problem:
            return f"<p>{self.notes.clean.note(f'A figure is not shown: {problem}')}</p>"
        alt = str(about.get("alt") or "")[:MOST_ALT]
        if not alt:
            self.notes.warn("A figure has no alternative text.")
            alt = "A figure without a description"
        width = about.get("width")
        size = f' width="{int(width)}"' if isinstance(width, int | float) and 0 < width < 10_000 else ""
        return f'<figure><img src="{source}" alt="{html.escape(alt)}"{size}></figure>'

    def other(self, output) -> str:
        """A picture of a kind that nbconvert has no name for; else what stands in place of the output."""
        if kind := next((kind for kind in KINDS if kind in output["data"]), None):
            return self.picture(output, kind)
        if WIDGET in output["data"]:
            return '<p class="control">An interactive control stands here in JupyterLab.</p>'
        kinds = ", ".join(sorted(map(str, output["data"])))[:200]
        return f"<p>{self.notes.clean.note(f'An output cannot be shown on a page ({kinds})')}</p>"

    def new_cell(self, _) -> str:
        """Note that the next cell begins."""
        self.notes.room.new_cell()
        return ""

    def bounded(self, made) -> str:
        """A part of the page, or a note where the cell or the page has no room for it."""
        if self.notes.room.takes(len(made)):
            return made
        if self.notes.room.told:
            return ""
        self.notes.room.told = True
        size = f"{len(made) / 1e6:.1f} MB and more"
        why = f"What follows of this cell, {size}, is left out of the page for its length"
        return f"<p>{self.notes.clean.note(why)}. It is in report.ipynb.</p>"


def has_known_kind(output) -> bool:
    """Whether an output has data of a kind that a page shows."""
    return any(kind in output["data"] for kind in PRIORITY)


def render_bare(record: RunRecord, ways: Ways = ()) -> str:
    """The page of a run whose notebook cannot be shown: status, error and provenance only."""
    page = environment().get_template("page.html.j2")
    parts = {"cells": "", "headings": [], "checks": [], "metric_tables": [], "claims": judge_claims(record)}
    return page.render(record=record, ways=ways, warnings=record.warnings, **parts, **page_frame())


def render(
    notebook, record: RunRecord, metrics: dict[str, Any], ways: Ways = (), folder: Path | None = None
) -> tuple[str, list[str]]:
    """The page of an executed and mended notebook, and warnings about it.

    Where the page would be too large, it is made again with less room for the cells.

    Args:
        ways: they lead to other pages: (relation, name, address) each.
        folder: the notebook's, for pictures beside it; None: labkit's notebooks.
    """
    for room in (MOST_CELLS, MOST_CELLS // 3, 0):
        made, warnings = draw(notebook, record, metrics, ways, folder, room)
        if (size := len(made.encode())) <= MOST_BYTES:
            break
    if size > MANY_BYTES:
        warnings.append(
            f"The page is {size / 1e6:.1f} MB, more than {MANY_BYTES / 1e6:g} MB. Make its figures smaller."
        )
    return made, warnings


def clean_piece(html_text: str) -> Markup:
    """HTML that has gone through the sanitiser, so that the template does not escape it."""
    return Markup(html_text)  # noqa: S704


def draw(
    notebook, record: RunRecord, metrics, ways: Ways, folder: Path | None, room: int
) -> tuple[str, list[str]]:
    """The page with at most `room` characters of cells, and warnings about it; see `render`."""
    notes, claims = Notes(Room(room)), judge_claims(record)
    checks, warnings = checklist(notebook, record.lab, claims)
    exporter = CellsExporter(notes, folder or notebooks_dir())
    shown = shown_notebook(notebook, record, metrics)
    cells, _ = exporter.from_notebook_node(shown, {"injected": INJECTED})
    own_values = local_values(record, metrics)
    # Pieces that went through the sanitiser; the finished page goes through it once more.
    answers = [
        (check, clean_piece(exporter.fragment(own_values(check.answer)))) for check in checks if check.answer
    ]
    headings = [
        (level, clean_piece(in_a_line(text)), name) for level, text, name in notes.headings[:MOST_HEADINGS]
    ]
    warnings = [
        w for w in dict.fromkeys([*warnings[:MOST_WARNINGS], *notes.warnings]) if w not in record.warnings
    ]
    made = (
        environment()
        .get_template("page.html.j2")
        .render(
            record=record,
            ways=ways,
            cells=clean_piece(cells),
            headings=headings,
            checks=checks,
            answers=answers,
            claims=claims,
            about_published=about_published(notebook, record),
            warnings=record.warnings + warnings,
            metric_tables=tables.metric_tables(metrics),
            **page_frame(),
        )
    )
    return made, warnings


def with_plain_names(text: str) -> str:
    """Markdown in which the names of attachments are written as addresses are."""
    return ATTACHED.sub(lambda found: f"]({quote(found[1], safe=':%')}" + " " * found[0].endswith(" "), text)


def local_values(record: RunRecord, metrics: dict[str, Any]) -> Callable[[str], str]:
    """A function that puts this run's own value behind each pinned number that differs from it."""
    found = with_minutes(metrics, {"seconds": record.seconds, "resumed": record.resumed})
    return lambda text: with_local(text, lambda lab, keys: value_at(found, keys), record.lab)


def shown_notebook(notebook, record: RunRecord, metrics: dict[str, Any]):
    """A copy of the notebook as the page shows it."""
    own_values = local_values(record, metrics)
    shown = notebook.copy()
    shown.metadata = notebook.metadata.copy()
    shown.metadata.pop("widgets", None)  # with it nbconvert would load the widgets' code from outside
    shown.cells = [cell.copy() for cell in notebook.cells if BANNER not in tags(cell)]
    asked = False
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            asked = PREDICT in cell.source
            cell.source = own_values(cell.source)
        elif len(cell.source) > MOST_SOURCE:
            cell.source = shortened(cell.source, MOST_SOURCE)
        if asked and any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            cell.metadata = {**cell.metadata, "main_figure": True}
            asked = False
    return shown


def about_published(notebook, record: RunRecord) -> bool:
    """Whether the page has pinned numbers, and they are of another run than this one."""
    pinned = any(has_pins(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return pinned and (record.profile != "full" or bool(record.departures))


def question(text: str) -> str:
    """A requirement's text as a heading."""
    text = text.removeprefix("Question: ")
    return text[:1].upper() + text[1:]


def roads(training: list[dict[str, Any]]) -> list[str]:
    """How models were trained, and why so; each way once."""
    return list(dict.fromkeys(str(fact.get("road", "")) for fact in training if isinstance(fact, dict)))


def page_frame() -> dict[str, Any]:
    """What every page needs: the style sheet, the script and the policy that names it."""
    script = (TEMPLATE / "page.js").read_text(encoding="utf-8")
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8") + player.RULES
    policy = content_security_policy([script, player.SCRIPT])
    return {"style": style, "script": script, "policy": policy}


def content_security_policy(scripts: list[str]) -> str:
    """A policy under which a page loads nothing and runs only `scripts`, named by their hashes.

    Frames with `srcdoc` inherit it, so that the explorers' player has to be among `scripts`.
    """
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            "media-src data:",
            "font-src data:",
            "style-src 'unsafe-inline'",
            "script-src " + " ".join(map(player.csp_source, scripts)),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


@cache
def environment() -> jinja2.Environment:
    """The templates of our own pages, which escape what they are given."""
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True)
    env.filters |= {f.__name__: f for f in (tables.shown, tables.duration, tables.day, tables.words)}
    env.filters |= {"question": question, "roads": roads}
    env.filters["whole_page"] = whole_page
    env.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return env
