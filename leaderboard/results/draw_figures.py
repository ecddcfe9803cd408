"""A figure as plotly's dictionary, as SVG, and as an HTML fragment that needs no script: drawing, notes and table.

The SVG takes its ink from the page (`currentColor`), so it follows light, dark and print.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

from ita_med.leaderboard.results.figure_texts import TEXTS
from ita_med.leaderboard.results.figures import Figure, Point, Series
from ita_med.leaderboard.results.number_format import cut, number, quantity

WIDTH = 720
ROW = 22.0
"""Height of a line of a dot plot, and of each further dot in it half of that."""
TOP, BOTTOM, LEFT, RIGHT = 14.0, 44.0, 56.0, 16.0
LABELS = 250.0
"""Width of the names at the left of a dot plot."""
SIZE = 4.5


def plotly(figure: Figure) -> dict[str, Any]:
    """{"data", "layout", "config"} for `Plotly.newPlot`; labels are escaped, plotly reads them as HTML."""
    dots = figure.kind == "dots"
    traces = [_trace(figure, n, series) for n, series in enumerate(figure.series)]
    if figure.front:
        x, y = zip(*figure.front, strict=True)
        line = {"color": "#767676", "dash": "dash", "width": 1.5}
        traces.insert(0, {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "hoverinfo": "skip", "showlegend": False})  # fmt: skip  # noqa: E501
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": figure.zero, "zerolinecolor": "#767676"}
    x_axis: dict[str, Any] = {"title": {"text": figure.x_title}, **grid}
    y_axis: dict[str, Any] = {"title": {"text": figure.y_title}, **grid, "zeroline": False}
    if dots:
        names = [escape(cut(name)) for name in figure.rows]
        y_axis |= {"tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.5, -0.5]}
        y_axis |= {"title": {"text": ""}, "automargin": True}
    else:
        x_axis["type"] = "log"
    layout = {
        "xaxis": x_axis, "yaxis": y_axis, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"t": 10, "r": 10, "b": 50, "l": 60}, "font": {"color": "#767676", "family": "system-ui, sans-serif"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"}, "showlegend": len(figure.series) > 1,
        "height": round(_height(figure)) + 60, "separators": ",." if figure.language == "it" else ".,",
        "hoverlabel": {"align": "left"},
    }  # fmt: skip
    return {"data": traces, "layout": layout, "config": {"displaylogo": False, "responsive": True}}


def _trace(figure: Figure, n: int, series: Series) -> dict[str, Any]:
    dots = figure.kind == "dots"
    axis = "x" if dots else "y"
    values = [p.x if dots else p.y for p in series.points]
    bars = {
        "type": "data", "symmetric": False, "thickness": 1, "width": 3,
        "array": [0 if p.high is None else p.high - v for p, v in zip(series.points, values, strict=True)],
        "arrayminus": [0 if p.low is None else v - p.low for p, v in zip(series.points, values, strict=True)],
    }  # fmt: skip
    return {
        "type": "scatter", "mode": "markers", "name": escape(cut(series.name)), f"error_{axis}": bars,
        "x": [p.x for p in series.points],
        "y": [p.y + _shift(figure, n) if dots else p.y for p in series.points],
        "text": [escape(p.label) for p in series.points],
        "hovertemplate": "%{text}<br>%{" + axis + (":.0f" if figure.whole else ":.1f") + "}<extra></extra>",
        "marker": {
            "color": series.colour, "size": 9,
            "symbol": [series.symbol + "-open" * p.hollow for p in series.points],
        },
    }  # fmt: skip


def _lanes(figure: Figure) -> int:
    """Dots that may stand in one line; ranks have one series per group, each with lines of its own."""
    return 1 if figure.whole else max(len(figure.series), 1)


def _shift(figure: Figure, n: int) -> float:
    """Place of a series within its line, from −0.4 to 0.4: dots of one line do not cover each other."""
    lanes = _lanes(figure)
    return 0.0 if lanes == 1 else 0.8 * ((n + 0.5) / lanes - 0.5)


def _height(figure: Figure) -> float:
    if figure.kind == "scatter":
        return 400.0
    return TOP + BOTTOM + len(figure.rows) * (ROW + 0.4 * ROW * (_lanes(figure) - 1))


@dataclass(frozen=True)
class Scale:
    """From values to places in the drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        a, b, v = (math.log10(x) if self.log else x for x in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (v - a) / (b - a), 1)


