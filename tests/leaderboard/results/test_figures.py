"""Figures: what they show and leave out, in data, SVG, HTML and plotly alike."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from lxml import etree, html

from ita_med.figures.figure import Figure
from ita_med.figures.figure_html import fragment
from ita_med.figures.plotly_json import plotly
from ita_med.figures.svg import svg
from ita_med.leaderboard.results import figure_texts, figures
from ita_med.leaderboard.results.compare_systems import SystemsCompared, TaskDifference
from ita_med.leaderboard.results.ranking import BoardRow, Ranking
from ita_med.tasks.report.compare import Pair

FAMILIES = {"ner": 50.0, "re": 30.0, "crf": 60.0, "qa": 70.0, "arg": 40.0}


def row(n: int, avg: float, parameters: float = 0.0, speed: float = 0.0, **changes: object) -> BoardRow:
    plain = BoardRow(
        n, "ranked", f"org/model-{n}", "4-shot", "", "", "u", "re-scored", "", "", True, "decoder", parameters, speed,
        [], 20, 0.0, {"ita_med_qa_med_ita": avg}, FAMILIES, {f: (s - 2, s + 2) for f, s in FAMILIES.items()},
        avg, (avg - 1.5, avg + 1.5), n, True, (n, n),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def view(*rows: BoardRow, part: str = "all", scale: str = "raw") -> Ranking:
    return Ranking("1.0", True, part, scale, "1", [], {}, {}, list(rows))


BOARD = view(
    row(1, 60.0, 8000, 20), row(2, 58.0, 1700, 90, provenance="reproduced", model_type="chat"), row(3, 50.0, 2000, 50),
    row(4, 49.0), row(5, 10.0, 100, 500, kind="floor"), replace(row(6, 0.0, 100, kind="partial"), avg=None),
)  # fmt: skip
PAIRS = [Pair(0, 1, ["ita_med_qa_med_ita"], [], 1.25, 1, 0, 0, 0.5, 0.5, -0.5, 3.0, 0.04, 0.04, 0.05)]
COMPARED = SystemsCompared(
    [3, 7], ["org/a zero-shot", "org/b 4-shot"], {"all": PAIRS, "id": [], "ood": []},
    [TaskDifference(7, "ita_med_qa_med_ita", 51.0, 50.0, 1.0, "win", -1.0, 3.0, 0.0004)],
)  # fmt: skip
ALL = [
    *figures.of_ranking(BOARD), *figures.of_ranking(BOARD, "it"), figures.pairs(COMPARED),
    figures.differences(COMPARED, "it"), figures.side_by_side(BOARD.rows[:3]),
]  # fmt: skip


def named(found: Figure) -> set[str]:
    return {mark.label for series in found.panels[0].series for mark in series.marks}


def test_a_system_without_the_value_is_left_out_and_counted() -> None:
    found = figures.parameters(BOARD)
    assert named(found) == {f"org/model-{n} 4-shot" for n in (1, 2, 3)}
    assert any("1 of 4 ranked systems" in note for note in found.notes)
    assert [line[0] for line in found.table[1:]] == ["org/model-1", "org/model-2", "org/model-3"]
    assert not any("Not shown" in note for note in figures.parameters(view(*BOARD.rows[:3])).notes)


def test_the_front_holds_what_nothing_beats() -> None:
    assert sorted(figures.parameters(BOARD).panels[0].front) == [(1.7e9, 58.0), (8e9, 60.0)]
    assert {m.label for s in figures.speed(BOARD).series for m in s.marks if m.named} == {
        "org/model-1 4-shot", "org/model-2 4-shot"
    }  # fmt: skip
    rng = np.random.default_rng(0)
    values = [(float(a), float(b)) for a, b in rng.integers(0, 12, (60, 2))]
    best = {
        v for v in values if not any(o != v and o[0] >= v[0] and o[1] >= v[1] for o in values)
    }  # fmt: skip
    assert {values[n] for n in figures.pareto(values)} == best


def test_shapes_tell_types_and_provenance_apart() -> None:
    found = figures.parameters(BOARD)
    assert {s.name: (s.symbol, [mark.hollow for mark in s.marks]) for s in found.series} == {
        "decoder": ("circle", [True, True]), "chat": ("square", [False])
    }  # fmt: skip
    assert len({s.colour for s in figures.families(BOARD).series}) == 5


@pytest.mark.parametrize("found", ALL, ids=lambda f: f"{f.name}-{f.language}")
def test_every_form_is_well_formed_and_says_the_same(found: Figure) -> None:
    root = etree.fromstring(svg(found).encode())
    assert root.get("role") == "img"
    assert root[0].tag.endswith("title")
    assert root[0].text == found.title
    points = sum(len(s.marks) for s in found.panels[0].series)
    drawn = [e for e in root.iter() if e.tag.endswith(("circle", "polygon"))]
    assert len(drawn) == points > 0
    assert not [e for e in root.iter() if "nan" in "".join(map(str, e.attrib.values())).lower()]
    shown = plotly(found)
    json.dumps(shown, allow_nan=False)
    go.Figure(data=shown["data"], layout=shown["layout"])  # plotly's own check of every property
    assert sum(len(t["x"]) for t in shown["data"] if t["mode"] == "markers") == points
    page = html.fragment_fromstring(fragment(found))
    cells = [[c.text_content() for c in r] for r in page.iter("tr")]
    assert cells == found.table
    assert {c.get("scope") for c in page.iter("th")} == {"col", "row"}


def test_a_name_is_text_everywhere() -> None:
    name = '<img src=x onerror=alert(1)>"&'
    found = figures.parameters(view(row(1, 50.0, 100, model=name)))
    made = fragment(found, '"><script>')
    assert "<img" not in made
    assert "<script" not in made
    assert name in html.fragment_fromstring(made).text_content()
    assert "<img" not in json.dumps(plotly(found))


def test_strange_values_are_drawn() -> None:
    """Parameters are declared by submitters: anything from 0 to 10¹² million."""
    for values in ([1e-9, 1e12], [5.0], [7.0, 7.0], []):
        found = figures.parameters(view(*(row(n, 40.0, v, interval=None) for n, v in enumerate(values))))
        etree.fromstring(svg(found).encode())
        assert found.empty == (not values)
    assert "No ranked system" in fragment(figures.parameters(view()))
    many = view(*(row(n + 1, 60 - n / 10) for n in range(200)))
    assert len(figures.ranks(many).panels[0].rows or ()) == figures.MOST_ROWS
    assert len(figures.ranks(many).table) == 201
    assert "30 of 200" in " ".join(figures.ranks(many).notes)


def test_italian_is_written_as_italian() -> None:
    found = figures.parameters(BOARD, "it")
    assert found.table[1][3:6] == ["8B", "60,0", "[58,5; 61,5]"]
    assert set(figure_texts.TEXTS["it"]) == set(figure_texts.TEXTS["en"])
