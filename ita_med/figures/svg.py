"""A figure as SVG, drawn here and not by matplotlib.

Measured with five series of eight marks: matplotlib adds about 100 MB to the installation (it, Pillow, fonttools and
others), 1.2 s to the first figure and 110 ms to each, on a server that draws while a reader waits; its SVG has 26 KB,
differs from run to run unless it is told not to, and has neither `<desc>`, nor a text for each mark, nor ink that
follows the page. These lines need 1 ms, write 6 KB, always the same. Ink is `currentColor`, and the colours of series
keep 3:1 on white and on dark pages: light, dark and print need no classes and no second drawing.
"""

from __future__ import annotations

import textwrap
from html import escape

from ita_med.figures.figure import BOTTOM, TOP, Figure, Mark, Panel, Series, cut
from ita_med.figures.scale import AxisScale, scale, ticks
from ita_med.numbers import number, quantity

WIDTH, NARROW = 720, 480
"""Pixels of a panel that stands alone, and of one of two in a row."""
LOW = 300.0
"""Height of one of several panels without rows."""
LEFT, RIGHT = 56.0, 16.0
HEAD = 24.0
"""Room for the title of a panel."""
SIZE = 4.5
LENGTHS = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "9 3 2 3", "longdash": "12 4", "longdashdot": "4 2 1 2"}
CORNERS = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle-up": ((0, -1.2), (1.2, 0.9), (-1.2, 0.9)),
    "triangle-down": ((0, 1.2), (1.2, -0.9), (-1.2, -0.9)),
    "cross": (
        (-0.4, -1.3), (0.4, -1.3), (0.4, -0.4), (1.3, -0.4), (1.3, 0.4), (0.4, 0.4),
        (0.4, 1.3), (-0.4, 1.3), (-0.4, 0.4), (-1.3, 0.4), (-1.3, -0.4), (-0.4, -0.4),
    ),
}  # fmt: skip


def svg(figure: Figure, *, alone: bool = False) -> str:
    """The figure as one `<svg>` element, with a title and a description for those who do not see it.

    Args:
        figure: what is drawn; panels stand in rows of two.
        alone: for a file of its own, on white: title, legend and notes, which a page has around it, are drawn too.
    """
    columns = min(len(figure.panels), 2)
    each = WIDTH if columns < 2 else NARROW
    width = max(columns, 1) * each
    parts, y = _above(figure, width) if alone else ([], 0.0)
    for n in range(0, len(figure.panels), 2):
        row = figure.panels[n : n + 2]
        height = max(panel.height if columns < 2 or panel.rows is not None else LOW for panel in row)
        head = HEAD if any(panel.title for panel in row) else 0.0
        for column, panel in enumerate(row):
            title = _text((LEFT + each) / 2, 17, panel.title, 'text-anchor="middle" font-weight="600"')
            inside = f'<g transform="translate(0 {head:.0f})">' if head else "<g>"
            drawn = f"{title if panel.title else ''}{inside}{_panel(panel, figure.language, each, height)}</g>"
            parts.append(f'<g transform="translate({column * each} {y:.0f})">{drawn}</g>')
        y += head + height
    if alone:
        notes = textwrap.wrap(" ".join(figure.notes), int(width / 5.6))
        parts += [_text(16, y + 20 + 15 * n, line, 'font-size="11" opacity=".8"') for n, line in enumerate(notes)]
        y += 15 * len(notes) + 20
    ground = f'<rect width="{width}" height="{y:.0f}" fill="#ffffff"/>' if alone else ""
    size = f'width="{width}" height="{y:.0f}" color="#1a1a1a" ' if alone else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y:.0f}" {size}role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        f"<title>{escape(figure.title)}</title><desc>{escape(' '.join(figure.notes))}</desc>"
        f"{ground}{''.join(parts)}</svg>"
    )


def _above(figure: Figure, width: float) -> tuple[list[str], float]:
    """The title and, as many in a line as fit, the symbols and names of the legend; and their height."""
    lines = textwrap.wrap(figure.title, int(width / 8.5))
    style = 'text-anchor="middle" font-size="16" font-weight="600"'
    parts = [_text(width / 2, 24 + 20 * n, line, style) for n, line in enumerate(lines)]
    x, y = 16.0, 20.0 * len(lines) + 24
    for series in figure.series:
        name, (drawn, space) = cut(series.name, 60), key(series)
        needed = space + 6 + 7.0 * len(name)
        if x + needed > width and x > 16:
            x, y = 16.0, y + 20
        parts.append(f'<g transform="translate({x:.1f} {y})">{drawn}</g>{_text(x + space + 6, y + 11, name)}')
        x += needed + 20
    return parts, y + (24 if figure.series else 0)


def key(series: Series) -> tuple[str, int]:
    """The look of a series for a legend, 14 pixels high, and its width."""
    line, width = (_path(series, "M0 7H30"), 30) if series.line else ("", 14)
    drawn = f"{line}{shape(series.symbol, width / 2, 7)}"
    return f'<g fill="{series.colour}" stroke="{series.colour}">{drawn}</g>', width


