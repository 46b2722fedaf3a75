"""An executed notebook as one HTML page that loads nothing from outside.

nbconvert makes the cells (``cells.html.j2``), our own template the page around them
(``page.html.j2``). Both stand in ``template/`` with the style sheet and the script.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import pass_context
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from labkit import player
from labkit.project import notebooks_dir
from labkit.reports import tables
from labkit.reports.handouts import checklist, requirement_ids
from labkit.reports.judged import judge_claims
from labkit.reports.mathml import DISPLAYED, MathError, to_mathml
from labkit.reports.notebook import BANNER, INJECTED, anchor, cell_title, slug, tags
from labkit.reports.pins import PIN, value_at, with_local, with_minutes
from labkit.reports.record import RunRecord

Ways = Sequence[tuple[str, str, str]]
TEMPLATE = Path(__file__).parent / "template"
MOST_BYTES = 5_000_000
PICTURES = ["image/svg+xml", "image/png", "image/jpeg"]
PRIORITY = ["text/html", "text/markdown", "text/latex", *PICTURES, "text/plain"]
PREDICT = "**Predict.**"  # a question before a main figure
PAGE_IDS = {"main", "answers", "claims", "at-a-glance", "requirements", "provenance", "notebook", "code-switch", "lightbox"}
OUTSIDE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)


@dataclass
class Notes:
    """What turns up while the cells are written: headings for the contents, and warnings."""

    headings: list[tuple[int, str, str]] = field(default_factory=list)  # level, text, id
    warnings: list[str] = field(default_factory=list)
    title_seen: bool = False


class Renderer(IPythonRenderer):
    """Markdown with formulas as MathML, headings in order and no image from outside."""

    def __init__(self, notes: Notes, **options):
        super().__init__(escape=False, embed_images=True, **options)
        self.notes = notes

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading one level below the last at most; the notebook's title is the page's."""
        if level == 1 and not self.notes.title_seen:
            self.notes.title_seen = True
            return ""
        above = self.notes.headings[-1][0] if self.notes.headings else 1
        level = min(max(level, 2), above + 1)
        plain = html.unescape(re.sub(r"<[^>]+>", "", text))
        name = base = slug(plain) or "section"
        taken = {known for _, _, known in self.notes.headings} | PAGE_IDS
        number = 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        self.notes.headings.append((level, text, name))
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """An image, embedded; one from outside becomes a link."""
        if OUTSIDE.match(url):
            return f'<a href="{html.escape(url)}">{text or "image"}</a>'
        return super().image(text, url, title)

    def formula(self, latex: str, *, display: bool) -> str:
        """MathML, or the TeX source with a warning if it cannot be written so."""
        try:
            made = to_mathml(latex, display=display)
        except MathError as error:
            self.notes.warnings.append(f"A formula stays TeX: {error}")
            made = f'<code class="tex">{html.escape(latex.strip())}</code>'
        return f'<span class="formula">{made}</span>' if display else made

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
    """Writes the notebook's cells and outputs; what turns up goes into `notes`."""

    def __init__(self, notes: Notes):
        super().__init__(
            template_name=TEMPLATE.name,
            template_file="cells.html.j2",
            extra_template_basedirs=[str(TEMPLATE.parent)],
        )
        self.notes = notes

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
            "image": self.image,
            "anchor": anchor,
            "cell_title": cell_title,
            "requirement_ids": requirement_ids,
            "duration": tables.duration,
        }.items()

    @pass_context
    def markdown2html(self, context, source):
        """Markdown as HTML; wide tables scroll in a frame of their own."""
        renderer = Renderer(
            self.notes,
            attachments=context.get("cell", {}).get("attachments", {}),
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
        )
        made = MarkdownWithMath(renderer=renderer).render(source)
        return made.replace("<table>", f"{FRAME}<table>").replace("</table>", "</table></div>")

    def fragment(self, source: str) -> str:
        """A piece of Markdown as HTML, outside of any cell."""
        renderer = Renderer(self.notes)
        return MarkdownWithMath(renderer=renderer).render(source)

    @pass_context
    def latex2html(self, context, source):
        """A text/latex output, with or without its dollars."""
        marked = "$" in source or "\\begin" in source
        return self.markdown2html(context, source if marked else f"$${source}$$")

    @pass_context
    def image(self, context, output, kind):
        """An <img> with its alternative text and width from the output's metadata."""
        about = output.get("metadata", {}).get(kind)
        about = about if isinstance(about, dict) else {}
        alt = about.get("alt")
        if not alt:
            self.notes.warnings.append("A figure has no alternative text.")
            alt = "A figure without a description"
        data = output["data"][kind]
        if kind == "image/svg+xml":
            data = base64.b64encode(data.encode()).decode()
        width = about.get("width")
        size = f' width="{int(width)}"' if isinstance(width, (int, float)) else ""
        encoded = re.sub(r"\s", "", data)
        return f'<img src="data:{kind};base64,{encoded}" alt="{html.escape(str(alt))}"{size}>'


