"""Training data: nothing evaluated is among them, tokens are those of TRL and of the harness, corpora lose nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.schema import SpanExample
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.evaluation.chat_template import TEMPLATE_SETTINGS
from ita_med.training import recipe as recipes
from ita_med.training.data import corpora, examples, fine_tuning, leak_filter
from ita_med.training.data import prompt_rows as task_rows

from ..conftest import write_corpus

Tiny = Callable[[str], Path]
TEXT = (
    "Paziente di 63 anni, giunta in pronto soccorso per dolore toracico insorto a riposo da circa due ore, "
    "irradiato al braccio sinistro e accompagnato da sudorazione algida, senza perdita di coscienza."
)


def task(train: list[SpanExample], test: list[SpanExample]) -> TaskData:
    return TaskData(catalogue.task("ita_med_ner_e3c_disorder"), test, train, sources.EMBEDDED)


def example(name: str, text: str, document: str = "") -> SpanExample:
    return SpanExample(name, document or name, text, [])


# ----- guard ---------------------------------------------------------------------------------------------------------

WORDS = TEXT.split()
LEAKS: dict[str, tuple[str, str | None]] = {
    "the same text": (TEXT, "exact"),
    "other case, punctuation and width": (TEXT.upper().replace(",", " ;"), "exact"),
    "thirteen words in a row": ("Storia. " + " ".join(WORDS[3:16]) + " altro testo di tutt'altro tenore qui", "shared"),
    "twelve words in a row": ("Storia. " + " ".join(WORDS[3:15]) + " altro testo di tutt'altro tenore qui", None),
    "the same words in another order": (" ".join(reversed(WORDS)), None),
    "another text": ("Il paziente riferisce cefalea pulsante e nausea da ieri sera, in assenza di febbre.", None),
    "a heading": (" ".join(WORDS[:5]), None),
}


@pytest.mark.parametrize("name", LEAKS)
def test_the_guard_finds_evaluated_texts(name: str) -> None:
    text, kind = LEAKS[name]
    found = task([example("a", "Una nota diversa, scritta per questo solo esempio di prova."), example("b", text)], [])
    evaluated = leak_filter.Evaluated.of([task([], [example("t", TEXT)])])
    assert leak_filter.find(found, evaluated).kinds == ({"b": kind} if kind else {})


def test_a_set_phrase_of_many_documents_is_no_leak_and_of_few_it_is() -> None:
    evaluated = leak_filter.Evaluated.of(
        [task([], [example("t", TEXT + " Fine della nota clinica di oggi, firmata.")])]
    )
    phrase = " ".join(WORDS[3:16])
    for holding, documents, leaks in ((10, 200, True), (11, 200, False), (2, 20, True), (3, 20, False), (1, 1, True)):
        own = [" ".join(f"parola{n}x{k}" for k in range(40)) for n in range(documents)]
        train = [example(f"d{n}", f"{text} {phrase if n < holding else ''}") for n, text in enumerate(own)]
        wanted = {f"d{n}" for n in range(holding)} if leaks else set()
        assert set(leak_filter.find(task(train, []), evaluated).kinds) == wanted


def test_short_sentences_of_a_repeated_document_leak_with_it() -> None:
    """Sentences are too short for 13 words; their document is not."""
    sentences = [" ".join(WORDS[n : n + 7]) for n in range(0, 28, 7)]
    train = [example(f"s{n}", text, "d") for n, text in enumerate(sentences)]
    evaluated = leak_filter.Evaluated.of([task([], [example("t", TEXT)])])
    assert leak_filter.find(task(train, []), evaluated).kinds == dict.fromkeys(("s0", "s1", "s2", "s3"), "document")


def test_a_leaking_row_is_left_out_and_counted_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), ["data.tasks=[ner_e3c_disorder]"])
    clean = fine_tuning.prepare(recipe, sources.EMBEDDED)
    assert clean.counts["ita_med_ner_e3c_disorder"]["leaking"] == {"exact": 0, "shared": 0, "document": 0}
    honest = examples.available

    def leaking(names: list[str], mirror: str | None) -> Any:
        loaded, why = honest(names, mirror)
        by_id = {d.task.id: d for d in loaded}
        stolen = replace(by_id["ita_med_arg_abstrct_mixed"].examples[0], id="stolen", doc_id="stolen")
        by_id["ita_med_ner_e3c_disorder"].train.append(stolen)
        return loaded, why

    monkeypatch.setattr(examples, "available", leaking)
    found = fine_tuning.prepare(recipe, sources.EMBEDDED)
    assert sum(found.counts["ita_med_ner_e3c_disorder"]["leaking"].values()) == 1
    assert found.rows == clean.rows, "an OOD text was trained on"
    with pytest.raises(ItaMedError, match=r'ita_med_ner_e3c_disorder: 1 of .* the first is "stolen"'):
        fine_tuning.prepare(recipe, sources.EMBEDDED, strict=True)


@pytest.mark.real_data
def test_known_overlaps_of_real_data_are_found(real_mirror: str) -> None:
    names = ["ner_e3c_disorder", "crf_e3c", "arg_abstrct", "arg_casimedicos"]
    loaded = {name: load(name, real_mirror) for name in names}
    evaluated = leak_filter.Evaluated.of([*loaded.values(), load("arg_abstrct_mixed", real_mirror)])
    found = {name: leak_filter.find(of_task, evaluated) for name, of_task in loaded.items()}
    assert set(found["crf_e3c"].kinds) == {"IT101011"}, "it is IT101038 of the test split"
    assert {name.partition("-")[0] for name in found["ner_e3c_disorder"].kinds} == {"IT101011"}
    assert len(found["ner_e3c_disorder"].kinds) == 5
    assert found["arg_abstrct"].counts()["exact"] >= 3
    assert 10 <= len(found["arg_casimedicos"].kinds) <= 60


def test_a_number_of_examples_is_drawn_per_task_by_the_seed() -> None:
    def ids(n: int | None, seed: int = 0) -> dict[str, set[str]]:
        more = [f"data.examples={'null' if n is None else n}", f"train.seed={seed}", "data.temperature=1.0"]
        recipe = recipes.load(
            recipes.find("smollm2/smollm2-135m-instruct-ft"), [*more, "data.tasks=[ner_e3c_disorder, re_clinkart]"]
        )
        found = fine_tuning.prepare(recipe, sources.EMBEDDED)
        by_task: dict[str, set[str]] = {name: set() for name in found.counts}
        for row in found.rows:
            by_task[row["task"]].add(row["id"])
        for name, counts in found.counts.items():
            assert counts["taken"] == counts["drawn"] == len(by_task[name])
        return by_task

    few, more, every = ids(3), ids(6), ids(None)
    for name in every:
        assert len(few[name]) == 3
        assert few[name] < more[name] < every[name]
    assert ids(3, seed=1) != few != ids(3, seed=2)
    assert ids(10**6) == every


# ----- rows and tokens -----------------------------------------------------------------------------------------------


def test_tasks_whose_data_are_missing_are_named(tmp_path: Path) -> None:
    recipe = recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"))
    with pytest.raises(ItaMedError, match="no data for any of its tasks"):
        fine_tuning.prepare(recipe, str(tmp_path))
    every = fine_tuning.prepare(recipe, sources.EMBEDDED)
    assert set(every.counts) == {task.id for task in recipes.tasks(recipe)}
    assert all(catalogue.task(name).distribution == "id" for name in every.counts)
    assert sum(counts["drawn"] for counts in every.counts.values()) == len(every.rows)
    assert every.facts["synthetic"]


def tokenizers(tiny: Tiny) -> list[Any]:
    """The tiny ones, and real ones below ITA_MED_TOKENIZERS."""
    folders = [tiny(family) for family in ("qwen3", "llama3", "gemma3", "smollm2")]
    if named := os.environ.get("ITA_MED_TOKENIZERS"):
        folders += sorted(Path(named).iterdir())
    return [loaded(folder) for folder in folders]


@cache
def loaded(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("chat", [True, False])
def test_tokens_are_those_of_trl_and_the_prompt_is_that_of_the_harness(chat: bool, tiny: Tiny, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    recipe = recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"), [f"model.chat={str(chat).lower()}"])
    rows = fine_tuning.prepare(recipe, sources.EMBEDDED).rows[::9][:25]
    for tokenizer in tokenizers(tiny):
        args = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=None)
        trainer = SFTTrainer.__new__(SFTTrainer)
        trainer._tokenizer, trainer.chat_template, trainer.completion_only_loss = tokenizer, None, True
        plain = [{k: row[k] for k in ("prompt", "completion")} for row in rows]
        more = [row | {"chat_template_kwargs": TEMPLATE_SETTINGS} for row in plain] if chat else plain
        theirs = trainer._prepare_dataset(Dataset.from_list(more), tokenizer, args, False, None, "train")
        ours = list(fine_tuning.encode(rows, tokenizer, chat=chat))
        assert [row["input_ids"] for row in ours] == theirs["input_ids"]
        assert [row["labels"] for row in ours] == theirs["labels"]
        for row, made in zip(rows, ours, strict=True):
            asked = row["prompt"]
            if chat:
                asked = tokenizer.apply_chat_template(
                    asked, add_generation_prompt=True, tokenize=False, **TEMPLATE_SETTINGS
                )
            ids = tokenizer(asked, add_special_tokens=not chat)["input_ids"]
            assert made["input_ids"][: len(ids)] == ids
            trained = [label for label in made["labels"] if label != fine_tuning.IGNORED]
            assert made["labels"][: len(ids)] == [fine_tuning.IGNORED] * len(ids)
            assert tokenizer.eos_token_id in trained[-3:], "the model is never taught to stop"
            assert "2026" not in tokenizer.decode(made["input_ids"]), "today's date in a prompt"


@pytest.mark.parametrize("name", [task.id for task in catalogue.tasks(ready=True)])
def test_a_training_row_asks_with_the_tokens_of_the_evaluation(name: str, tiny: Tiny) -> None:
    """Every task, every template: the prompt of lm-eval's own template code, cut as lm-eval cuts it."""
    from types import SimpleNamespace

    from lm_eval.models.huggingface import HFLM

    from ita_med.tasks.evaluation import prompt_requests

    made = load(name, sources.EMBEDDED)
    few = replace(made, examples=[*made.train[:2], *made.examples[:2]])
    for tokenizer in tokenizers(tiny):
        settings = {"tokenizer": tokenizer, "chat_template_args": TEMPLATE_SETTINGS}
        harness: Any = SimpleNamespace(**settings)
        for chat in (True, False):
            asked = prompt_requests.build(few, template=partial(HFLM.apply_chat_template, harness) if chat else None)
            taught = fine_tuning.encode(
                [task_rows.row(few, example, chat=chat) for example in few.examples], tokenizer, chat=chat
            )
            for request, tokens in zip(asked, taught, strict=True):
                ids = tokenizer(request.prompt, add_special_tokens=not chat)["input_ids"]
                if ids[-1] == tokenizer.eos_token_id:
                    ids = ids[:-1]
                untrained = [label == fine_tuning.IGNORED for label in tokens["labels"]]
                assert tokens["input_ids"][: len(ids)] == ids, (name, tokenizer.name_or_path, chat)
                assert untrained == [n < len(ids) for n in range(len(untrained))]


