"""Tables and figures from made-up submission folders; hostile and missing ones are one line."""

from __future__ import annotations

import csv
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ita_med.cli import make_app
from ita_med.errors import ItaMedError, MissingPackage
from ita_med.tasks.benchmark.task_data import load
from ita_med.training.studies import study as studies
from ita_med.training.studies import study_folder
from ita_med.training.studies.costs import flops, prices, usage
from ita_med.training.studies.findings import report, scores, show_sizes
from ita_med.training.studies.findings.systems import MeanDifference
from tests.training.studies.conftest import MakeUp

pytestmark = pytest.mark.slow

NER, QA, ARG = "ita_med_ner_e3c_disorder", "ita_med_qa_med_ita", "ita_med_arg_abstrct"
GLAUCOMA, MIXED = f"{ARG}_glaucoma", f"{ARG}_mixed"


def study(kind: str, **more: Any) -> studies.Study:
    return studies.from_dict({"kind": kind, "runs": ["elsewhere"]} | more, "test")


def made(kind: str, out: Path, lang: str = "en", **more: Any) -> Any:
    return report.make(study(kind, **more), out, mirror="embedded", lang=lang)


@pytest.fixture
def curve(made_up: MakeUp, tmp_path: Path) -> Path:
    for size, share in (("25", 0.3), ("50", 0.5), ("100", 0.85), ("200", 0.9), ("all", 0.9)):
        for seed in range(3):
            made_up(f"small_{size}_{seed}", {NER: share, ARG: share / 2}, size=size, seed=seed)
    return tmp_path / "study"


