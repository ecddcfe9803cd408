"""The report as one HTML page that needs nothing else, with its two figures."""

from __future__ import annotations

from html import escape
from typing import Any

from ita_med import catalogue
from ita_med.tasks.report.rows import COLUMNS
from ita_med.tasks.report.tables import RunReport, Table, notes, once, shared_mean, tables


def render(report: RunReport) -> str:
    sections = [f'<p class="note">{escape(note)}</p>' for note in notes(report)]
    figures = [
        (figure, caption)
        for figure, caption in ((_families(report), BARS), (_times(report), TIMES))
        if figure is not None
    ]
    for n, table in enumerate(once(tables(report))):
        sections.append(html_table(table))
        if n == 0:
            sections += [_figure(*figure, library=k == 0) for k, figure in enumerate(figures)]
    return PAGE.format(body="\n".join(sections), about=ABOUT)


def _figure(figure: Any, caption: str, *, library: bool) -> str:
    """The library is written once, with the first figure."""
    chart = figure.to_html(full_html=False, include_plotlyjs=library, config={"displaylogo": False})
    return f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>"


def _families(report: RunReport) -> Any:
    """Bars of the family means, all tasks."""
    import plotly.graph_objects as go

    if not report.rows:
        return None
    bars = []
    for n, row in enumerate(report.rows):
        means = row.families("all")
        low_high = [report.interval(n, f) for f in COLUMNS]
        up = [x[1] - means[f] if x else row.family_error(f) for f, x in zip(COLUMNS, low_high, strict=True)]
        down = [means[f] - x[0] if x else row.family_error(f) for f, x in zip(COLUMNS, low_high, strict=True)]
        errors = {"type": "data", "array": up, "arrayminus": down, "symmetric": False}
        bars.append(
            go.Bar(name=escape(row.label), x=list(COLUMNS.values()), y=[means.get(f) for f in COLUMNS], error_y=errors)
        )
    figure = go.Figure(bars)
    figure.update_layout(
        barmode="group", template="plotly_white", yaxis={"title": "score (0–100)", "range": [0, 100]}, height=420,
        margin={"t": 20, "r": 20}, legend={"orientation": "h"}, showlegend=True,
    )  # fmt: skip
    return figure


def _times(report: RunReport) -> Any:
    """Score against seconds, one point per run; None where no run has a time."""
    import plotly.graph_objects as go

    points = []
    for row in report.rows:
        score, documents = shared_mean(report, row), sum(row.documents.values())
        if row.seconds and documents and score is not None:
            hover = f"{row.seconds:,.1f} s for {documents:,} documents"
            points.append(
                go.Scatter(
                    name=escape(row.label), x=[row.seconds / documents], y=[score], mode="markers+text",
                    text=[escape(row.method)], textposition="top center", marker={"size": 12}, hovertext=hover,
                )
            )  # fmt: skip
    if not points:
        return None
    figure = go.Figure(points)
    figure.update_layout(
        template="plotly_white", xaxis={"title": "seconds per document", "type": "log"}, height=420,
        yaxis={"title": "score (0–100)"}, margin={"t": 20, "r": 20}, legend={"orientation": "h"}, showlegend=True,
    )  # fmt: skip
    return figure


def page(found: list[Table], first: list[str], about: str) -> str:
    """Tables under the notes that every reader must know first, without figures."""
    sections = [f'<p class="note">{escape(note)}</p>' for note in first]
    return PAGE.format(body="\n".join([*sections, *map(html_table, found)]), about=escape(about))


def html_table(table: Table) -> str:
    titles = {task.id: task.title for task in catalogue.tasks()}
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.lines[0])
    body = "\n".join(
        f'<tr><th scope="row">{escape(titles.get(line[0], line[0]))}</th>'
        + "".join(
            f'<td class="{"l" if n < table.left else "r"}">{escape(cell)}</td>' for n, cell in enumerate(line[1:], 1)
        )
        + "</tr>"
        for line in table.lines[1:]
    )
    below = "".join(f'<p class="below">{escape(note)}</p>' for note in table.notes)
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


BARS = "Family means over all tasks; bars: 95 % intervals, or one standard error where the gold data are not here."
TIMES = "Score against time per document: the mean of the tasks that all runs have; wall time with model loading."
ABOUT = (
    "A family's score is the plain mean of its tasks, AVG the plain mean of the five families. The task list is a "
    "documented reconstruction over public data, not the list of arXiv 2602.17475."
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ita-med report</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1.5rem 0; width: 100%; display: block; overflow-x: auto; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; }}
th, td {{ padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }}
th:first-child, td.l {{ text-align: left; }} tbody th {{ font-weight: 500; }}
.note {{ background: #fff3cd; color: #533f03; padding: .6rem 1rem; border-left: 4px solid #d39e00; font-weight: 600; }}
p.below {{ color: #555; font-size: .9rem; margin: .2rem 0; }} figure {{ margin: 1rem 0; }}
figcaption, footer {{ color: #555; font-size: .9rem; }}
</style>
</head>
<body>
<h1>ita-med</h1>
{body}
<footer><p>{about}</p></footer>
</body>
</html>
"""