def render_bare(record: RunRecord, ways: Ways = ()) -> str:
    """The page of a run whose notebook cannot be shown: status, error and provenance only."""
    page = environment().get_template("page.html.j2")
    parts = {"cells": "", "headings": [], "checks": [], "metric_tables": [], "claims": judge_claims(record)}
    return page.render(record=record, ways=ways, warnings=record.warnings, **parts, **page_frame())


def render(
    notebook, record: RunRecord, metrics: dict[str, Any], ways: Ways = ()
) -> tuple[str, list[str]]:
    """The page of an executed and mended notebook, and warnings about it.

    `ways` lead to other pages: (relation, name, address) each.
    """
    notes, claims = Notes(), judge_claims(record)
    checks, warnings = checklist(notebook, record.lab, claims)
    exporter = CellsExporter(notes)
    resources = {"metadata": {"path": str(notebooks_dir())}, "injected": INJECTED}
    shown = shown_notebook(notebook, record, metrics)
    cells, _ = exporter.from_notebook_node(shown, resources)
    own_values = local_values(record, metrics)
    answers = [(check, Markup(exporter.fragment(own_values(check.answer)))) for check in checks if check.answer]
    page = environment().get_template("page.html.j2")
    warnings = [w for w in dict.fromkeys(warnings + notes.warnings) if w not in record.warnings]
    made = page.render(
        record=record,
        ways=ways,
        cells=cells,
        headings=notes.headings,
        checks=checks,
        answers=answers,
        claims=claims,
        about_published=about_published(notebook, record),
        warnings=record.warnings + warnings,
        metric_tables=tables.metric_tables(metrics),
        **page_frame(),
    )
    if (size := len(made.encode())) > MOST_BYTES:
        warnings.append(
            f"The page is {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:g} MB. Make its figures smaller."
        )
    return made, warnings


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
        elif asked and any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            cell.metadata = {**cell.metadata, "main_figure": True}
            asked = False
    return shown


def about_published(notebook, record: RunRecord) -> bool:
    """Whether the page has pinned numbers, and they are of another run than this one."""
    pinned = any(PIN.search(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return pinned and (record.profile != "full" or bool(record.departures))


def question(text: str) -> str:
    """A requirement's text as a heading."""
    text = text.removeprefix("Question: ")
    return text[:1].upper() + text[1:]


def roads(training: list[dict[str, Any]]) -> list[str]:
    """How models were trained, each way once; what differs between models stands in run.json."""
    roads = [str(fact.get("road", "")).partition(":")[0] for fact in training if isinstance(fact, dict)]
    return [f"{road} ({roads.count(road)} kinds of runs)" for road in dict.fromkeys(roads)]


def page_frame() -> dict[str, Any]:
    """What every page needs: the style sheet, the script and the policy that names it."""
    script = (TEMPLATE / "page.js").read_text(encoding="utf-8")
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8")
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
    env.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return env