def check_files(out: Path) -> None:
    root = ET.parse(out / "figure.svg").getroot()
    assert root.tag.endswith("svg")
    texts = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert all(text.strip() for text in texts)
    html = (out / "figure.html").read_text()
    assert "<figcaption>" in html
    assert "https://cdn" not in html.lower().partition("plotly.js v")[0], "nothing is loaded from elsewhere"
    with (out / "table.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == len(json.loads((out / "table.json").read_text())["records"])
    assert r"\begin{table}" in (out / "table.tex").read_text()
    assert "SYNTHETIC" in (out / "table.md").read_text()


def test_a_curve_answers_how_many_examples(curve: Path) -> None:
    found = made("learning-curve", curve)
    check_files(curve)
    assert len(found.records) == 10
    (ner,) = (a for a in found.answers if NER in a)
    assert "of the 400 examples, 100 are enough not to be told from all" in ner
    by_size = {r["size"]: r for r in found.records if r["task"] == NER}
    assert [by_size[s]["examples"] for s in ("25", "100", "all")] == [25, 100, 400]
    run = load(NER, "embedded")
    assert by_size["25"]["mean"] == pytest.approx(
        sum(100 * json.loads((curve / "runs" / f"small_25_{k}" / "results.json").read_text())["tasks"][NER]["score"]
            for k in range(3)) / 3
    )  # fmt: skip
    assert run.task.id == NER
    assert by_size["25"]["documents_low"] < by_size["25"]["mean"] < by_size["25"]["documents_high"]
    svg = (curve / "figure.svg").read_text()
    assert "training examples (log scale)" in svg
    assert "score (points)" in svg


def test_systems_of_one_curve_are_compared_at_equal_size(curve: Path, made_up: MakeUp) -> None:
    for size, share in (("25", 0.3), ("100", 0.2)):
        made_up(f"other_{size}", {NER: share}, size=size, model="org/other")
    found = made("learning-curve", curve)
    check_files(curve)
    (table,) = (t for t in found.tables if "equal size" in t.title)
    assert [line[:3] for line in table.lines[1:]] == [[size, "other, FT", "small, FT"] for size in ("25", "100")]
    pairs = {r["size"]: r for r in found.records if "against" in r}
    means = {(r["system"], r["size"]): r["mean"] for r in found.records if r["task"] == NER and "mean" in r}
    for size, pair in pairs.items():
        assert pair["difference"] == pytest.approx(means["other, FT", size] - means["small, FT", size])
    assert pairs["25"]["difference_low"] < 0 < pairs["25"]["difference_high"], "as many right answers on both sides"
    assert pairs["100"]["difference_high"] < 0


def test_figures_speak_italian(curve: Path) -> None:
    made("learning-curve", curve, lang="it")
    svg = (curve / "figure.svg").read_text()
    assert "Quanti esempi bastano?" in svg
    assert "DATI SINTETICI" in svg
    with pytest.raises(ItaMedError, match='no language "de"'):
        made("learning-curve", curve, lang="de")


def test_seeds_that_are_not_finished_are_said(curve: Path) -> None:
    (curve / "runs" / "small_25_1" / "manifest.json").unlink()
    found = made("learning-curve", curve)
    assert any("NOT ALL SEEDS" in note for note in found.notes)


def test_small_against_large_by_difficulty(curve: Path, made_up: MakeUp) -> None:
    made_up("large_32b", {NER: 0.55, ARG: 0.9}, method="4-shot", model="org/large", block=False)
    found = made("small-vs-large", curve, metric="f1_macro")
    check_files(curve)
    assert [panel.title.partition(" (")[0] for panel in found.figure.panels] == ["arg_abstrct", "ner_e3c_disorder"]
    (ner,) = (a for a in found.answers if NER in a)
    assert "not worse from 50 on, better from 100 on" in ner
    (arg,) = (a for a in found.answers if ARG in a)
    assert "better from no size on" in arg
    assert {r["large"] for r in found.records} == {"large, 4-shot"}


def test_crossing_by_hand() -> None:
    sizes = ["25", "50", "100", "all"]
    d = [MeanDifference(-9, -12, -6), MeanDifference(1, -1, 3), MeanDifference(4, 2, 6), MeanDifference(5, 3, 7)]
    assert show_sizes.crossing(sizes, d) == show_sizes.Crossing("50", "100")
    d[3] = MeanDifference(-5, -7, -3)
    assert show_sizes.crossing(sizes, d) == show_sizes.Crossing(None, None), "what a larger size loses does not count"


def test_ways_to_adapt(made_up: MakeUp, tmp_path: Path) -> None:
    for method, share in (("zero-shot", 0.1), ("4-shot", 0.4), ("zero-shot + CD", 0.2), ("4-shot + CD", 0.5)):
        made_up(method.replace(" ", ""), {NER: share, QA: share}, method=method)
    for seed in range(3):
        made_up(f"ft{seed}", {NER: 0.9, QA: 0.8}, size="all", seed=seed)
    found = made("adaptation", tmp_path / "study")
    check_files(tmp_path / "study")
    means = [r for r in found.records if r["measure"] == "mean"]
    assert [r["system"] for r in means] == [
        f"small, {m}" for m in ("zero-shot", "4-shot", "zero-shot + CD", "4-shot + CD", "FT")
    ]
    assert means[-1]["seeds"] == 3
    assert means[-1]["difference_low"] > 0
    assert found.answers[0].startswith("Best: small, FT")
    assert [panel.title for panel in found.figure.panels] == ["mean of family means", "NER", "QA"]


def test_drops_out_of_distribution(made_up: MakeUp, tmp_path: Path) -> None:
    made_up("prompted", {ARG: 0.5, GLAUCOMA: 0.5, MIXED: 0.5}, method="4-shot")
    for seed in range(2):
        made_up(f"ft{seed}", {ARG: 0.95, GLAUCOMA: 0.4, MIXED: 0.4}, size="all", seed=seed)
    found = made("ood", tmp_path / "study")
    check_files(tmp_path / "study")
    (whole,) = (r for r in found.records if r["pair"] == "all pairs" and "FT" in r["system"])
    parts = [r for r in found.records if r["pair"] != "all pairs" and "FT" in r["system"]]
    assert whole["drop"] == pytest.approx(sum(r["drop"] for r in parts) / 2)
    assert whole["drop"] == pytest.approx(whole["id"] - whole["ood"])
    assert whole["drop_low"] > 0
    assert whole["against_first_low"] < whole["against_first"] < whole["against_first_high"]
    assert len(found.figure.panels) == 3


def test_costs_and_break_even(made_up: MakeUp, tmp_path: Path) -> None:
    n = len(load(NER, "embedded").examples)
    made_up("small", {NER: 0.9}, size="100", seconds=3.6 * n)
    made_up("large_api", {NER: 0.6}, method="4-shot", model="org/large", prompt_tokens=1000, seconds=n)
    prices = {"small_hour": 1.0, "large_million_input": 5.0, "large_million_output": 10.0, "example": 2.0}
    found = made("cost", tmp_path / "study", prices=prices)
    check_files(tmp_path / "study")
    records = {r["trained"]: r for r in found.records}
    assert records[1]["eur_per_1000"] == pytest.approx(1.0), "3.6 s a document at 1 € an hour"
    assert records[0]["eur_per_1000"] == pytest.approx(1000 * (1000 * 5 + 10 * 10) / 1e6)
    assert records[1]["eur_training"] == pytest.approx(1.0 + 200.0), "an hour of training and 100 examples at 2 €"
    assert f"cheaper from {int(1000 * 201 / (5.1 - 1.0)) + 1:,} documents on" in found.answers[0]
    assert "67 %" in (tmp_path / "study" / "table.md").read_text(), "what LoRA saves"


def test_without_prices_and_configurations_there_is_no_cost(made_up: MakeUp, tmp_path: Path) -> None:
    made_up("elsewhere", {NER: 0.6}, method="4-shot", block=False)
    with pytest.raises(ItaMedError, match="neither operations nor prices"):
        made("cost", tmp_path / "study")
    with pytest.raises(ItaMedError, match="expected RUN=FOLDER"):
        made("cost", tmp_path / "study", configs=["nobody=x"])
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
                                  "intermediate_size": 16, "vocab_size": 99}))  # fmt: skip
    (record,) = made("cost", tmp_path / "study", configs=[f"elsewhere={tmp_path}"]).records
    assert record["flops"] > 2 * flops.read_config(tmp_path).layer_flops * record["tokens_read"] * 0.9


