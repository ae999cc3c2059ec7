"""Inline SVG in the page's colours, for the light and the dark style.

Matplotlib draws with stand-in colours; they are replaced by CSS variables. Text stays text in the
page's font. Only figure objects are used: no change at import, no pyplot state.
"""

import hashlib
import io
import re
from typing import Any, NamedTuple

from markupsafe import Markup, escape
from matplotlib.figure import Figure

DPI = 72  # of SVG


class Colours(NamedTuple):
    """The colours of figures; the style sheet defines each for light and dark."""

    ink: str
    muted: str
    rule: str
    paper: str
    first: str
    second: str
    third: str


PAGE = Colours("#010101", "#020202", "#030303", "#040404", "#050505", "#060606", "#070707")


def style(colours: Colours, scale: float = 1.0) -> dict[Any, Any]:
    """Settings for `matplotlib.rc_context`; text sizes are those of a page times `scale`."""
    ink, muted, rule = colours[:3]
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "voiceconv",
        "text.parse_math": False,  # names may contain dollar signs
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
    """Reduce an SVG for a page: no prologue, no metadata, ids unique in the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    content = (description + body).encode(errors="surrogateescape")  # names may contain any bytes
    prefix = f"p{hashlib.sha256(content).hexdigest()[:8]}-"
    body = re.sub(r'(<image\b[^>]*) id="[^"]*"', r"\1", body)  # equal images have equal ids
    body = re.sub(r'\bid="', f'id="{prefix}', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)  # the page has a style sheet
    for name, stand_in in PAGE._asdict().items():
        body = body.replace(stand_in, f"var(--{name})")
    label = escape(description)
    return Markup(f'<svg role="img" aria-label="{label}" {box and box.group()}>{body}')