def svg(figure: Figure, *, legend: bool = False) -> str:
    """The figure as one <svg> element, with a title and a description for those who do not see it.

    legend: what colours and shapes mean stands above the drawing, for a file of its own.
    """
    above, room = _legend_lines(figure) if legend else ("", 0.0)
    height = _height(figure)
    dots = figure.kind == "dots"
    left = LABELS if dots else LEFT
    points = [p for series in figure.series for p in series.points]
    values = [v for p in points for v in (p.low, p.high, p.x if dots else p.y) if v is not None]
    if figure.zero:
        values.append(0.0)
    if dots:
        low, high = (0.5, max(values, default=1.0) + 0.5) if figure.whole else _span(values)
        x = Scale(low, high, left + 8, WIDTH - RIGHT)
        y = Scale(-0.5, max(len(figure.rows) - 0.5, 0.5), TOP, height - BOTTOM)
    else:
        places = [p.x for p in points]
        x = Scale(min(places, default=1.0) / 1.6, max(places, default=10.0) * 1.6, left, WIDTH - RIGHT, log=True)
        y = Scale(*_span(values), height - BOTTOM, TOP)
    parts = [_grid(figure, x, y, height, left)]
    if len(figure.front) > 1:
        corners = " ".join(f"{x(a)},{y(b)}" for a, b in figure.front)
        parts.append(f'<polyline points="{corners}" fill="none" stroke="currentColor" stroke-dasharray="5 4"/>')
    for n, series in enumerate(figure.series):
        marks = [_mark(figure, series, p, x, y, _shift(figure, n)) for p in series.points]
        parts.append(f'<g stroke="{series.colour}" fill="{series.colour}">{"".join(marks)}</g>')
    described = escape(" ".join(figure.notes))
    content = above + (f'<g transform="translate(0 {room:.0f})">{"".join(parts)}</g>' if room else "".join(parts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + room:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        f"<title>{escape(figure.title)}</title><desc>{described}</desc>{content}</svg>"
    )


def _legend_lines(figure: Figure) -> tuple[str, float]:
    """Symbols and names, as many in a line as fit, and their height."""
    if len(figure.series) < 2 or figure.whole:
        return "", 0.0
    out, x, y = [], 10.0, 14.0
    for series in figure.series:
        name = cut(series.name)
        width = 34 + 7.0 * len(name)
        if x + width > WIDTH and x > 10:
            x, y = 10.0, y + 18
        out.append(f'<g fill="{series.colour}">{shape(series.symbol, x, y)}</g>')
        out.append(f'<text x="{x + 10}" y="{y + 4}">{escape(name)}</text>')
        x += width
    return "".join(out), y + 8


def _mark(figure: Figure, series: Series, p: Point, x: Scale, y: Scale, shift: float) -> str:
    across = figure.kind == "dots"
    px, py = x(p.x), y(p.y + shift) if across else y(p.y)
    bar = ""
    if p.low is not None and p.high is not None:
        ends = (x(p.low), py, x(p.high), py) if across else (px, y(p.low), px, y(p.high))
        bar = '<line x1="{}" y1="{}" x2="{}" y2="{}" stroke-width="1.5"/>'.format(*ends)
    fill = ' fill="none" stroke-width="2"' if p.hollow else ""
    value = number(p.x if across else p.y, figure.language, 0 if figure.whole else 1)
    told = f"<title>{escape(p.label)}: {value}</title>"
    name = ""
    if p.named:
        # nothing lies beyond the front: to the left of a rising one, to the right of a falling one
        rising = figure.front[0][1] < figure.front[-1][1]
        turned = px > 0.7 * WIDTH or (rising and px > 0.35 * WIDTH)
        name = (
            f'<text x="{px + (-7 if turned else 7):.1f}" y="{py - 6:.1f}" stroke="none" style="fill:currentColor" '
            f'text-anchor="{"end" if turned else "start"}">{escape(cut(p.label, 30))}</text>'
        )
    return f"<g{fill}>{told}{bar}{shape(series.symbol, px, py)}</g>{name}"


def shape(symbol: str, x: float, y: float, size: float = SIZE) -> str:
    """A symbol of plotly's names as an SVG element."""
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        "triangle-up": ((0, -1.2), (1.2, 0.9), (-1.2, 0.9)),
        "triangle-down": ((0, 1.2), (1.2, -0.9), (-1.2, -0.9)),
        "cross": (
            (-0.4, -1.3), (0.4, -1.3), (0.4, -0.4), (1.3, -0.4), (1.3, 0.4), (0.4, 0.4),
            (0.4, 1.3), (-0.4, 1.3), (-0.4, 0.4), (-1.3, 0.4), (-1.3, -0.4), (-0.4, -0.4),
        ),
    }  # fmt: skip
    if symbol == "circle":
        return f'<circle cx="{x}" cy="{y}" r="{size}"/>'
    points = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in corners[symbol])
    return f'<polygon points="{points}"/>'