def test_rows_that_are_too_long_are_left_out_and_counted(tiny: Tiny) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny("smollm2"))
    recipe = recipes.load(recipes.find("smollm2/smollm2-135m-instruct-ft"))
    prepared = fine_tuning.prepare(recipe, sources.EMBEDDED)
    whole = fine_tuning.fitting(prepared, tokenizer, chat=True, max_length=10**6)
    lengths = sorted(len(row["input_ids"]) for row in whole)
    limit = lengths[len(lengths) // 2]
    kept = fine_tuning.fitting(prepared, tokenizer, chat=True, max_length=limit)
    assert sorted(len(row["input_ids"]) for row in kept) == [n for n in lengths if n <= limit]
    assert sum(counts["too_long"] for counts in prepared.counts.values()) == sum(n > limit for n in lengths) > 0
    assert sum(counts["tokens"] for counts in prepared.counts.values()) == sum(n for n in lengths if n <= limit)
    with pytest.raises(ItaMedError, match=r"longer than data\.max_length=3"):
        fine_tuning.fitting(prepared, tokenizer, chat=True, max_length=3)
    tokenizer.chat_template = None
    with pytest.raises(ItaMedError, match=r"no chat template; set model\.chat=false"):
        fine_tuning.fitting(prepared, tokenizer, chat=True, max_length=100)
    tokenizer.chat_template = "{% for m in messages %}{{ loop.length }}{{ m.content }}{% endfor %}"
    with pytest.raises(ItaMedError, match="writes a question otherwise"):
        fine_tuning.fitting(prepared, tokenizer, chat=True, max_length=100)


# ----- corpora -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("family", ["qwen3", "llama3", "gemma3"])
def test_packing_keeps_every_token_of_a_corpus(family: str, streaming: bool, tiny: Tiny, corpus: Path) -> None:
    from transformers import AutoTokenizer
    from trl import pack_dataset

    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    name = (
        next(name for name in recipes.names() if name.startswith(family) and name.endswith("instruct-cpt"))
        if (family == "llama3")
        else f"{family}/{ {'qwen3': 'qwen3-1.7b', 'gemma3': 'gemma-3-1b-it'}[family] }-cpt"
    )
    recipe = recipes.load(recipes.find(name), [f"data.corpora=[{corpus}]", f"data.streaming={str(streaming).lower()}"])
    found = corpora.prepare(recipe)
    made = list(corpora.dataset(recipe, found, tokenizer))
    end = tokenizer.convert_tokens_to_ids(recipe.data.document_end)
    assert end != tokenizer.eos_token_id, "a chat model's turn ends otherwise than a document"
    expected = [[*tokenizer(text)["input_ids"], end] for text in corpora.texts(found)]
    assert sorted(row["input_ids"] for row in made) == sorted(expected)
    packed = list(pack_dataset(corpora.dataset(recipe, found, tokenizer), 64, "bfd_split"))
    assert max(len(row["input_ids"]) for row in packed) <= 64 < max(map(len, expected))
    assert sorted(t for row in packed for t in row["input_ids"]) == sorted(t for ids in expected for t in ids)
    assert [row["labels"] for row in packed] == [row["input_ids"] for row in packed]
    assert corpora.tokens_per_character(found, tokenizer) * found.characters == pytest.approx(
        sum(map(len, expected)), rel=1e-6
    )


@pytest.mark.parametrize("streaming", [False, True])
def test_general_text_is_replayed_in_its_share_and_every_document_once(
    streaming: bool, tiny: Tiny, corpus: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny("qwen3"))
    general = write_corpus(tmp_path / "general", [f"Testo generale {n}: " + "la casa " * (n % 7) for n in range(4000)])
    changes = [f"data.corpora=[{corpus}]", f"data.streaming={str(streaming).lower()}"]
    changes += [f"data.replay={{corpora: [{general}], share: 0.2}}"]
    recipe = recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), changes)
    found = corpora.prepare(recipe)
    counts = found.counts["general"]
    assert counts["replayed_of"] == 4000
    assert counts["share"] == pytest.approx(0.2, abs=0.02)
    assert counts["share"] == pytest.approx(counts["characters"] / found.characters, abs=1e-4)
    assert found.characters == found.counts["corpus"]["characters"] + counts["characters"]
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    texts = [t for t in corpora.texts(corpora.Corpora(sorted(general.rglob("*.parquet")), {})) if found.replay.holds(t)]
    assert (len(texts), sum(map(len, texts))) == (counts["documents"], counts["characters"])
    wanted = [[*tokenizer(text)["input_ids"], end] for text in [*corpora.texts(found), *texts]]
    made = [row["input_ids"] for row in corpora.dataset(recipe, found, tokenizer)]
    assert sorted(made) == sorted(wanted)
    assert made == [row["input_ids"] for row in corpora.dataset(recipe, corpora.prepare(recipe), tokenizer)]
    own = [[*tokenizer(text)["input_ids"], end] for text in corpora.texts(found)]
    places = [n for n, ids in enumerate(made) if ids in own]
    assert min(places) < len(made) / 3, "the texts are mixed, not laid end to end"
    assert max(places) > 2 * len(made) / 3
    recipe.train.seed = 1
    other = corpora.prepare(recipe)
    assert other.counts["general"]["characters"] != counts["characters"], "the seed draws"
    less = recipes.load(
        recipes.find("qwen3/qwen3-1.7b-cpt"), [*changes[:2], f"data.replay={{corpora: [{general}], share: 0.99}}"]
    )
    taken = corpora.prepare(less).counts["general"]
    assert taken["documents"] == 4000, "no document is repeated to fill the share"
    assert taken["share"] < 0.99


