"""Inline SVG whose colours are the page's own, so that dark follows light.

Matplotlib draws with stand-in colours, which become CSS variables; text stays text, in the page's
font. Only figure objects are used: nothing is changed at import, and no pyplot state is touched.
"""

import hashlib
import io
import re
from typing import Any, NamedTuple

from markupsafe import Markup, escape
from matplotlib.figure import Figure

DPI = 72  # of SVG


class Colours(NamedTuple):
    """What pictures are drawn with; the style sheet defines them all, for light and for dark."""

    ink: str
    muted: str
    rule: str
    paper: str
    first: str
    second: str
    third: str


PAGE = Colours("#010101", "#020202", "#030303", "#040404", "#050505", "#060606", "#070707")


def style(colours: Colours, scale: float = 1.0) -> dict[Any, Any]:
    """Settings for `matplotlib.rc_context`; `scale` times the sizes of text on a page."""
    ink, muted, rule = colours[:3]
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "voiceconv",
        "text.parse_math": False,  # names may hold dollars
        "font.size": 11.5 * scale,
        "axes.labelsize": 11.0 * scale,
        "xtick.labelsize": 10.5 * scale,
        "ytick.labelsize": 10.5 * scale,
        "legend.fontsize": 10.5 * scale,
        "text.color": ink,
        "axes.labelcolor": muted,
        "axes.edgecolor": rule,
        "axes.linewidth": 1.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.color": rule,
        "ytick.color": rule,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "xtick.major.size": 3.0,
        "ytick.major.size": 0.0,
        "grid.color": rule,
        "grid.linewidth": 0.8,
        "legend.frameon": False,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
    }


def svg(figure: Figure, description: str) -> Markup:
    """Only what a page needs of it: no prologue, no metadata, names that no other picture has."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    content = (description + body).encode(errors="surrogateescape")  # names may be any bytes
    prefix = f"p{hashlib.sha256(content).hexdigest()[:8]}-"
    body = re.sub(r'\bid="', f'id="{prefix}', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)  # the page has its own
    for name, stand_in in PAGE._asdict().items():
        body = body.replace(stand_in, f"var(--{name})")
    label = escape(description)
    return Markup(f'<svg role="img" aria-label="{label}" {box and box.group()}>{body}')
