"""`ita-med report`: comparisons of embedded runs of the baselines, refusals, and every format read back."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ita_med import catalogue
from ita_med.cli import make_app
from ita_med.errors import ItaMedError
from ita_med.numbers import NONE
from ita_med.tasks import report
from ita_med.tasks.benchmark import predictions
from ita_med.tasks.benchmark.task_data import load
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate
from ita_med.tasks.report import as_latex, as_markdown, reference
from ita_med.tasks.report.tables import tables
from ita_med.tasks.scoring import statistics

pytestmark = pytest.mark.slow

runner = CliRunner()
TASKS = ["re_clinkart", "crf_e3c", "qa_med_ita", "arg_casimedicos", "ner_e3c_disorder"]
"""One of each family."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders knn, majority and random with five tasks, and partial with two of them."""
    folder = tmp_path_factory.mktemp("runs")
    for kind in ("knn", "majority", "random"):
        evaluate(Run("baseline", f"kind={kind}"), TASKS, folder / kind, "embedded")
    evaluate(Run("baseline", "kind=majority"), ["qa_med_ita", "crf_e3c"], folder / "partial", "embedded")
    return folder


@pytest.fixture(autouse=True)
def _five_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark of these five tasks, so that the runs are whole."""
    chosen = [task for task in catalogue.tasks() if task.id.removeprefix("ita_med_") in TASKS]
    monkeypatch.setattr(catalogue, "tasks", lambda *, ready=False: chosen)


@pytest.fixture
def built(runs: Path) -> report.RunReport:
    return report.build([runs / name for name in ("knn", "majority", "random", "partial")], baseline="majority")


def edit(folder: Path, copy: Path, file: str, change: dict[str, Any]) -> Path:
    """A copy of the run with other values in its results or manifest."""
    shutil.copytree(folder, copy)
    content = json.loads((copy / file).read_text("utf-8"))
    (copy / file).write_text(json.dumps(content | change), "utf-8")
    return copy


# --- what is compared


def test_deltas_and_tests_are_those_of_the_predictions(built: report.RunReport, runs: Path) -> None:
    assert built.rows[built.baseline].folder.name == "majority"
    pair = built.delta("all", 0)
    assert pair is not None
    assert built.comparison is not None
    knn, majority = built.rows[0].average("all"), built.rows[1].average("all")
    assert knn is not None
    assert majority is not None
    assert pair.difference == pytest.approx(knn - majority)
    assert pair.low is not None
    assert pair.high is not None
    assert pair.low < pair.difference < pair.high
    stored = json.loads((runs / "knn" / "results.json").read_text())["tasks"]
    assert built.rows[0].scores == pytest.approx({task: 100 * r["score"] for task, r in stored.items()})
    assert not built.comparison.changed
    assert not built.comparison.without


def test_the_p_of_one_task_is_that_of_its_counts(runs: Path) -> None:
    data = load("qa_med_ita", "embedded")
    found = report.build([runs / "knn", runs / "majority"])
    counts = []
    for name in ("knn", "majority"):
        answers, _ = predictions.read(runs / name / "predictions" / "ita_med_qa_med_ita.jsonl", data)
        counts.append(data.headline(np.array([data.count(e, answers[e.id]) for e in data.examples], float)))
    low, high = found.interval(0, "ita_med_qa_med_ita") or (0, 0)
    assert low < 100 * statistics.ratio(counts[0].sum(0)) < high
    assert found.comparison is not None
    raw = statistics.paired_permutation(*counts)
    assert found.comparison.task_p[1, "ita_med_qa_med_ita"] >= raw - 0.02


def test_holm_is_over_all_pairs_of_a_part(built: report.RunReport) -> None:
    assert built.comparison is not None
    pairs = built.comparison.pairs["all"]
    assert len(pairs) == 6
    raw = [pair.p for pair in pairs if pair.p is not None]
    assert [pair.p_holm for pair in pairs] == pytest.approx(statistics.holm(raw).tolist())
    assert all(0 < pair.wilcoxon <= pair.wilcoxon_holm <= 1 for pair in pairs)


def test_a_pair_turns_round(built: report.RunReport) -> None:
    assert built.comparison is not None
    pair = built.comparison.pairs["all"][0]
    other = pair.seen_from(pair.second)
    assert (other.difference, other.wins, other.losses) == (-pair.difference, pair.losses, pair.wins)
    assert pair.low is not None
    assert pair.high is not None
    assert (other.low, other.high) == (-pair.high, -pair.low)
    assert other.seen_from(pair.first) == pair


def test_a_partial_run_is_marked_has_no_avg_and_its_other_tasks_are_named(built: report.RunReport) -> None:
    assert built.rows[3].partial("all")
    assert built.rows[3].average("all") is None
    found = tables(built)
    line = found[0].lines[4]
    assert line[1] == "floor [partial]"
    assert line[7] == NONE
    assert line[-1] == "2/5 partial"
    assert any("3 tasks not compared" in note and "ita_med_re_clinkart" in note for note in found[1].notes)
    pair = built.delta("all", 3)
    assert pair is not None
    assert (len(pair.tasks), pair.difference, pair.p) == (2, 0, 1), "the same answers on the tasks that both ran"


def test_runs_without_a_common_task_are_not_compared(runs: Path, tmp_path: Path) -> None:
    evaluate(Run("baseline", "kind=random"), ["ner_e3c_disorder"], tmp_path / "ner", "embedded")
    found = report.build([runs / "partial", tmp_path / "ner"])
    assert found.comparison is not None
    assert found.comparison.pairs["all"] == []
    assert found.delta("all", 1) is None
    for form in report.FORMATS:
        assert report.render(found, form)


def test_one_run_has_intervals_and_no_delta(runs: Path) -> None:
    text = report.render(report.build([runs / "knn"]), "text")
    assert "95 %" in text
    assert "delta" not in text


def test_limited_runs_are_compared_on_what_both_answered(tmp_path: Path) -> None:
    folders = [tmp_path / kind for kind in ("knn", "random")]
    for folder in folders:
        evaluate(Run("baseline", f"kind={folder.name}", limit=6), ["qa_med_ita"], folder, "embedded")
    found = report.build(folders)
    assert found.comparison is not None
    assert found.comparison.pairs["all"][0].p is not None
    assert report.LIMITED_NOTE in report.render(found, "markdown").replace("\\", "")
    lines = (folders[1] / "predictions" / "ita_med_qa_med_ita.jsonl").read_text().splitlines()
    other = load("qa_med_ita", "embedded").examples[10].id
    lines[0] = json.dumps({"id": other, "raw": "A"})
    (folders[1] / "predictions" / "ita_med_qa_med_ita.jsonl").write_text("\n".join(lines))
    with pytest.raises(ItaMedError, match="different documents"):
        report.build(folders)


def test_a_whole_and_a_limited_run_are_refused(runs: Path, tmp_path: Path) -> None:
    evaluate(Run("baseline", "kind=majority", limit=6), ["qa_med_ita"], tmp_path / "limited", "embedded")
    with pytest.raises(ItaMedError, match=r"cannot be compared on ita_med_qa_med_ita: \d+ and 6 documents"):
        report.build([runs / "knn", tmp_path / "limited"])


def test_five_families_without_all_tasks_are_partial_too(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = report.read_run(runs / "knn")
    assert row.average("all") is not None
    six = [*catalogue.tasks(), catalogue.task("arg_abstrct")]
    monkeypatch.setattr(catalogue, "tasks", lambda *, ready=False: six)
    assert row.partial("all")
    assert row.average("all") is None


# --- what is refused, and what is said


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("results.json", {"benchmark_version": "0.0"}, "benchmark versions"),
        ("results.json", {"synthetic": False}, "synthetic sample"),
        ("manifest.json", {"data": {"ita_med_qa_med_ita": "mirror:123"}}, "data differ"),
    ],
)
def test_runs_on_other_data_or_of_another_version_are_refused(
    runs: Path, tmp_path: Path, file: str, change: dict[str, Any], message: str
) -> None:
    if "data" in change:
        known = json.loads((runs / "knn" / file).read_text())["data"]
        change = {"data": known | change["data"]}
    other = edit(runs / "knn", tmp_path / "other", file, change)
    result = runner.invoke(make_app(), ["report", str(runs / "majority"), str(other)])
    assert isinstance(result.exception, ItaMedError)
    assert re.search(f"cannot be compared.*{message}", str(result.exception))


def test_without_the_gold_data_stored_scores_are_shown_and_it_is_said(runs: Path, tmp_path: Path) -> None:
    known = json.loads((runs / "knn" / "manifest.json").read_text())["data"]
    moved = {task: place.replace("embedded", "mirror") + "0" for task, place in known.items()}
    folders = []
    for name in ("knn", "majority"):
        folder = edit(runs / name, tmp_path / name, "manifest.json", {"data": moved})
        folders.append(edit(folder, tmp_path / f"{name}-real", "results.json", {"synthetic": False}))
    found = report.build(folders)
    text = report.render(found, "text")
    assert "NO SIGNIFICANCE" in text
    assert "--mirror" in text
    assert "±" in text
    assert "*" not in text.split("* p <")[0]
    assert found.comparison is not None
    assert found.comparison.pairs["all"][0].p is None
    assert found.comparison.pairs["all"][0].wilcoxon <= 1
    for form in report.FORMATS:
        assert "nan" not in report.render(found, form).lower().split("plotly.js")[0]


def test_results_that_the_predictions_do_not_bear_out_are_corrected_and_named(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "boasting"
    shutil.copytree(runs / "knn", copy)
    results = json.loads((copy / "results.json").read_text())
    results["tasks"]["ita_med_qa_med_ita"]["score"] = 0.99
    (copy / "results.json").write_text(json.dumps(results))
    found = report.build([copy])
    assert found.rows[0].scores["ita_med_qa_med_ita"] < 99
    assert "results.json says 99.00" in report.render(found, "text")


def test_the_baseline_is_found_by_folder_model_or_method(runs: Path) -> None:
    folders = [runs / "knn", runs / "majority"]
    assert report.build(folders, baseline="majority").baseline == 1
    assert report.build(folders).baseline == 0
    with pytest.raises(ItaMedError, match=r'no single run is called "floor".*"knn", "majority"'):
        report.build(folders, baseline="floor")


def test_a_run_named_twice_and_a_broken_run_are_one_line(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="named twice"):
        report.build([runs / "knn", runs / "knn"])
    with pytest.raises(ItaMedError, match=r"manifest\.json is not as"):
        report.build([edit(runs / "knn", tmp_path / "broken", "manifest.json", {"model": None})])
    with pytest.raises(ItaMedError, match="is no run"):
        report.build([tmp_path])
    shutil.copytree(runs / "knn", tmp_path / "again")
    again = report.build([runs / "knn", tmp_path / "again"])
    assert [row.method for row in again.rows] == ["floor [knn]", "floor [again]"]
    pair = again.delta("all", 1)
    assert pair is not None
    assert (pair.difference, pair.low, pair.high, pair.p, pair.wilcoxon) == (0, 0, 0, 1, 1)


# --- formats


def first_table(built: report.RunReport) -> list[list[str]]:
    return tables(built)[0].lines


HOSTILE = r"=cmd|' /C calc'!A0 & 50% _x_ {y} \z ~ ^ $ # <b>[l](u)*"


def hostile(built: report.RunReport) -> report.RunReport:
    built.rows[0].name = HOSTILE
    return built


def test_markdown_reads_back(built: report.RunReport) -> None:
    page = report.render(hostile(built), "markdown")
    lines = [line for line in page.splitlines() if line.startswith("|")][: 1 + 1 + 4]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    plain = [[re.sub(r"\\(.)", r"\1", cell.strip()).replace("&amp;", "&") for cell in row] for row in cells]
    assert [plain[0], *plain[2:]] == first_table(built)
    assert "<b>" not in page.replace("\\<", "")
    assert as_markdown.escape("a|b_c") == r"a\|b\_c"


def test_latex_reads_back(built: report.RunReport) -> None:
    page = report.render(hostile(built), "latex")
    body = page[page.index(r"\toprule") : page.index(r"\bottomrule")]
    rows = [line.removesuffix(r" \\") for line in body.splitlines() if line.endswith(r"\\")]
    cells = [[_plain(cell.strip()) for cell in re.split(r"(?<!\\)&", row)] for row in rows]
    assert cells == first_table(built)
    assert page.count(r"\begin{table}") == page.count(r"\end{table}") == len(tables(built))
    for line in page.splitlines():
        if not line.startswith("%"):
            assert not re.search(r"(?<!\\)[%#_~^]", line)
            assert len(re.findall(r"(?<!\\)\{", line)) == len(re.findall(r"(?<!\\)\}", line))
    assert page.count(report.SYNTHETIC_NOTE) == len(tables(built)) + 1, "in every caption"


def _plain(cell: str) -> str:
    for sign, written in as_latex.SIGNS.items():
        if sign not in "&%$#_{}\\":
            cell = cell.replace(written, sign)
    cell = re.sub(r"\\textsuperscript\{(\*+)\}", r"\1", cell).replace("$-$", "-")
    cell = cell.replace(r"\textbackslash{}", "\0")
    return re.sub(r"\\([&%$#_{}])", r"\1", cell).replace("\0", "\\")


def test_csv_reads_back(built: report.RunReport) -> None:
    rows = list(csv.DictReader(io.StringIO(report.render(hostile(built), "csv"))))
    average = next(r for r in rows if (r["model"], r["measure"], r["part"]) == ("random", "AVG", "all"))
    pair = built.delta("all", 2)
    assert pair is not None
    assert pair.p_holm is not None
    assert float(average["delta"]) == pytest.approx(pair.difference, rel=1e-4)
    assert float(average["p_holm"]) == pytest.approx(pair.p_holm, rel=1e-4)
    assert float(average["score"]) == pytest.approx(built.rows[2].average("all"), rel=1e-4)
    assert {r["synthetic"] for r in rows} == {"1"}
    assert rows[0]["model"] == f"'{HOSTILE}", "no formula for a spreadsheet"
    tasks = {r["measure"] for r in rows if r["measure"].startswith("ita_med_")}
    assert tasks == set(built.tasks)


def test_json_reads_back(built: report.RunReport) -> None:
    found = json.loads(report.render(built, "json"))
    assert found["baseline"] == built.rows[1].label
    assert len(found["pairs"]["all"]) == 6
    part = found["runs"][3]["parts"]["all"]
    assert part == {"families": built.rows[3].families("all"), "avg": None, "partial": True}
    assert report.SYNTHETIC_NOTE in found["notes"]


class Tables(HTMLParser):
    """Cells of the tables of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.tables[-1][-1][-1] += data