def _panel(panel: Panel, language: str, width: float, height: float) -> str:
    names = [cut(row) for row in panel.rows or ()]
    left = min(max(LEFT, 7.0 * max(map(len, names), default=0) + 12), 0.45 * width)
    low, high = TOP, height - BOTTOM
    series = panel.series
    places = [x for s in series for x, _ in (*((m.x, 0) for m in s.marks), *s.singles)]
    heights = [y for s in series for _, y in (*((0, m.y) for m in s.marks), *s.singles)]
    ends = [end for s in series for mark in s.marks for end in (mark.low, mark.high) if end is not None]
    if panel.rows is None:
        x, y = scale(panel.x, places, left, width - RIGHT), scale(panel.y, heights + ends, high, low)
    else:
        x = scale(panel.x, places + ends, left + 8, width - RIGHT)
        y = AxisScale(-0.5, max(len(panel.rows) - 0.5, 0.5), low, high)
    parts = [_grid(panel, x, y, language, left)]
    if len(panel.front) > 1:
        corners = " ".join(f"{x(a)},{y(b)}" for a, b in panel.front)
        parts.append(f'<polyline points="{corners}" fill="none" stroke="currentColor" stroke-dasharray="5 4"/>')
    parts += [_band(s, x, y) for s in series if s.line]
    parts += [_series(panel, n, x, y, language, width) for n in range(len(series))]
    return "".join(parts)


def _grid(panel: Panel, x: AxisScale, y: AxisScale, language: str, left: float) -> str:
    """Lines, what is written at them, and the titles of the axes."""
    low, high = min(y.start, y.end), max(y.start, y.end)
    out = []
    for value, text in ticks(panel.x, x, language):
        strong = ' stroke-width="1.5" opacity=".7"' if panel.x.zero and value == 0 else ' opacity=".2"'
        out.append(f'<line x1="{x(value)}" y1="{low}" x2="{x(value)}" y2="{high}" stroke="currentColor"{strong}/>')
        out.append(_text(x(value), high + 16, text, 'text-anchor="middle"'))
    names = [cut(row, min(38, int(left / 7))) for row in panel.rows or ()]
    rows = None if panel.rows is None else [(float(n), name) for n, name in enumerate(names)]
    for value, text in ticks(panel.y, y, language, gap=42) if rows is None else rows:
        faint = ' opacity=".2"' if rows is None else ' opacity=".08"'
        out.append(f'<line x1="{left}" y1="{y(value)}" x2="{x.end}" y2="{y(value)}" stroke="currentColor"{faint}/>')
        out.append(_text(left - (6 if rows is None else 0), y(value) + 4, text, 'text-anchor="end"'))
    out.append(_text((x.start + x.end) / 2, high + BOTTOM - 8, panel.x.title, 'text-anchor="middle"'))
    if rows is None:
        middle = (low + high) / 2
        out.append(_text(14, middle, panel.y.title, f'text-anchor="middle" transform="rotate(-90 14 {middle})"'))
    return "".join(out)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{" " if more else ""}{more}>{escape(text)}</text>'


def _band(series: Series, x: AxisScale, y: AxisScale) -> str:
    ends = [(mark.x, mark.low, mark.high) for mark in series.marks if mark.low is not None and mark.high is not None]
    corners = [(a, high) for a, _, high in ends] + [(a, low) for a, low, _ in reversed(ends)]
    path = "L".join(f"{x(a)} {y(b)}" for a, b in corners)
    return f'<path d="M{path}Z" fill="{series.colour}" opacity=".15"/>' if ends else ""


def _path(series: Series, path: str) -> str:
    lengths = LENGTHS[series.dash]
    dashed = f' stroke-dasharray="{lengths}"' if lengths else ""
    return f'<path d="{path}" fill="none" stroke-width="2"{dashed}/>'


def _series(panel: Panel, n: int, x: AxisScale, y: AxisScale, language: str, width: float) -> str:
    series, shift = panel.series[n], panel.shift(n)
    out = [f'<circle cx="{x(a)}" cy="{y(b + shift)}" r="2.2" stroke="none" opacity=".5"/>' for a, b in series.singles]
    if series.line and len(series.marks) > 1:
        out.append(_path(series, "M" + "L".join(f"{x(mark.x)} {y(mark.y)}" for mark in series.marks)))
    for mark in series.marks[:: series.every]:
        out.append(_mark(panel, series, mark, x, y, y(mark.y + shift), language))
        if mark.named:
            out.append(_name(panel, mark, x(mark.x), y(mark.y + shift), width))
    return f'<g stroke="{series.colour}" fill="{series.colour}">{"".join(out)}</g>'


def _mark(panel: Panel, series: Series, mark: Mark, x: AxisScale, y: AxisScale, py: float, language: str) -> str:
    """The symbol with its interval, and what is said when it is pointed at."""
    px, across = x(mark.x), panel.rows is not None
    bar = ""
    if mark.low is not None and mark.high is not None and not series.line:
        ends = (x(mark.low), py, x(mark.high), py) if across else (px, y(mark.low), px, y(mark.high))
        bar = '<line x1="{}" y1="{}" x2="{}" y2="{}" stroke-width="1.5"/>'.format(*ends)
    fill = ' fill="none" stroke-width="2"' if mark.hollow else ""
    value = mark.x if across else mark.y
    text = quantity(value, language) if panel.values.log else number(value, language, 0 if panel.values.whole else 1)
    told = f"<title>{escape(mark.label or series.name)}: {text}</title>"
    return f"<g{fill}>{told}{bar}{shape(series.symbol, px, py)}</g>"


def _name(panel: Panel, mark: Mark, px: float, py: float, width: float) -> str:
    """Nothing lies beyond the front: the name stands to the left of a rising one, to the right of a falling one."""
    rising = len(panel.front) > 1 and panel.front[0][1] < panel.front[-1][1]
    turned = px > 0.7 * width or (rising and px > 0.35 * width)
    style = f'stroke="none" style="fill:currentColor" text-anchor="{"end" if turned else "start"}"'
    return _text(px + (-7 if turned else 7), py - 6, cut(mark.label, 30), style)


def shape(symbol: str, x: float, y: float, size: float = SIZE) -> str:
    """A symbol of plotly's names as an SVG element."""
    if symbol == "circle":
        return f'<circle cx="{x}" cy="{y}" r="{size}"/>'
    points = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in CORNERS[symbol])
    return f'<polygon points="{points}"/>'
