"""A figure in HTML: as a part of a page that needs no script, and as an interactive one that needs nothing else."""

from __future__ import annotations

from html import escape

from ita_med.figures.figure import Figure
from ita_med.figures.plotly_json import plotly
from ita_med.figures.svg import key, svg

WORDS = {
    "it": {"table": "Dati della figura", "live": "Figura interattiva"},
    "en": {"table": "Data of the figure", "live": "Interactive figure"},
}

ON_WHITE = {
    "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "margin": {"t": 10, "r": 10, "b": 64, "l": 60},
    "font": {"color": "#444444", "family": "system-ui, sans-serif"},
}  # fmt: skip
"""Of plotly's layout, for pages that are always white."""


def fragment(figure: Figure, source: str = "") -> str:
    """The figure for a page, complete without scripts: drawing, notes and table.

    Args:
        figure: what is shown.
        source: the address of plotly's dictionary, for pages with a script that puts an interactive figure in place of
            the drawing when its button is pressed.
    """
    words = WORDS[figure.language]
    title = f"<strong>{escape(figure.title)}</strong>"
    start = f'<figure class="drawn" id="figure-{figure.name}"><figcaption>{title}'
    if figure.empty:
        return f"{start}. {escape(figure.if_empty)}</figcaption></figure>"
    button = f'<button type="button" class="live" data-figure="{escape(source)}">{words["live"]}</button>'
    return (
        f'{start}</figcaption>{legend(figure)}<div class="drawing">{svg(figure)}</div>{button if source else ""}'
        f'<p class="below">{escape(" ".join(figure.notes))}</p>'
        f"<details><summary>{words['table']}</summary>{data_table(figure)}</details></figure>"
    )


def legend(figure: Figure) -> str:
    """What colours and shapes mean, as a list."""
    items = []
    for series in figure.series:
        drawn, width = key(series)
        drawing = f'<svg width="{width}" height="14" aria-hidden="true">{drawn}</svg>'
        items.append(f"<li>{drawing} {escape(series.name)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>' if items else ""


def data_table(figure: Figure) -> str:
    """The figure's data as an HTML table: the first column names the line."""
    head, *lines = figure.table
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(line[0])}</th>' + "".join(f"<td>{escape(c)}</td>" for c in line[1:]) + "</tr>"
        for line in lines
    )
    title = escape(figure.title)
    table = f"<table><caption>{title}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">{table}</div>'


def interactive(figure: Figure, *, library: bool = True) -> str:
    """A `<figure>` drawn by plotly.js. library: plotly.js itself (4 MB) comes with it, once for each page."""
    from plotly.io import to_html

    parts = []
    for n, panel in enumerate(figure.panels):
        made = plotly(figure, n)
        made["layout"] |= {"showlegend": figure.legend} | ON_WHITE
        parts += [f"<h2>{escape(panel.title)}</h2>"] * bool(panel.title)
        parts.append(
            to_html(
                {"data": made["data"], "layout": made["layout"]}, config=made["config"], full_html=False,
                include_plotlyjs=library and n == 0, div_id=f"figure-{figure.name}-{n}", validate=False,
            )
        )  # fmt: skip
    notes = escape(" ".join(figure.notes))
    return "\n".join(["<figure>", *parts, f"<figcaption>{notes}</figcaption>", "</figure>"])


def page(figure: Figure) -> str:
    """A whole page with one interactive figure."""
    return PAGE.format(lang=figure.language, title=escape(figure.title), body=interactive(figure))


PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1.1rem; margin: 1.5rem 0 0; }}
figure {{ margin: 0; }} figcaption {{ color: #444; font-size: .9rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
