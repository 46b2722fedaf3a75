"""What may stand on a page: an allow-list of elements, attributes and styles, applied by nh3.

nh3 parses HTML as browsers do and writes it anew, so that what is not on the list is gone however
it was written, and nothing stays open. It is applied twice: to each piece that a notebook brings
(`Cleaner`), so that it cannot act or look like the page around it, and to the finished page
(`whole_page`), for what might have come in by another way. Beside it each page has a
Content-Security-Policy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import nh3
from markupsafe import Markup, escape

from labkit import player
from labkit.reports.pictures import PictureError, Sources


def names(text: str) -> set[str]:
    """The words of a text."""
    return set(text.split())


TEXT = names(
    "a abbr b bdi bdo blockquote br caption center cite code col colgroup dd del details dfn div dl dt "
    "em figcaption figure font h2 h3 h4 h5 h6 hr i img ins kbd li mark meter ol p pre progress q rp rt "
    "ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr "
    "tt u ul var wbr audio video source iframe"
)
SVG = names(
    "svg circle clipPath defs desc ellipse g image line linearGradient marker mask path pattern polygon "
    "polyline radialGradient rect stop symbol text textPath title tspan use"
)
MATH = names(
    "math annotation menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts "
    "mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none "
    "semantics"
)
PAGE = names("article button dialog footer h1 header input label main nav")  # our own templates' only

EVERYWHERE = names("class id title lang dir role style width height align valign hidden")
ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt"},
    "iframe": {"srcdoc"},
    "video": {"src", "controls", "loop", "muted"},
    "audio": {"src", "controls", "loop"},
    "source": {"src", "type"},
    "details": {"open"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
    "td": {"colspan", "rowspan", "headers", "bgcolor"},
    "th": {"colspan", "rowspan", "headers", "scope", "bgcolor"},
    "col": {"span"},
    "colgroup": {"span"},
    "time": {"datetime"},
    "font": {"color"},
    "progress": {"value", "max"},
    "meter": {"value", "max", "min", "low", "high", "optimum"},
    "use": {"href", "x", "y"},
    "image": {"href", "x", "y", "preserveAspectRatio", "transform"},
}
DRAWING = names(
    "viewBox xmlns version preserveAspectRatio x y x1 y1 x2 y2 cx cy r rx ry fx fy dx dy d points "
    "transform fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke- "
    "linejoin stroke-dasharray stroke-dashoffset stroke-miterlimit opacity offset stop-color stop- "
    "opacity gradientUnits gradientTransform spreadMethod patternUnits patternTransform clip-path clip- "
    "rule clipPathUnits mask marker-start marker-mid marker-end markerWidth markerHeight markerUnits "
    "orient refX refY text-anchor dominant-baseline font-size font-family font-weight font-style "
    "textLength startOffset rotate"
)
FORMULA = names(
    "xmlns display displaystyle scriptlevel mathvariant mathsize mathcolor mathbackground stretchy "
    "fence form separator lspace rspace depth minsize maxsize symmetric largeop movablelimits accent "
    "accentunder linethickness columnalign rowalign columnspacing rowspacing columnlines rowlines "
    "columnspan rowspan frame notation voffset encoding"
)
ON_PAGE = {
    "div": {"tabindex"},
    "button": {"type"},
    "input": {"type"},
    "pre": {"tabindex"},
    "ul": {"tabindex"},
    "img": {"decoding"},
    "td": {"data-value"},  # by which a table is sorted
}
STYLES = names(
    "color background-color border border-top border-right border-bottom border-left border-color "
    "border-style border-width border-radius border-collapse border-spacing padding padding-top "
    "padding-right padding-bottom padding-left margin margin-top margin-right margin-bottom margin-left "
    "font font-family font-size font-style font-weight font-variant font-variant-numeric text-align "
    "text-decoration text-transform vertical-align line-height letter-spacing white-space word-break "
    "overflow-wrap width min-width max-width height min-height max-height display flex flex-wrap flex- "
    "direction justify-content align-items gap grid-template-columns overflow overflow-x overflow-y "
    "opacity list-style-type caption-side table-layout object-fit image-rendering fill stroke stroke- "
    "width"
)
# What a style could load by, and how it could reach over what stands before it.
RISKY_STYLE = re.compile(r"url|image|\\|/\*|@|expression|var\(|attr\(|margin[^;]*-\s*[\d.(]", re.IGNORECASE)
# Classes that mean something inside a cell; those of the page's own parts (banner, badge, …) do not.
CLASSES = names(
    "claims check target finding holds fails too-short error dataframe highlight scroll kept formula "
    "tex left-out mermaid task-list-item footnotes footnote-ref footnote labkit-player labkit-untrusted "
    "labkit-stand-in"
)
TOKEN = re.compile(r"[a-z][a-z0-9]{0,2}|ansi-[a-z-]+|language-\w+")  # Pygments' and the terminal's colours
IDS_OF_PAGE = re.compile(
    r"main|answers?|claims|at-a-glance|requirements?|provenance|notebook|code-switch|lightbox|print-all|spec"
    r"|(?:cell|answer|requirement)-.*",
    re.DOTALL,
)
PLAIN_ID = re.compile(r"[\w.:-]{1,120}")
NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?(?:px|%)?")
LINK = re.compile(r"\s*(?:https?:|mailto:|#|[^:]*(?:[/?#]|$))", re.IGNORECASE)
PICTURE = re.compile(r"data:image/[a-z+]{3,8};base64,[A-Za-z0-9+/=]*", re.IGNORECASE)
MEDIA = re.compile(r"data:(?:video|audio)/[a-z0-9]{2,8};base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
SCHEMES = {"http", "https", "mailto", "data", "attachment", "file", "stored"}
TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)")
VOID = names("area base br col embed hr img input link meta param source track wbr")
MOST_WORK = 30_000_000  # of the parser, a second's: its time grows with tags × depth

# nh3 writes every attribute in double quotes and escapes < and > in it: these patterns are exact.
IMAGE = re.compile(r"<img\b([^>]*)>")
FRAME = re.compile(r"<iframe\b([^>]*)></iframe>")
FILM = re.compile(r"<(video|audio)\b[^>]*>.*?</\1>", re.DOTALL)
MISSING = re.compile(r' src="missing:(\d+)"')
ALT = re.compile(r' alt="([^"]*)"')


def attributes(*, page: bool) -> dict[str, set[str]]:
    """The allowed attributes by element."""
    found = {"*": set(EVERYWHERE)} | {name: set(known) for name, known in ATTRIBUTES.items()}
    for names, known in ((SVG, DRAWING), (MATH, FORMULA)):
        for name in names:
            found[name] = found.get(name, set()) | known
    for name, known in ON_PAGE.items() if page else ():
        found[name] = found.get(name, set()) | known
    return found


class Cleaner:
    """Cleans pieces of HTML of one page, in their order.

    Args:
        warn: told a sentence for each thing that is left out.
    """

    def __init__(self, warn: Callable[[str], None]):
        self.warn = warn
        self.ids: set[str] = set()

    def __call__(self, made: str, sources: Sources) -> str:
        """A piece of HTML with what is on the list, and a visible note for a picture that is not shown."""
        if tangled(made):
            return self.note("A piece of HTML is left out: it has too many elements inside one another")
        reasons: list[tuple[str, str]] = []  # address and reason of each picture that is not shown
        cleaned = nh3.clean(
            made,
            tags=TEXT | SVG | MATH,
            clean_content_tags={"script", "style", "template", "noscript", "object"},
            attributes=attributes(page=False),
            attribute_filter=lambda tag, name, value: self.allowed(tag, name, value, sources, reasons),
            generic_attribute_prefixes={"aria-"},
            set_tag_attribute_values={"iframe": {"sandbox": "allow-scripts"}},
            filter_style_properties=STYLES,
            url_schemes=SCHEMES,
            link_rel=None,
        )
        cleaned = IMAGE.sub(lambda found: self.image(found, reasons), cleaned)
        cleaned = FRAME.sub(self.frame, cleaned)
        return FILM.sub(self.film, cleaned)

    def allowed(self, tag: str, name: str, value: str, sources: Sources, reasons: list) -> str | None:
        """What an attribute may be in a piece of a cell; None where it may not stand."""
        if name == "class":
            kept = [word for word in value.split() if word in CLASSES or TOKEN.fullmatch(word)]
            return " ".join(kept) or None
        if name == "id":
            return self.own_id(value)
        if tag == "img" and name == "src":
            try:
                return sources.found(value)
            except PictureError as problem:
                reasons.append((value, str(problem)))
                return f"missing:{len(reasons) - 1}"
        return checked(tag, name, value)

    def own_id(self, value: str) -> str | None:
        """An id that no other element of the page has; None where it is taken."""
        if value in self.ids or IDS_OF_PAGE.fullmatch(value) or not PLAIN_ID.fullmatch(value):
            return None
        self.ids.add(value)
        return value

    def image(self, found: re.Match, reasons: list[tuple[str, str]]) -> str:
        """An image that is shown, or the note in its place."""
        if ' src="data:' in found[1]:
            return found[0]
        alt = ALT.search(found[1])
        missing = MISSING.search(found[1])
        source, reason = reasons[int(missing[1])] if missing else ("", "it has no address that can be shown")
        name = (alt[1] if alt else "") or str(escape(named(source)))
        web = source.lower().startswith("http")
        link = f' <a href="{escape(source)}">{escape(source)}</a>' if web else ""
        which = f" ({named(source)})" if source else ""
        return self.note(f"A picture{which} is not shown: {reason}", name, link)

    def frame(self, found: re.Match) -> str:
        """A player that is shown, or the note in place of another frame."""
        return found[0] if " srcdoc=" in found[1] else self.note("A page inside the page is left out")

    def film(self, found: re.Match) -> str:
        """A film that is shown, or the note in place of one that lies elsewhere."""
        if ' src="data:' in found[0]:
            return found[0]
        return self.note("A film or sound is left out: it is not in the notebook")

    def note(self, sentence: str, name: str = "", link: str = "") -> str:
        """A visible note; the sentence goes to the warnings too. `name` and `link` are HTML."""
        self.warn(f"{sentence}.")
        named = f" {name}" if name and name not in sentence else ""
        return f'<span class="left-out">[{escape(sentence)}.{named}{link}]</span>'


def named(source: str) -> str:
    """An address as a note calls it: short, and of one that holds data the kind only."""
    return source.partition(",")[0][:80] if source.lower().startswith("data:") else source[:80]


def checked(tag: str, name: str, value: str) -> str | None:
    """An attribute's value where it cannot act or load, on a page as in a piece; else None."""
    if name == "href":
        if tag == "a":
            return value if LINK.match(value) else None
        return value if value.startswith("#") or (tag == "image" and PICTURE.fullmatch(value)) else None
    if name == "src":
        return value if (PICTURE if tag == "img" else MEDIA).fullmatch(value) else None
    if name == "srcdoc":
        return value if player.is_document(value) else None
    if name == "style":
        return None if RISKY_STYLE.search(value) else value
    if name in ("width", "height") and tag in ("img", "iframe", "video"):
        return value if NUMBER.fullmatch(value) else None
    return value