def test_html_reads_back_and_has_both_figures(built: report.RunReport) -> None:
    page = report.render(hostile(built), "html")
    parser = Tables()
    parser.feed(page)
    assert parser.tables[0] == first_table(built)
    assert len(parser.tables) == len(tables(built))
    assert page.count("Plotly.newPlot(") == 2, "families, and score against seconds"
    assert "seconds per document" in page
    assert 'src="http' not in page
    assert "<b>[l]" not in page
    assert report.SYNTHETIC_NOTE in page


def test_a_run_without_times_has_no_time_table(built: report.RunReport) -> None:
    for row in built.rows:
        row.seconds = None
    assert "Time" not in [table.title for table in tables(built)]
    assert report.render(built, "html").count("Plotly.newPlot(") == 1


def test_an_unknown_format_writes_nothing(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.txt"
    result = runner.invoke(make_app(), ["report", str(runs / "knn"), "--format", "word", "--out", str(out)])
    assert 'no format is called "word"' in str(result.exception)
    assert not out.exists()


def test_the_command_writes_the_file(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.md"
    names = [str(runs / name) for name in ("knn", "majority")]
    result = runner.invoke(make_app(), ["report", *names, "--id-only", "--format", "markdown", "--out", str(out)])
    assert result.exit_code == 0, result.exception
    assert result.stdout == ""
    page = out.read_text("utf-8")
    assert "In distribution" in page
    assert "Out of distribution" not in page
    assert "qa\\_med\\_ita" not in page, "an OOD task"
    assert [path.name for path in tmp_path.iterdir()] == ["r.md"]


# --- reference rows

PRINTED = """
medgemma-27b | 4-shot + CD | 52.4 | 62.2 | 8.9 | 83.2 | 62.6 | 53.8 | |
Qwen3-32B | 4-shot | 49.7 | 63.3 | 11.5 | 82.8 | 66.3 | 54.7 | |
gemma-3-1b-pt | CPT, FT | 48.0 | 42.5 | 5.6 | 19.2 | 57.5 | 34.6 | -20.1 | *
gemma-3-1b-it | CPT, FT | 53.6 | 65.8 | 47.2 | 61.8 | 68.7 | 59.4 | +4.7 | *
Llama-3.2-1B | CPT, FT | 47.8 | 34.6 | 20.8 | 37.6 | 74.8 | 43.1 | -11.6 | *
Llama-3.2-1B-Instruct | CPT, FT | 59.7 | 64.7 | 27.5 | 43.2 | 73.8 | 53.8 | -0.9 | ***
Qwen3-1.7B-Base | CPT, FT | 59.4 | 70.3 | 18.3 | 52.8 | 74.0 | 55.0 | +0.3 | *
Qwen3-1.7B | FT | 61.5 | 67.4 | 25.3 | 57.6 | 77.6 | 57.9 | +3.2 | **
Llama-3.2-1B-Instruct | FT | 62.2 | 73.7 | 33.2 | 60.8 | 79.4 | 61.9 | +7.2 | ***
"""


def test_the_reference_rows_are_those_printed(built: report.RunReport) -> None:
    built.reference = reference.load()
    table = tables(built)[-1]
    assert table.lines[1:] == [[cell.strip() for cell in line.split("|")] for line in PRINTED.strip().splitlines()]
    assert "not re-run, other task list" in table.title
    assert "riportato in arXiv 2602.17475, non rieseguito, altra lista di task" in table.notes[0]
    assert any("twice" in note for note in table.notes)


def test_the_reference_rows_are_internally_consistent() -> None:
    found = reference.load()
    baseline = next(row for row in found.rows if f"{row.model}, {row.method}" == found.baseline)
    for row in found.rows:
        assert sum(row.families.values()) / 5 == pytest.approx(row.avg, abs=0.061)
        if row.delta is not None:
            assert row.avg - baseline.avg == pytest.approx(row.delta, abs=0.05)


def test_the_reference_never_enters_a_ranking(built: report.RunReport) -> None:
    before = [table.lines for table in tables(built)]
    built.reference = reference.load()
    assert [table.lines for table in tables(built)][:-1] == before
    assert "reference" in json.loads(report.render(built, "json"))
    sources = {row["source"] for row in csv.DictReader(io.StringIO(report.render(built, "csv")))}
    assert sources == {"ita-med", "arXiv 2602.17475 (reported in arXiv 2602.17475, not re-run, other task list)"}


def test_the_reference_alone() -> None:
    result = runner.invoke(make_app(), ["report", "--reference"])
    assert result.exit_code == 0, result.exception
    assert "medgemma-27b" in result.stdout
    assert runner.invoke(make_app(), ["report"]).exit_code != 0