def test_a_tokenizer_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else tokens would be guessed from characters, on one machine and not on another."""
    assert usage.load_tokenizer(tmp_path) is None, "there is none"
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPackage, match=r"ita-med\[train\]"):
        usage.load_tokenizer(tmp_path)


def test_break_even_by_hand() -> None:
    assert prices.break_even(10.0, 1.0, 6.0) == 2001, "at 2,000 documents both have cost 12 €"
    assert prices.break_even(10.0, 6.0, 6.0) is None
    assert prices.break_even(0.0, 1.0, 6.0) == 0
    use = prices.Usage(100, seconds=50.0, joules=3.6e6)
    assert prices.per_thousand(use, studies.Prices(kwh=0.3), large=False) == pytest.approx(3.0)
    assert prices.per_thousand(use, studies.Prices(), large=False) is None
    assert prices.fixed(prices.Usage(100), studies.Prices()) == 0
    assert prices.fixed(prices.Usage(100, train_flops=1.0, examples=5), studies.Prices(small_hour=1.0)) is None, (
        "time not known"
    )


# ----- what users get wrong ------------------------------------------------------------------------------------------


def damaged(folder: Path, change: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_damaged_folders_are_one_line(curve: Path) -> None:
    folder = curve / "runs" / "small_25_0"
    good = (folder / "manifest.json").read_text()
    for change, message in (
        (lambda m: m["study"].pop("cell"), "not as a study writes it"),
        (lambda m: m["study"]["cell"].update(extra=1), "not as a study writes it"),
        (lambda m: m.update(study=[]), "not as a study writes it"),
        (lambda m: m["data"].update({NER: "mirror:000000000000"}), "cannot be compared"),
        (lambda m: m.pop("model"), "not as ita-med eval writes it"),
    ):
        damaged(folder, change)
        with pytest.raises(ItaMedError, match=message):
            made("learning-curve", curve)
        (folder / "manifest.json").write_text(good)
    (folder / "predictions" / f"{NER}.jsonl").unlink()
    with pytest.raises(ItaMedError, match="no such predictions file"):
        made("learning-curve", curve)


def test_names_of_others_are_only_text(made_up: MakeUp, tmp_path: Path) -> None:
    for size in ("25", "all"):
        made_up(f"x{size}", {NER: 0.5}, size=size, model="o/<script>alert(1)</script>\x00 & co")
    made("learning-curve", tmp_path / "study")
    check_files(tmp_path / "study")
    for name in ("figure.svg", "table.md"):
        assert "<script>alert" not in (tmp_path / "study" / name).read_text()
    assert "<script>alert" not in (tmp_path / "study" / "figure.html").read_text().rpartition("</script>\n")[2]
    made_up("y", {NER: 0.5}, method="4-shot", model="<b>&")
    made("adaptation", tmp_path / "study")
    check_files(tmp_path / "study")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("learning-curve", "no finished run of a trained model"),
        ("small-vs-large", "no large model"),
        ("ood", "no pair of tasks"),
    ],
)
def test_runs_that_do_not_fit_the_question(kind: str, message: str, made_up: MakeUp, tmp_path: Path) -> None:
    made_up("prompted", {NER: 0.5}, method="4-shot")
    with pytest.raises(ItaMedError, match=message):
        made(kind, tmp_path / "study")


def test_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="holds no finished run"):
        scores.read(tmp_path)
    with pytest.raises(ItaMedError, match=r"study\.json is missing"):
        study_folder.stored(tmp_path)
    with pytest.raises(ItaMedError, match=r"manifest\.json is missing"):
        study_folder.bring_in(tmp_path, tmp_path / "out", "run")


def test_runs_made_elsewhere_are_copied_once(made_up: MakeUp, tmp_path: Path) -> None:
    source = made_up("theirs", {NER: 0.5}, root=tmp_path / "elsewhere", block=False)
    (tmp_path / "out" / "runs").mkdir(parents=True)
    target = study_folder.bring_in(source, tmp_path / "out", "large")
    assert target.name == "large_theirs"
    assert study_folder.bring_in(source, tmp_path / "out", "large") == target
    (source / "results.json").write_text("{}")
    with pytest.raises(ItaMedError, match="holds another run"):
        study_folder.bring_in(source, tmp_path / "out", "large")


def test_the_command_reads_yaml_and_reports(curve: Path, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("kind: learning-curve\nrecipes: []\nruns: [nowhere]\nsizes: [25, all]\nseeds: [0]\n")
    with pytest.raises(ItaMedError, match="is no run of ita-med eval"):
        CliRunner().invoke(
            make_app(), ["study", "run", str(file), "--out", str(tmp_path / "new")], catch_exceptions=False
        )
    (curve / "study.json").write_text(json.dumps({"kind": "learning-curve", "runs": ["x"]}))
    done = CliRunner().invoke(make_app(), ["study", "report", str(curve), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["records"]) == 10
    file.write_text("kind: [")
    with pytest.raises(ItaMedError, match="is no YAML"):
        studies.load(file)