def tangled(made: str) -> bool:
    """Whether a parser would take long for a text, for it nests or never closes its elements."""
    inside: Counter[str] = Counter()
    depth = work = 0
    for tag in TAG.finditer(made):
        name = tag[2].lower()
        if name not in VOID:
            if not tag[1]:
                inside[name] += 1
                depth += 1
            elif inside[name]:
                inside[name] -= 1
                depth -= 1
        work += depth
        if work > MOST_WORK:
            return True
    return False


def in_a_line(made: str) -> str:
    """A cleaned heading as it may stand inside a link: text, formulas, letters in another style."""
    return nh3.clean(
        made,
        tags={"b", "code", "em", "i", "strong", "sub", "sup", "span"} | MATH,
        attributes=dict.fromkeys(MATH, FORMULA),
        filter_style_properties=set(),
        link_rel=None,
    )


def whole_page(body: str) -> Markup:
    """The finished body of a page, with nothing that navigates, submits, loads or runs."""
    cleaned = nh3.clean(
        str(body),
        tags=TEXT | SVG | MATH | PAGE,
        clean_content_tags={"script", "style"},
        attributes=attributes(page=True),
        attribute_filter=checked,
        generic_attribute_prefixes={"aria-"},
        set_tag_attribute_values={"iframe": {"sandbox": "allow-scripts"}},
        filter_style_properties=STYLES,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )
    return Markup(cleaned)  # noqa: S704  (it comes from the sanitiser)
