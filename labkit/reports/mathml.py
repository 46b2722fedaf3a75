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
from dataclasses import dataclass

from latex2mathml.converter import convert

DISPLAYED = {
    f"{name}{star}"
    for name in ("equation", "align", "alignat", "flalign", "gather", "multline", "eqnarray")
    for star in ("", "*")
}
UNBRACED = re.compile(r"\\(mathcal|mathbb|mathbf|mathrm|mathit|boldsymbol)\s+([A-Za-z0-9])")
FUNCTION = re.compile(
    r"([A-Za-z0-9}\]])?\s*\\(log|ln|sin|cos|tanh|max|min)(?![A-Za-z])\s*"
    r"([A-Za-z0-9\\](?!left|big|Big|,|!))?"  # an operand that is no bracket
)
STYLED = re.compile(r'<mi mathvariant="([a-z-]+)">([^<]+)</mi>')
REPLACED = {
    **dict.fromkeys(["{aligned}", "{split}", "{align}", "{flalign}", "{flalign*}"], "{align*}"),
    "name*{": "name{",
}
# Environments that latex2mathml has not, as arrays of these columns.
ARRAYS = {"eqnarray": "rcl", "gather": "c", "gathered": "c", "multline": "c"}
ENVIRONMENT = re.compile(r"\\(begin|end)\{(" + "|".join(ARRAYS) + r")\*?\}")
COLUMNS = re.compile(r"\{alignat(?:ed)?\*?\}(?:\{\d\})?")  # alignat counts its columns, align does not
NAME = re.compile(r"\\operatorname\*?\s*\{([^{}]*[^A-Za-z{}][^{}]*)\}")  # latex2mathml reads letters only
UNKNOWN = re.compile(r"<m[a-z]+>(\\[A-Za-z]+|&)</m")
MOST_FORMULA = 5_000  # characters
MOST_MACROS = 200
MOST_EXPANSIONS = 500
DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand\*?|providecommand\*?|def|(?P<operator>DeclareMathOperator\*?))\s*"
    r"\{?\s*\\(?P<name>[A-Za-z]+)\s*\}?\s*(?:\[(?P<count>\d)\])?(?P<marks>(?:#\d)*)\s*\{"
)
COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
SIGN = re.compile(r"\\[A-Za-z]+|\\.|[^\\{}]", re.DOTALL)
UNSEEN = re.compile(
    r"\\(?:label|tag\*?)\{[^{}]*\}|\\(?:nonumber|notag)(?![A-Za-z])"
)  # equations are not numbered
# What latex2mathml writes, and what browsers space and draw as TeX would.
REWRITTEN = {"<mi>&#x0007E;</mi>": "<mo>∼</mo>", "negativethinmathspace": "-0.167em"}


class MathError(ValueError):
    """A formula that cannot be written as MathML; the text says why."""


class Formulas:
    """The formulas of one notebook in their order: a command that one defines holds in those after it."""

    def __init__(self):
        self.macros: dict[str, Macro] = {}

    def __call__(self, latex: str, *, display: bool) -> str:
        """The formula as a <math> element; empty where it only defines commands. Raises MathError."""
        if len(latex) > MOST_FORMULA:
            raise MathError(f"it has {len(latex):,} characters, more than {MOST_FORMULA:,}")
        source, defined = taken_out(latex)
        self.macros |= defined
        if len(self.macros) > MOST_MACROS:
            raise MathError(f"the notebook defines more than {MOST_MACROS} commands")
        if defined and not source.strip():
            return ""
        return to_mathml(expanded(source, self.macros), display=display)


@dataclass(frozen=True)
class Macro:
    """A command that a notebook defines: how many arguments it takes, and what it stands for."""

    arguments: int
    body: str


def taken_out(latex: str) -> tuple[str, dict[str, Macro]]:
    """A formula without the definitions in it, and these."""
    kept, defined, at = [], {}, 0
    for found in DEFINITION.finditer(latex):
        if found.start() < at:
            continue  # inside of another one
        end = closing(latex, found.end() - 1)
        body = latex[found.end() : end]
        if found["operator"]:
            body = rf"\mathrm{{{body}}}"
        count = int(found["count"] or 0) or len(found["marks"] or "") // 2
        defined[found["name"]] = Macro(count, body)
        kept.append(latex[at : found.start()])
        at = end + 1
    return "".join([*kept, latex[at:]]), defined


def closing(latex: str, opening: int) -> int:
    """Place of the brace that closes the one at `opening`. Raises MathError where there is none."""
    depth = 0
    for brace in BRACE.finditer(latex, opening):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return brace.start()
    raise MathError("a brace is not closed")


def expanded(latex: str, macros: dict[str, Macro]) -> str:
    """A formula with what its defined commands stand for. Raises MathError where that has no end."""
    if not macros:
        return latex
    for _ in range(MOST_EXPANSIONS):
        found = next((command for command in COMMAND.finditer(latex) if command[1] in macros), None)
        if found is None:
            return latex
        macro, at, arguments = macros[found[1]], found.end(), []
        for _ in range(macro.arguments):
            argument, at = argument_at(latex, at)
            arguments.append(argument)
        body = re.sub(r"#(\d)", lambda mark, own=arguments: given(own, int(mark[1])), macro.body)
        latex = f"{latex[: found.start()]}{{{body}}}{latex[at:]}"
        if len(latex) > MOST_FORMULA:
            break
    raise MathError("the commands that the notebook defines make it too long")


def given(arguments: list[str], number: int) -> str:
    """The argument of that number. Raises MathError where there is none."""
    if not 1 <= number <= len(arguments):
        raise MathError(f"a defined command names argument {number} and has {len(arguments)}")
    return arguments[number - 1]


def argument_at(latex: str, at: int) -> tuple[str, int]:
    """A command's argument, in braces or one sign, and the place after it. Raises MathError."""
    while at < len(latex) and latex[at].isspace():
        at += 1
    if at < len(latex) and latex[at] == "{":
        end = closing(latex, at)
        return latex[at + 1 : end], end + 1
    if found := SIGN.match(latex, at):
        return found[0], found.end()
    raise MathError("a defined command lacks an argument")


def to_mathml(latex: str, *, display: bool) -> str:
    """The formula as a <math> element. Raises MathError, with the reason, if it cannot be."""
    source = UNBRACED.sub(r"\\\1{\2}", UNSEEN.sub("", latex.strip()))
    source = FUNCTION.sub(spaced, NAME.sub(r"\\mathrm{\1}", COLUMNS.sub("{align*}", source)))
    source = ENVIRONMENT.sub(as_array, source)
    for name, known in REPLACED.items():
        source = source.replace(name, known)
    try:
        made = convert(source, display="block" if display else "inline")
    except Exception as error:  # latex2mathml raises errors of many kinds, IndexError among them
        raise MathError(reason(error)) from error
    if unknown := UNKNOWN.search(html.unescape(made).replace("&amp;", "&")):
        raise MathError(f"unknown {unknown[1]}")
    for name, known in REWRITTEN.items():
        made = made.replace(name, known)
    return STYLED.sub(styled, made)


def as_array(match: re.Match) -> str:
    """The beginning or end of an environment as one of an array."""
    return r"\end{array}" if match[1] == "end" else rf"\begin{{array}}{{{ARRAYS[match[2]]}}}"


def reason(error: Exception) -> str:
    """Why latex2mathml could not: its own words, or those that the name of its error stands for."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower().removesuffix(" error")
    return str(error) or f"it is no formula ({words})"


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
