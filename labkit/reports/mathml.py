r"""Formulas as MathML, made when the page is made, so that the page needs no script for them.

latex2mathml does the work. What it does not know, or browsers do not draw as TeX would, is
written another way first: `aligned` as `align*` (equations are not numbered), letters after
\mathcal and its kin in braces, thin spaces around \log; and letters in a style as the
Unicode letters of that style, since MathML Core has no others.
"""

from __future__ import annotations

import html
import re
import unicodedata

from latex2mathml.converter import convert

DISPLAYED = {"equation", "equation*", "align", "align*", "gather", "gather*", "eqnarray", "eqnarray*"}
UNBRACED = re.compile(r"\\(mathcal|mathbb|mathbf|mathrm|mathit|boldsymbol)\s+([A-Za-z0-9])")
FUNCTION = re.compile(
    r"([A-Za-z0-9}\]])?\s*\\(log|ln|sin|cos|tanh|max|min)(?![A-Za-z])\s*"
    r"([A-Za-z0-9\\](?!left|big|Big|,|!))?"  # an operand that is no bracket
)
STYLED = re.compile(r'<mi mathvariant="([a-z-]+)">([^<]+)</mi>')
REPLACED = {"{aligned}": "{align*}", "{split}": "{align*}", "{align}": "{align*}", "name*{": "name{"}
UNKNOWN = re.compile(r"<m[a-z]+>(\\[A-Za-z]+|&)</m")
# What latex2mathml writes, and what browsers space and draw as TeX would.
REWRITTEN = {"<mi>&#x0007E;</mi>": "<mo>∼</mo>", "negativethinmathspace": "-0.167em"}


class MathError(ValueError):
    """A formula that cannot be written as MathML."""


def to_mathml(latex: str, *, display: bool) -> str:
    """The formula as a <math> element. Raises MathError, with the formula, if it cannot be."""
    source = UNBRACED.sub(r"\\\1{\2}", latex.strip())
    source = FUNCTION.sub(spaced, source)
    for name, known in REPLACED.items():
        source = source.replace(name, known)
    try:
        made = convert(source, display="block" if display else "inline")
    except Exception as error:  # latex2mathml raises errors of many kinds, IndexError among them
        raise MathError(f"{latex!r}: {error or type(error).__name__}") from error
    if unknown := UNKNOWN.search(html.unescape(made).replace("&amp;", "&")):
        raise MathError(f"{latex!r}: unknown {unknown[1]}")
    for name, known in REWRITTEN.items():
        made = made.replace(name, known)
    return STYLED.sub(styled, made)


def spaced(match: re.Match) -> str:
    """A function's name with TeX's thin spaces to the letters before and after it."""
    before, name, after = match.groups()
    return (f"{before}\\," if before else "") + f"\\{name}" + (f"\\,{after}" if after else " ")


def styled(match: re.Match) -> str:
    """The <mi> with the Unicode letter of its style, where Unicode has one."""
    style, letter = match[1].replace("-", " ").upper(), html.unescape(match[2])
    style = style.replace("DOUBLE STRUCK", "DOUBLE-STRUCK")
    # "GREEK SMALL LETTER MU" in bold is "MATHEMATICAL BOLD SMALL MU"; some are older: "SCRIPT CAPITAL L".
    named = re.match(r"(?:LATIN|GREEK) (CAPITAL|SMALL) LETTER (\w+)$", unicodedata.name(letter[0], ""))
    for start in ("MATHEMATICAL ", ""):
        if named and len(letter) == 1:
            try:
                return f"<mi>{unicodedata.lookup(f'{start}{style} {named[1]} {named[2]}')}</mi>"
            except KeyError:
                continue
    return match[0]
