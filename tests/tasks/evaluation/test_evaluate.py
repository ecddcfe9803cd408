"""`ita-med eval` and `ita-med report` on the embedded mirror with the baselines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import lm_eval.models  # noqa: F401  registers lm-eval's own models before ours
import pytest
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from typer.testing import CliRunner

from ita_med import catalogue
from ita_med.cli import make_app
from ita_med.errors import ItaMedError
from ita_med.tasks import report
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.evaluation import prompt_requests
from ita_med.tasks.evaluation.eval_run import Run
from ita_med.tasks.evaluation.evaluate import evaluate, expand, score_folder
from ita_med.tasks.families.json_answer import MAX_CHARACTERS

pytestmark = pytest.mark.slow

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


def test_the_dummy_of_lm_eval_needs_no_network(tmp_path: Path) -> None:
    """Its tokenizer is a Hub model's, which nothing here asks for."""
    results = evaluate(Run("dummy", limit=2), ["ita_med"], tmp_path / "dummy", "embedded")
    assert set(results["tasks"]) == {task.id for task in catalogue.tasks(ready=True)}
    assert {speed["generated_tokens"] for speed in results["speed"].values()} == {None}


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


# --- prompts


def chat(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    return json.dumps(messages)


@pytest.mark.parametrize(("shots", "template"), [(0, None), (4, None), (8, None), (0, chat), (3, chat)])
def test_prompts_and_settings_are_those_that_lm_eval_makes(
    shots: int, template: Any, embedded: dict[str, TaskData], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval.tasks import TaskManager

    from ita_med.tasks.benchmark import lm_eval_files

    monkeypatch.setenv("ITA_MED_MIRROR", "embedded")
    manager = TaskManager(include_path=str(lm_eval_files.FOLDER), include_defaults=False)
    for name, task in manager.load(["ita_med"])["tasks"].items():
        task.set_config("num_fewshot", shots)
        options = {"apply_chat_template": True, "fewshot_as_multiturn": True, "chat_template": chat} if template else {}
        task.build_all_requests(limit=3, rank=0, world_size=1, **options)
        own = prompt_requests.build(embedded[name], shots=shots, limit=3, template=template)
        assert [(r.prompt, r.kwargs, r.id) for r in own] == [(*i.args, i.doc["id"]) for i in task.instances]


@pytest.mark.parametrize(
    ("more", "expected"), [("", "26 Jul 2024 False"), (",enable_thinking=True", "26 Jul 2024 True")]
)
def test_chat_templates_are_pinned(tiny_model: Path, more: str, expected: str) -> None:
    from ita_med.tasks.evaluation import model

    lm = model.load("hf", f"pretrained={tiny_model}{more},think_end_token=x", batch_size="auto", device="cpu", seed=0)
    lm.tokenizer.chat_template = "{{ date_string }} {{ enable_thinking }}"
    assert lm.apply_chat_template([{"role": "user", "content": ""}]) == expected
    assert lm.batch_size == model.CPU_BATCH


def test_16_bit_numbers_that_the_cpu_is_slow_with_are_named(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from ita_med.tasks.evaluation import cpu_speed, model

    def load(dtype: str) -> str:
        model.load("hf", f"pretrained={tiny_model},dtype={dtype}", batch_size="1", device="cpu", seed=0)
        return capsys.readouterr().err

    seconds = {"torch.bfloat16": 60.0, "torch.float16": 1.5, "torch.float32": 1.0}
    monkeypatch.setattr(cpu_speed, "_product_seconds", lambda dtype: seconds[str(dtype)])
    assert "60 times slower in bfloat16" in load("bfloat16")
    assert "slower" not in load("float16")
    assert "slower" not in load("float32")
    monkeypatch.undo()
    assert 0 < cpu_speed._product_seconds(torch.float32) < 1


# --- models that misbehave


class Hostile(LM):
    """Answers with whatever a text can hold."""

    outputs: ClassVar[list[Any]] = [
        "", " ", "x" * 1_000_000, '{"a":' * 100_000, "[" * 100_000,
        '{"scheda": ' * 500 + "1" + "}" * 500, "\ud800 testo \udfff",
        '{"disturbo": ["\\ud800"]}', b"\xff\xfe{", None, '{"disturbo": [NaN]}', '{"risposta": NaN}',
        '{"scheda": {"a": Infinity}}',
        '{"disturbo": ["a"], "disturbo": ["b"]}', '{"risposta": "A", "risposta": "B"}',
        '{"scheda": {"a": "1", "a": "2"}}',
        "\x00\x01\x1b[31m\u202e\u2028", '{"relazioni": [[[[]]]]}', '{"relazioni": [{}]}', '{"disturbo": {"a": 1}}',
        '{"scheda": []}', "{" * 1_000_000, '{"risposta": ["A"]}', '{"entities": [{"text": 1}]}', "\U0010ffff" * 1000,
    ]  # fmt: skip

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.prompts: list[str] = []

    def generate_until(self, requests: list[Any]) -> list[Any]:
        first = len(self.prompts)
        self.prompts += [request.args[0] for request in requests]
        return [self.outputs[n % len(self.outputs)] for n in range(first, len(self.prompts))]

    loglikelihood = loglikelihood_rolling = None


class Repeating(Hostile):
    """Says the same mentions and relations hundreds of times."""

    outputs: ClassVar[list[Any]] = [
        json.dumps({"disturbo": ["febbre"] * 2000, "fattore_di_rischio": ["febbre"] * 2000}),
        json.dumps({"relazioni": [{"risultato": "37", "esame": "febbre"}] * 2000}),
        '{"risposta": "A"} ' * 2000,
        json.dumps({"scheda": {f"voce {n}": "sì" for n in range(5000)}}),
    ]


register_model("hostile")(Hostile)
register_model("repeating")(Repeating)


def test_a_hostile_model_is_wrong_throughout_and_breaks_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--model", "hostile", "--mirror", "embedded", "--out", str(out), "--keep_raw"]
    done = runner.invoke(make_app(), ["eval", *options])
    assert done.exit_code == 0, done.output
    results = json.loads((out / "results.json").read_text())
    for task, scored in results["tasks"].items():
        assert scored["parse_failure"] > 0.85, task
        assert scored["score"] < 0.1, task
        assert scored["missing"] == scored["unknown"] == scored["duplicate"] == []
    again = score_folder(out, mirror="embedded", strict=True)
    assert again["tasks"] == results["tasks"]
    raw = [json.loads(line)["raw"] for line in (out / "raw" / "ita_med_re_clinkart.jsonl").open(newline="\n")]
    assert max(map(len, raw)) == MAX_CHARACTERS


def test_a_model_that_repeats_itself_is_scored_in_time(tmp_path: Path) -> None:
    results = evaluate(Run("repeating", limit=8), ["ita_med"], tmp_path / "run", "embedded")
    assert all(scored["score"] < 0.6 for scored in results["tasks"].values())


class Short(Hostile):
    """Takes prompts of up to 150 words; says what it was asked."""

    max_length = 24 + 150
    outputs: ClassVar[list[Any]] = ['{"risposta": "A"}']

    def tok_encode(self, text: str) -> list[str]:
        return text.split()

    def generate_until(self, requests: list[Any]) -> list[Any]:
        assert all(len(request.args[0].split()) <= 150 for request in requests), "a prompt that does not fit was asked"
        return super().generate_until(requests)


register_model("short")(Short)


def test_prompts_that_do_not_fit_are_counted_and_wrong(
    tmp_path: Path, embedded: dict[str, TaskData], capsys: pytest.CaptureFixture[str]
) -> None:
    data = embedded["ita_med_qa_med_ita"]
    lengths = sorted(len(r.prompt.split()) for r in prompt_requests.build(data, shots=2))
    Short.max_length = 24 + lengths[len(lengths) // 2]
    long = sum(n > lengths[len(lengths) // 2] for n in lengths)
    assert 0 < long < len(lengths)
    results = evaluate(Run("short", num_fewshot=2), ["qa_med_ita"], tmp_path / "run", "embedded")
    speed = results["speed"]["ita_med_qa_med_ita"]
    assert speed["too_long"] == long
    assert results["tasks"]["ita_med_qa_med_ita"]["parse_failure"] == pytest.approx(long / len(lengths))
    assert f"{long} of {len(lengths)} prompts do not fit" in capsys.readouterr().err


# --- what is recorded


def test_equal_requests_are_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ita_med.tasks.evaluation import evaluate as module

    data = load("qa_med_ita", "embedded")
    data.examples[1].question, data.examples[1].options = data.examples[0].question, data.examples[0].options
    monkeypatch.setattr(module, "available", lambda names, mirror: ([data], {}))
    made: list[Hostile] = []
    monkeypatch.setattr(Short, "__init__", lambda self, **_: (Hostile.__init__(self), made.append(self))[0])
    monkeypatch.setattr(Short, "max_length", 10_000)
    results = evaluate(Run("short"), ["qa_med_ita"], tmp_path / "run", "embedded")
    assert len(made[0].prompts) == len(set(made[0].prompts)) == len(data.examples) - 1
    speed = results["speed"]["ita_med_qa_med_ita"]
    assert (speed["documents"], speed["requests"]) == (len(data.examples), len(data.examples) - 1)
    assert speed["generated_tokens"] == 2 * speed["requests"]
    assert speed["tokens_per_second"] > speed["requests_per_second"] > 0


def test_a_run_of_a_transformers_model_says_what_it_was(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = Run("hf", f"pretrained={tiny_model},dtype=float32,max_length=900", 2, True, limit=4, device="cpu", seed=3)
    results = evaluate(run, ["qa_med_ita", "re_clinkart"], out, "embedded")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["model"] == "tiny"
    assert len(manifest["weights_sha256"]) == len(manifest["chat_template_sha256"]) == 64
    assert manifest["dtype"] == "float32"
    assert manifest["declared"]["model_type"] == "chat"
    assert manifest["declared"]["parameters"] > 0
    assert manifest["tokens_per_second"] == results["tokens_per_second"]
    assert {"torch", "transformers", "lm_eval", "ita-med"} <= set(manifest["versions"])
    assert manifest["run"]["seed"] == 3
    assert [len(ids) for ids in manifest["shots"].values()] == [2, 2]
    assert manifest["hardware"]["cpus"] > 0
    speed = results["speed"]["ita_med_qa_med_ita"]
    assert manifest["speed"]["ita_med_qa_med_ita"] == speed
    assert speed["requests"] + speed["too_long"] == 4
    assert speed["too_long"] == 4 or speed["generated_tokens"] > 0
    assert str(tiny_model.parent) not in (out / "manifest.json").read_text()


# --- a server


class Completions(BaseHTTPRequestHandler):
    """As much of an OpenAI-compatible server as lm-eval's `local-completions` uses."""

    asked: ClassVar[list[dict[str, Any]]] = []
    broken: ClassVar[bool] = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body)
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        choices = [{"index": n, "text": '{"risposta": "B"}'} for n in range(len(prompts))]
        answer = json.dumps({"choices": choices}).encode()
        self.send_response(503 if self.broken and len(self.asked) > 7 else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("tenacity", reason="lm-eval[api] is not installed")
    monkeypatch.setattr(Completions, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Completions) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/v1/completions"
        listening.shutdown()


@pytest.mark.parametrize("more", ["num_concurrent=1", "num_concurrent=4"])
def test_a_remote_server_is_asked_each_question_once(server: str, more: str, tmp_path: Path) -> None:
    given = f"model=some/model,base_url={server},tokenizer_backend=None,tokenized_requests=False,{more}"
    results = evaluate(Run("local-completions", given, 1, batch_size="1"), ["qa_med_ita"], tmp_path / "run", "embedded")
    data = load("qa_med_ita", "embedded")
    wanted = [r.prompt for r in prompt_requests.build(data, shots=1)]
    got = [
        p
        for body in Completions.asked
        for p in (body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]])
    ]
    assert sorted(got) == sorted(wanted)
    assert {body["model"] for body in Completions.asked} == {"some/model"}
    assert {body["max_tokens"] for body in Completions.asked} == {24}
    assert results["tasks"]["ita_med_qa_med_ita"]["parse_failure"] == 0
    assert results["speed"]["ita_med_qa_med_ita"]["generated_tokens"] is None


def test_a_server_that_breaks_is_one_line_and_the_run_goes_on_later(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = f"model=m,base_url={server},tokenizer_backend=None,tokenized_requests=False,max_retries=1"
    run, out = Run("local-completions", given, batch_size="1"), tmp_path / "run"
    monkeypatch.setattr(Completions, "broken", True)
    with pytest.raises(ItaMedError, match=r"server failed.*goes on"):
        evaluate(run, ["qa_med_ita"], out, "embedded")
    before = len(Completions.asked)
    monkeypatch.setattr(Completions, "broken", False)
    results = evaluate(run, ["qa_med_ita"], out, "embedded")
    n = results["tasks"]["ita_med_qa_med_ita"]["n"]
    assert len(Completions.asked) - before == n - 7, "an answer that was there was asked for again"
