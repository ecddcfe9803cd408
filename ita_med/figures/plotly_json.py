"""A figure for plotly.js, which makes it interactive."""

from __future__ import annotations

from html import escape
from typing import Any

from ita_med.figures.figure import Axis, Figure, Panel, Series, cut

GREY = "#767676"
"""Of the same contrast on light and dark pages."""


def plotly(figure: Figure, panel: int = 0) -> dict[str, Any]:
    """{"data", "layout", "config"} of one panel, for `Plotly.newPlot`; names are escaped, as plotly reads HTML."""
    shown = figure.panels[panel]
    traces = [trace for n, series in enumerate(shown.series) for trace in _traces(shown, n, series)]
    if shown.front:
        x, y = zip(*shown.front, strict=True)
        traces.insert(0, _line(x, y, {"color": GREY, "dash": "dash", "width": 1.5}))
    x_axis, y_axis = _axis(shown.x), _axis(shown.y)
    if shown.rows is not None:
        names = [escape(cut(name)) for name in shown.rows]
        y_axis |= {"tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.5, -0.5]}
        y_axis |= {"title": {"text": ""}, "automargin": True}
    layout = {
        "xaxis": x_axis, "yaxis": y_axis, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"t": 10, "r": 10, "b": 50, "l": 60}, "font": {"color": GREY, "family": "system-ui, sans-serif"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"}, "showlegend": len(shown.series) > 1,
        "height": round(shown.height) + 60, "separators": ",." if figure.language == "it" else ".,",
        "hoverlabel": {"align": "left"},
    }  # fmt: skip
    return {"data": traces, "layout": layout, "config": {"displaylogo": False, "responsive": True}}


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {"title": {"text": escape(axis.title)}, "gridcolor": "rgba(128,128,128,0.25)"}
    found |= {"zeroline": axis.zero, "zerolinecolor": GREY}
    if axis.log:
        found["type"] = "log"
    if axis.ticks:
        found |= {"tickvals": [place for place, _ in axis.ticks], "ticktext": [escape(text) for _, text in axis.ticks]}
    return found


def _line(x: Any, y: Any, line: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A line that explains the marks and has neither a name nor a text of its own."""
    shown = {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "hoverinfo": "skip"}
    return shown | {"showlegend": False} | more


def _traces(panel: Panel, n: int, series: Series) -> list[dict[str, Any]]:
    """The marks of a series; before them its band and its single values, where it has them."""
    found = []
    ends = [(mark.x, mark.low, mark.high) for mark in series.marks if None not in (mark.low, mark.high)]
    if series.line and ends:
        x, low, high = zip(*ends, strict=True)
        band = {"fill": "toself", "fillcolor": series.colour, "opacity": 0.15, "legendgroup": series.name}
        found.append(_line([*x, *reversed(x)], [*high, *reversed(low)], {"width": 0}, **band))
    if series.singles:
        x, y = zip(*series.singles, strict=True)
        marker = {"color": series.colour, "size": 5, "opacity": 0.5}
        found.append(_line(x, y, {}, mode="markers", marker=marker, legendgroup=series.name))
    return [*found, _marks(panel, n, series) | ({"legendgroup": series.name} if found else {})]


def _marks(panel: Panel, n: int, series: Series) -> dict[str, Any]:
    axis, marks = "y" if panel.rows is None else "x", series.marks
    values = [mark.y if axis == "y" else mark.x for mark in marks]
    digits = ":.0f" if panel.values.whole else ":.3g" if panel.values.log else ":.1f"
    bars = {
        "type": "data", "symmetric": False, "thickness": 1, "width": 3,
        "array": [0 if mark.high is None else mark.high - v for mark, v in zip(marks, values, strict=True)],
        "arrayminus": [0 if mark.low is None else v - mark.low for mark, v in zip(marks, values, strict=True)],
    }  # fmt: skip
    mode = "markers" if not series.line else "lines+markers" if series.every == 1 else "lines"
    shown: dict[str, Any] = {"type": "scatter", "mode": mode, "name": escape(cut(series.name))}
    if series.line:
        shown["line"] = {"color": series.colour, "dash": series.dash}
    else:
        shown[f"error_{axis}"] = bars
    return shown | {
        "x": [mark.x for mark in marks],
        "y": [mark.y if axis == "y" else mark.y + panel.shift(n) for mark in marks],
        "text": [escape(mark.label or series.name) for mark in marks],
        "hovertemplate": "%{text}<br>%{" + axis + digits + "}<extra></extra>",
        "marker": {
            "color": series.colour, "size": 9, "symbol": [series.symbol + "-open" * mark.hollow for mark in marks],
        },
    }  # fmt: skip
