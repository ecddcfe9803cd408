"""One figure as SVG, for plotly and in HTML: the same marks, and text wherever there is text."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from lxml import etree, html

from ita_med.figures.figure import Axis, Figure, Mark, Panel, Series
from ita_med.figures.figure_html import fragment, interactive, page
from ita_med.figures.plotly_json import plotly
from ita_med.figures.svg import svg

BAD = '<img src=x onerror=alert(1)>"&'
LINE = Series("line", [Mark(10.0 * n, n, n - 1.0, n + 1.0) for n in range(1, 9)], line=True, singles=[(10.0, 2.0)])
BARE = Series("bare", [Mark(1.0, 2.0), Mark(100.0, 3.0, label="named", hollow=True, named=True)], 7)
CURVE = Panel(Axis("size", log=True, ticks=[(10.0, "ten")]), Axis("points"), [LINE, BARE], "curve")
ROWS = Panel(Axis("points"), Axis(""), [Series("a", [Mark(40.0, 0, 30.0, 50.0)]), BARE], "rows", rows=["one", "2", "3"])
FIGURE = Figure("both", "Two panels", [CURVE, ROWS], ["Bars: 95 %."], "it", table=[["name", "n"], ["a", "1"]])


def elements(drawn: str, *names: str) -> list[etree._Element]:
    return [e for e in etree.fromstring(drawn.encode()).iter() if e.tag.rpartition("}")[2] in names]


def test_an_svg_says_what_it_shows_to_those_who_do_not_see_it() -> None:
    root = etree.fromstring(svg(FIGURE).encode())
    assert root.get("role") == "img"
    assert [(e.tag.rpartition("}")[2], e.text) for e in root[:2]] == [("title", "Two panels"), ("desc", "Bars: 95 %.")]
    told = [e.text for e in elements(svg(FIGURE), "title")[1:]]
    assert told[:2] == ["line: 1,0", "line: 2,0"]
    assert "named: 3,0" in told


def test_a_file_of_its_own_holds_title_legend_and_notes_on_white() -> None:
    texts = [e.text for e in elements(svg(FIGURE, alone=True), "text")]
    assert {"Two panels", "line", "bare", "a", "Bars: 95 %.", "curve", "rows", "ten"} <= set(texts)
    assert len(elements(svg(FIGURE, alone=True), "rect")) == 1
    inside = svg(FIGURE)
    assert not elements(inside, "rect")
    assert "Two panels" not in [e.text for e in elements(inside, "text")]
    assert 'fill="currentColor"' in inside, "ink follows the page, light or dark"


def test_marks_lines_bands_and_single_values() -> None:
    drawn = svg(FIGURE)
    paths = elements(drawn, "path")
    assert [bool(e.get("opacity")) for e in paths] == [True, False], "a band and a line"
    assert len(elements(drawn, "circle", "polygon")) == 8 + 2 + 1 + 2 + 1
    few = Figure("f", "F", [Panel(Axis(""), Axis(""), [Series("line", LINE.marks, line=True, every=4)])])
    assert len(elements(svg(few), "circle")) == 2


@pytest.mark.parametrize("alone", [False, True])
def test_the_same_figure_has_the_same_bytes(alone: bool) -> None:
    assert svg(FIGURE, alone=alone) == svg(FIGURE, alone=alone)
    assert page(FIGURE) == page(FIGURE)
    assert "nan" not in svg(FIGURE, alone=alone)


def test_nothing_to_draw_is_no_error() -> None:
    for panels in ([], [Panel(Axis(""), Axis(""), [])], [Panel(Axis("", whole=True), Axis(""), [], rows=[])]):
        empty = Figure("e", "Empty", panels, if_empty="There is nothing.")
        for alone in (False, True):
            etree.fromstring(svg(empty, alone=alone).encode())
        assert "There is nothing." in fragment(empty)


def test_plotly_takes_every_property() -> None:
    for n, points in enumerate((10, 3)):
        made = plotly(FIGURE, n)
        json.dumps(made, allow_nan=False)
        go.Figure(data=made["data"], layout=made["layout"])  # plotly's own check of every property
        assert sum(len(trace["x"]) for trace in made["data"] if "name" in trace) == points
    curve, rows = plotly(FIGURE), plotly(FIGURE, 1)
    assert [trace["mode"] for trace in curve["data"]] == ["lines", "markers", "lines+markers", "markers"]
    assert curve["layout"]["xaxis"]["ticktext"] == ["ten"]
    assert curve["layout"]["separators"] == ",."
    assert rows["layout"]["yaxis"]["ticktext"] == ["one", "2", "3"]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def test_a_name_is_text_everywhere() -> None:
    named = Series(BAD, [Mark(1.0, 0, label=BAD, named=True)])
    panel = Panel(Axis(BAD), Axis(BAD), [named], BAD, rows=[BAD])
    bad = Figure("bad", BAD, [panel], [BAD], table=[[BAD, BAD], [BAD, BAD]], if_empty=BAD)
    for made in (svg(bad, alone=True), fragment(bad, BAD), json.dumps(plotly(bad)), interactive(bad, library=False)):
        assert "<img" not in made
        assert "img" not in Tags(made).found
    assert BAD in html.fragment_fromstring(fragment(bad)).text_content()


def test_a_fragment_has_the_table_of_the_figure() -> None:
    found = html.fragment_fromstring(fragment(FIGURE, "/data.json"))
    assert [[c.text_content() for c in line] for line in found.iter("tr")] == FIGURE.table
    assert {cell.get("scope") for cell in found.iter("th")} == {"col", "row"}
    assert [item.text_content().strip() for item in found.iter("li")] == ["line", "bare", "a"]
    assert found.xpath("//button/@data-figure") == ["/data.json"]
    assert not html.fragment_fromstring(fragment(FIGURE)).xpath("//button")


def test_an_interactive_figure_needs_nothing_else() -> None:
    made = page(FIGURE)
    assert made.count("Plotly.newPlot(") == 2
    assert made.count("plotly.js v") == 1, "the library is there once"
    assert 'src="http' not in made
    assert "<figcaption>Bars: 95 %.</figcaption>" in made
    assert "plotly.js v" not in interactive(FIGURE, library=False)
