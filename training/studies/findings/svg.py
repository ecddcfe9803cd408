"""A figure as SVG, drawn here: plotly needs a browser for static pictures, and these few lines and signs do not."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from html import escape

from ita_med.training.studies.findings.figure import COLOURS, DASHES, SIGNS, Figure, Panel, Series

WIDTH, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 50
COLUMNS = 2
Scale = Callable[[float], float]


def render(figure: Figure) -> str:
    """The whole file: title, panels in rows of two, legend, caption; `<title>` and `<desc>` for screen readers."""
    columns = min(COLUMNS, max(1, len(figure.panels)))
    rows = -(-len(figure.panels) // columns)
    width = columns * max(WIDTH, 620 if columns == 1 else WIDTH)
    panel_width = width / columns
    legend = _legend(figure.legend, width)
    caption = textwrap.wrap(figure.caption, int(width / 6.0))
    top = 40
    height = top + rows * HEIGHT + legend[1] + 15 * len(caption) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        f'height="{height:.0f}" role="img" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(figure.title)}</title><desc>{escape(figure.caption)}</desc>",
        f'<rect width="{width}" height="{height:.0f}" fill="#ffffff"/>',
        _text(width / 2, 24, figure.title, 'text-anchor="middle" font-size="16" font-weight="600"'),
    ]
    for n, panel in enumerate(figure.panels):
        place = (n % columns * panel_width, top + n // columns * HEIGHT)
        parts.append(f'<g transform="translate({place[0]:.0f} {place[1]})">{_panel(panel, panel_width)}</g>')
    below = top + rows * HEIGHT
    parts.append(f'<g transform="translate(0 {below})">{legend[0]}</g>')
    for n, line in enumerate(caption):
        y = below + legend[1] + 15 * n + 12
        parts.append(f'<text x="16" y="{y}" font-size="11" fill="#444444">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, width: float) -> str:
    left = LEFT + max((6.2 * len(text) - 20 for _, text in panel.y_ticks), default=0)
    left = max(LEFT, min(left, 0.55 * width))
    xs, ys = _reach(panel.series)
    if panel.y_range:
        ys = list(panel.y_range)
    x, x_ticks = _axis(xs, panel.log_x, panel.x_ticks, left, width - RIGHT)
    y, y_ticks = _axis(ys, panel.log_y, panel.y_ticks, HEIGHT - BOTTOM, TOP)
    floor, roof = HEIGHT - BOTTOM, TOP
    out = [_text((left + width) / 2, TOP - 12, panel.title, 'text-anchor="middle" font-weight="600"')]
    for place, text in y_ticks:
        out.append(f'<line x1="{left}" x2="{width - RIGHT}" y1="{y(place):.1f}" y2="{y(place):.1f}" stroke="#dddddd"/>')
        out.append(_text(left - 6, y(place) + 4, text, 'text-anchor="end"'))
    for place, text in x_ticks:
        out.append(f'<line x1="{x(place):.1f}" x2="{x(place):.1f}" y1="{floor}" y2="{floor + 4}" stroke="#333333"/>')
        out.append(_text(x(place), floor + 17, text, 'text-anchor="middle"'))
    out.append(f'<path d="M{left} {roof}V{floor}H{width - RIGHT}" fill="none" stroke="#333333"/>')
    out.append(_text((left + width - RIGHT) / 2, floor + 37, panel.x_title, 'text-anchor="middle"'))
    middle = (roof + floor) / 2
    if panel.y_title:
        out.append(
            f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(panel.y_title)}</text>'
        )
    out += [_band(s, x, y) for s in panel.series if s.line and s.low]
    out += [_series(s, x, y) for s in panel.series]
    return "".join(out)


def _text(x: float, y: float, text: str, more: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'


def _reach(series: list[Series]) -> tuple[list[float], list[float]]:
    """All values along x and along y."""
    xs = [v for s in series for v in [*s.x, *(d[0] for d in s.dots), *((*s.low, *s.high) if s.along == "x" else ())]]
    ys = [v for s in series for v in [*s.y, *(d[1] for d in s.dots), *((*s.low, *s.high) if s.along == "y" else ())]]
    return xs, ys


def _axis(
    values: list[float], log: bool, named: list[tuple[float, str]], start: float, end: float
) -> tuple[Scale, list[tuple[float, str]]]:
    """The scale from `start` to `end` in pixels, and its ticks."""
    values = [v for v in [*values, *(place for place, _ in named)] if math.isfinite(v) and (v > 0 or not log)] or [1.0]
    turn = math.log10 if log else float
    low, high = turn(min(values)), turn(max(values))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    pad = 0.06 * (high - low)
    low, high = low - pad, high + pad

    def scale(value: float) -> float:
        inside = turn(max(value, 10**low) if log else value)
        return start + (min(max(inside, low), high) - low) / (high - low) * (end - start)

    if named:
        return scale, named
    return scale, _powers(low, high) if log else _steps(low, high)


def _steps(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers, about five."""
    raw = (high - low) / 6
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= raw)
    digits = max(0, -math.floor(math.log10(step)))
    first = math.ceil(low / step)
    return [(k * step, f"{k * step:,.{digits}f}") for k in range(first, math.floor(high / step) + 1)]