def _grid(figure: Figure, x: Scale, y: Scale, height: float, left: float) -> str:
    """Lines, tick labels, axis titles and the names of the lines of a dot plot."""
    low, high = TOP, height - BOTTOM
    out = []
    for value in _log_ticks(x.low, x.high) if x.log else _ticks(x.low, x.high, whole=figure.whole):
        at = x(value)
        strong = ' stroke-width="1.5" opacity=".7"' if figure.zero and value == 0 else ' opacity=".2"'
        text = quantity(value, figure.language) if x.log else _tick(value, figure.language)
        out.append(f'<line x1="{at}" y1="{low}" x2="{at}" y2="{high}" stroke="currentColor"{strong}/>')
        out.append(f'<text x="{at}" y="{high + 16:.1f}" text-anchor="middle">{text}</text>')
    if figure.kind == "dots":
        for n, name in enumerate(figure.rows):
            at = y(n)
            out.append(f'<line x1="{left}" y1="{at}" x2="{x.end}" y2="{at}" stroke="currentColor" opacity=".08"/>')
            out.append(f'<text x="{left}" y="{at + 4:.1f}" text-anchor="end">{escape(cut(name))}</text>')
    else:
        for value in _ticks(y.low, y.high):
            at = y(value)
            out.append(f'<line x1="{left}" y1="{at}" x2="{x.end}" y2="{at}" stroke="currentColor" opacity=".2"/>')
            out.append(f'<text x="{left - 6}" y="{at + 4}" text-anchor="end">{_tick(value, figure.language)}</text>')
        middle = (low + high) / 2
        out.append(
            f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
            f"{escape(figure.y_title)}</text>"
        )
    centre = (x.start + x.end) / 2
    out.append(f'<text x="{centre:.1f}" y="{height - 8:.1f}" text-anchor="middle">{escape(figure.x_title)}</text>')
    return "".join(out)


def _tick(value: float, language: str) -> str:
    return number(value, language, 0 if value == round(value) else 1)


def _span(values: list[float]) -> tuple[float, float]:
    """A little more than from the smallest to the largest value."""
    low, high = min(values, default=0.0), max(values, default=100.0)
    room = max(0.05 * (high - low), 0.5)
    return low - room, high + room


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Five to ten round values between two."""
    raw = (high - low) / 8
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step)
    return [round(n * step, 10) for n in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each power of ten, or fewer where there are many powers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    many = last - first
    step = max(1, math.ceil(many / 8))
    digits = (1, 2, 5) if many <= 3 else (1,)
    found = [d * 10.0**power for power in range(first, last + 1, step) for d in digits]
    return [value for value in found if low <= value <= high]


def legend(figure: Figure) -> str:
    """What colours and shapes mean, as a list."""
    if len(figure.series) < 2 or figure.whole:
        return ""
    items = "".join(
        f'<li><svg width="14" height="14" aria-hidden="true" fill="{s.colour}">{shape(s.symbol, 7, 7)}</svg> '
        f"{escape(s.name)}</li>"
        for s in figure.series
    )
    return f'<ul class="legend">{items}</ul>'


def data_table(figure: Figure) -> str:
    """The figure's data as an HTML table: the first column names the line."""
    head, *lines = figure.table
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>' + "".join(f"<td>{escape(c)}</td>" for c in line[1:]) + "</tr>"
        for line in lines
    )
    caption = f"<caption>{escape(figure.title)}</caption>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(figure.title)}"><table>{caption}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'  # noqa: E501


def fragment(figure: Figure, source: str = "") -> str:
    """The figure for a page, complete without scripts. source: address of plotly's dictionary, for pages with a
    script that puts an interactive figure in place of the drawing."""
    words = TEXTS[figure.language]
    title = f"<strong>{escape(figure.title)}</strong>"
    if figure.empty:
        return f'<figure class="drawn" id="figure-{figure.name}"><figcaption>{title}. {words["nothing"]}</figcaption></figure>'  # noqa: E501
    notes = " ".join(escape(note) for note in figure.notes)
    button = f'<button type="button" class="live" data-figure="{escape(source)}">{words["live"]}</button>'
    return (
        f'<figure class="drawn" id="figure-{figure.name}"><figcaption>{title}</figcaption>{legend(figure)}'
        f'<div class="drawing">{svg(figure)}</div>{button if source else ""}<p class="below">{notes}</p>'
        f"<details><summary>{words['table']}</summary>{data_table(figure)}</details></figure>"
    )


CSS = """
figure.drawn { margin: 1.5rem 0; } figure.drawn svg { max-width: 100%; height: auto; }
figure.drawn .drawing { overflow-x: auto; } figure.drawn .drawing > svg { min-width: 34rem; width: 100%; }
figure.drawn .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }
figure.drawn .below { font-size: .875rem; } .scroll { overflow-x: auto; }
@media print { figure.drawn { break-inside: avoid; } figure.drawn .drawing > svg { min-width: 0; } }
"""
"""Style of `fragment`, for any page that holds one."""
