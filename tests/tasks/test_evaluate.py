"""`ita-med eval` and `ita-med report` on the embedded mirror with the baselines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ita_med import catalogue
from ita_med.cli import make_app
from ita_med.errors import ItaMedError
from ita_med.tasks import report
from ita_med.tasks.evaluate import Run, evaluate, expand, score_folder

runner = CliRunner()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "knn"
    evaluate(Run("baseline", "kind=knn"), ["ita_med"], out, "embedded")
    return out


def test_the_submission_folder_is_complete(run_folder: Path) -> None:
    ready = {task.id for task in catalogue.tasks(ready=True)}
    assert {path.stem for path in (run_folder / "predictions").iterdir()} == ready
    manifest = json.loads((run_folder / "manifest.json").read_text())
    assert all(data.startswith("embedded:") for data in manifest["data"].values())
    assert set(manifest["prompts_sha256"]) == ready
    results = json.loads((run_folder / "results.json").read_text())
    assert results["synthetic"]
    assert not results["limited"]
    assert set(results["tasks"]) == ready


def test_scoring_the_folder_again_gives_its_results(run_folder: Path) -> None:
    again = score_folder(run_folder, mirror="embedded", strict=True)
    stored = json.loads((run_folder / "results.json").read_text())
    assert again["tasks"] == stored["tasks"]


def test_the_report_shows_families_parts_and_the_synthetic_note(run_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = runner.invoke(make_app(), ["report", str(run_folder), "--html", str(page)])
    assert result.exit_code == 0, result.output
    assert report.SYNTHETIC_NOTE in result.stdout
    assert "In distribution" in result.stdout
    html = page.read_text("utf-8")
    assert report.SYNTHETIC_NOTE in html
    assert "Plotly.newPlot" in html
    assert 'src="http' not in html, "the page must need nothing else"


def test_family_means_and_avg_are_plain_means(run_folder: Path) -> None:
    row = report.read_run(run_folder)
    means = row.families("all")
    ner = [score for task, score in row.scores.items() if "_ner_" in task]
    assert means["ner"] == pytest.approx(sum(ner) / len(ner))
    found = report.as_dict([row])["runs"][0]["parts"]["all"]
    assert found["avg"] == pytest.approx(sum(means.values()) / 5)
    row.scores = {task: score for task, score in row.scores.items() if "_re_" not in task}
    assert report.as_dict([row])["runs"][0]["parts"]["all"]["avg"] is None, "no AVG without all five families"


def test_a_limited_run_says_so(tmp_path: Path) -> None:
    out = tmp_path / "limited"
    results = evaluate(Run("baseline", "kind=majority", limit=3), ["qa_med_ita"], out, "embedded")
    assert results["limited"]
    assert results["tasks"]["ita_med_qa_med_ita"]["n"] == 3
    assert report.LIMITED_NOTE in report.text([report.read_run(out)])


def test_tasks_without_data_are_left_out_and_named(tmp_path: Path) -> None:
    from ita_med.dataset_builders import build

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "med_ita").symlink_to(build.folder("med_ita") / "sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ITA_MED_UNPINNED", "1")
        out = tmp_path / "run"
        results = evaluate(Run("baseline", "kind=random"), ["ita_med"], out, str(mirror))
        assert set(results["tasks"]) == {"ita_med_qa_med_ita"}
        left_out = json.loads((out / "manifest.json").read_text())["left_out"]
        assert len(left_out) == len(catalogue.tasks(ready=True)) - 1
        assert "e3c" in left_out["ita_med_crf_e3c"]
        assert str(tmp_path) not in (out / "manifest.json").read_text(), "a path of this machine in the manifest"
        with pytest.raises(ItaMedError, match="e3c"):
            evaluate(Run("baseline", "kind=random"), ["crf_e3c"], tmp_path / "other", str(mirror))
        assert not (tmp_path / "other").exists()


def test_names_expand_in_benchmark_order() -> None:
    names, grouped = expand(["ita_med_ood", "re_clinkart"])
    assert names[0] == "ita_med_re_clinkart"
    assert set(names[1:]) == {t.id for t in catalogue.tasks(ready=True) if t.distribution == "ood"}
    assert grouped
    with pytest.raises(ItaMedError, match="no task is called"):
        expand(["ita_med_nerr"])


def test_a_folder_that_is_not_empty_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ItaMedError, match="not empty"):
        evaluate(Run("baseline"), ["qa_med_ita"], tmp_path, "embedded")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_crash_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="oracle"):
        evaluate(Run("baseline", "kind=oracle"), ["qa_med_ita"], tmp_path / "run", "embedded")
    assert not list(tmp_path.iterdir())


def test_an_unknown_model_type_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match='no model type is called "hff"'):
        evaluate(Run("hff"), ["qa_med_ita"], tmp_path / "run", "embedded")