def _powers(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten, with 2 and 5 between them where there are few."""
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    every = max(1, round((high - low) / 8))
    found = []
    for power in range(math.floor(low), math.ceil(high) + 1):
        if power % every == 0:
            found += [f * 10.0**power for f in factors if low <= math.log10(f * 10.0**power) <= high]
    return [(v, _power(v)) for v in found]


def _power(value: float) -> str:
    if value >= 1e7 or value < 1e-3:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _band(s: Series, x: Scale, y: Scale) -> str:
    corners = [*zip(s.x, s.high, strict=True), *reversed(list(zip(s.x, s.low, strict=True)))]
    path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in corners)
    return f'<path d="M{path}Z" fill="{_colour(s)}" opacity="0.15"/>'


def _series(s: Series, x: Scale, y: Scale) -> str:
    colour = _colour(s)
    out = [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.2" fill="{colour}" opacity="0.5"/>' for a, b in s.dots]
    if s.low and not s.line:
        for a, b, low, high in zip(s.x, s.y, s.low, s.high, strict=True):
            ends = (x(a), y(low), x(a), y(high)) if s.along == "y" else (x(low), y(b), x(high), y(b))
            out.append(
                '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"'.format(*ends)
                + f' stroke="{colour}" stroke-width="1.5"/>'
            )
    if s.line and len(s.x) > 1:
        path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in zip(s.x, s.y, strict=True))
        dash = DASHES[s.look % len(DASHES)]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
    out += [
        _sign(s.look, x(a), y(b), colour) for a, b in zip(s.x[:: s.signs_every], s.y[:: s.signs_every], strict=True)
    ]
    return "".join(out)


def _sign(look: int, x: float, y: float, colour: str) -> str:
    kind = SIGNS[look % len(SIGNS)]
    if kind in ("circle", "ring"):
        fill = colour if kind == "circle" else "#ffffff"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>'
    if kind == "cross":
        path = f"M{x - 4:.1f} {y - 4:.1f}l8 8M{x - 4:.1f} {y + 4:.1f}l8 -8"
        return f'<path d="{path}" stroke="{colour}" stroke-width="2.5" fill="none"/>'
    shapes = {
        "square": "m-4 -4h8v8h-8z",
        "diamond": "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
        "triangle": "m0 -5l5 9h-10z",
    }
    return f'<path d="M{x:.1f} {y:.1f}{shapes[kind]}" fill="{colour}"/>'


def _colour(s: Series) -> str:
    return COLOURS[s.look % len(COLOURS)]


def _legend(series: list[Series], width: float) -> tuple[str, float]:
    """Entries flowing over as many lines as they need, and their height."""
    x, line, out = 16.0, 0, []
    for s in series:
        needed = 48 + 6.6 * len(s.name)
        if x + needed > width and x > 16:
            x, line = 16.0, line + 1
        y = 20 * line + 10
        dash = DASHES[s.look % len(DASHES)]
        if s.line:
            dashed = f' stroke-dasharray="{dash}"' if dash else ""
            out.append(
                f'<line x1="{x}" x2="{x + 30}" y1="{y}" y2="{y}" stroke="{_colour(s)}" stroke-width="2"{dashed}/>'
            )
        out.append(_sign(s.look, x + 15, y, _colour(s)))
        out.append(f'<text x="{x + 36:.1f}" y="{y + 4}">{escape(s.name)}</text>')
        x += needed
    return "".join(out), 20.0 * (line + 1) + 6 if series else 0.0
