"""What a figure shows, as plain records; `svg` and `as_html` draw the same one.

Series differ by dash and sign as well as by colour, so that a grey print can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

COLOURS = ("#08306b", "#d95f02", "#1b9e77", "#7570b3", "#a6761d", "#e7298a", "#666666", "#66a61e")
"""Of different lightness where they stand beside each other."""
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 2 1 2")
SIGNS = ("circle", "square", "diamond", "triangle", "cross", "ring")
PLOTLY_SIGNS = ("circle", "square", "diamond", "triangle-up", "x", "circle-open")
PLOTLY_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@dataclass
class Series:
    """x, y: the points, joined by a line if `line`. low, high: 95 % around y (`along` "y") or x ("x"), drawn as a band
    for lines and as bars for points. dots: single values behind the means (x, y). look: which colour, dash and sign;
    signs_every: a sign at each n-th point."""

    name: str
    x: list[float]
    y: list[float]
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    along: str = "y"
    line: bool = True
    dots: list[tuple[float, float]] = field(default_factory=list)
    look: int = 0
    signs_every: int = 1


@dataclass
class Panel:
    """log_x, log_y: logarithmic. x_ticks, y_ticks: (place, text) instead of numbers; y_range: (from, to)."""

    title: str
    series: list[Series]
    x_title: str
    y_title: str
    log_x: bool = False
    log_y: bool = False
    x_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_range: tuple[float, float] | None = None


@dataclass
class Figure:
    """caption: what the intervals are, on which data; printed below."""

    title: str
    panels: list[Panel]
    caption: str
    lang: str = "en"

    @property
    def legend(self) -> list[Series]:
        """One series for each name."""
        return list({s.name: s for panel in reversed(self.panels) for s in reversed(panel.series)}.values())[::-1]


def as_html(figure: Figure) -> str:
    """A page that needs nothing else: plotly is in it."""
    charts = [
        _plotly(panel, figure).to_html(full_html=False, include_plotlyjs=n == 0, config={"displaylogo": False})
        for n, panel in enumerate(figure.panels)
    ]
    body = "\n".join(charts)
    return PAGE.format(lang=figure.lang, title=escape(figure.title), body=body, caption=escape(figure.caption))


def _mode(s: Series) -> str:
    return "markers" if not s.line else "lines+markers" if s.signs_every == 1 else "lines"


def _plotly(panel: Panel, figure: Figure) -> Any:
    import plotly.graph_objects as go

    made = go.Figure()
    for s in panel.series:
        colour = COLOURS[s.look % len(COLOURS)]
        if s.line and s.low:
            outline = {"x": [*s.x, *reversed(s.x)], "y": [*s.high, *reversed(s.low)]}
            made.add_scatter(
                **outline, fill="toself", fillcolor=colour, opacity=0.15, line={"width": 0}, hoverinfo="skip",
                showlegend=False, legendgroup=s.name,
            )  # fmt: skip
        if s.dots:
            xs, ys = zip(*s.dots, strict=True)
            made.add_scatter(
                x=xs, y=ys, mode="markers", marker={"color": colour, "size": 5, "opacity": 0.5}, showlegend=False,
                legendgroup=s.name, hoverinfo="x+y",
            )  # fmt: skip
        bars = {}
        if s.low and not s.line:
            middle = s.y if s.along == "y" else s.x
            error = {
                "type": "data", "symmetric": False, "array": [h - m for h, m in zip(s.high, middle, strict=True)],
                "arrayminus": [m - low for low, m in zip(s.low, middle, strict=True)], "color": colour,
            }  # fmt: skip
            bars = {f"error_{s.along}": error}
        made.add_scatter(
            x=s.x, y=s.y, name=escape(s.name), mode=_mode(s), legendgroup=s.name,
            line={"color": colour, "dash": PLOTLY_DASHES[s.look % len(PLOTLY_DASHES)]},
            marker={"color": colour, "size": 9, "symbol": PLOTLY_SIGNS[s.look % len(PLOTLY_SIGNS)]}, **bars,
        )  # fmt: skip
    x: dict[str, Any] = {"title": panel.x_title, "type": "log" if panel.log_x else "linear"}
    y: dict[str, Any] = {"title": panel.y_title, "type": "log" if panel.log_y else "linear"}
    for axis, ticks in ((x, panel.x_ticks), (y, panel.y_ticks)):
        if ticks:
            axis |= {"tickvals": [place for place, _ in ticks], "ticktext": [escape(text) for _, text in ticks]}
    if panel.y_range and not panel.log_y:
        y["range"] = list(panel.y_range)
    made.update_layout(
        template="plotly_white", title=escape(panel.title or figure.title), xaxis=x, yaxis=y, height=420,
        legend={"orientation": "h", "y": -0.25}, showlegend=True, margin={"t": 50, "r": 20},
    )  # fmt: skip
    return made


PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
figure {{ margin: 0; }} figcaption {{ color: #444; font-size: .9rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<figure>
{body}
<figcaption>{caption}</figcaption>
</figure>
</body>
</html>
"""