def test_replay_that_cannot_be_is_refused(corpus: Path, tmp_path: Path) -> None:
    def load(name: str, share: str, folder: Path) -> recipes.Recipe:
        return recipes.load(
            recipes.find(name), [f"data.corpora=[{corpus}]", f"data.replay={{corpora: [{folder}], share: {share}}}"]
        )

    for share in ("0", "1", "1.5"):
        with pytest.raises(ItaMedError, match="a share between 0 and 1"):
            load("qwen3/qwen3-1.7b-cpt", share, corpus)
    with pytest.raises(ItaMedError, match=r"data\.replay is for continual"):
        load("qwen3/qwen3-1.7b-ft", "0.1", corpus)
    with pytest.raises(ItaMedError, match="have the same name"):
        corpora.prepare(load("qwen3/qwen3-1.7b-cpt", "0.1", corpus))
    empty = write_corpus(tmp_path / "empty", [])
    with pytest.raises(ItaMedError, match="draws no document"):
        corpora.prepare(load("qwen3/qwen3-1.7b-cpt", "0.1", empty))


def test_a_corpus_must_be_one_that_was_built(corpus: Path, tmp_path: Path) -> None:
    def recipe(folder: Path) -> recipes.Recipe:
        return recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), [f"data.corpora=[{folder}]"])

    with pytest.raises(ItaMedError, match="holds no corpus"):
        corpora.prepare(recipe(tmp_path))
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "data").mkdir()
    with pytest.raises(ItaMedError, match="no such file"):
        corpora.prepare(recipe(tmp_path))
    (tmp_path / "data" / "a.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(ItaMedError, match="is not a report of ita-med"):
        corpora.prepare(recipe(tmp_path))
    import orjson

    report = orjson.loads((corpus / "report.json").read_bytes())
    (tmp_path / "report.json").write_bytes(orjson.dumps(report | {"decontamination": {"found": {}}}))
    assert not corpora.prepare(recipe(tmp_path)).counts[tmp_path.name]["decontaminated"]
    with pytest.raises(ItaMedError, match="never compared with evaluated texts"):
        corpora.prepare(recipe(tmp_path), strict=True)
    both = recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), [f"data.corpora=[{corpus}, {tmp_path}]"])
    with pytest.raises(ItaMedError, match="cannot be mixed"):
        corpora.prepare(both)
    with pytest.raises(ItaMedError, match='has no token "<nothing>"'):
        corpora.document_end(
            recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), ["data.document_end=<nothing>"]), _Vocabulary()
        )


class _Vocabulary:
    eos_token = "</s>"

    def get_vocab(self) -> dict[str, int]:
        return {"</s>": 0}


@pytest.mark.slow
def test_what_the_pipeline_built_is_read(tmp_path: Path) -> None:
    for package in ("datatrove", "ftfy", "spacy", "presidio_analyzer", "py3langid"):
        pytest.importorskip(package)
    from ita_med.dataset_builders.corpus_pipeline import build_corpus
    from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import CorpusRecipe, OutputSettings

    for form in ("parquet", "jsonl.zst"):
        settings = CorpusRecipe(output=OutputSettings(format=form))
        report = build_corpus.build(["e3c:layer3"], tmp_path / "corpus", settings, mirror=sources.EMBEDDED)
        assert report is not None
        recipe = recipes.load(recipes.find("qwen3/qwen3-1.7b-cpt"), [f"data.corpora=[{tmp_path / 'corpus'}]"])
        found = corpora.prepare(recipe, strict=True)
        assert found.synthetic
        assert found.counts["corpus"]["documents"] == len(list(corpora.texts(found))) > 10
        assert found.characters == sum(map(len, corpora.texts(found)))
