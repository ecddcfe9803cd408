"""Constrained decoding: schemas, grammars, the logits processor, and its ways through lm-eval's backends."""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import lm_eval.api.registry
import numpy as np
import pytest
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

import ita_med.tasks
from ita_med import catalogue, sources
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark.task_data import TaskData, load
from ita_med.tasks.decoding import grammar, routes
from ita_med.tasks.evaluation import chat_template, eval_run, evaluate, model
from ita_med.tasks.families.json_schema import Schema, longest_answer

torch = pytest.importorskip("torch")
llguidance = pytest.importorskip("llguidance")
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM  # noqa: E402

from ita_med.tasks.decoding import hf  # noqa: E402

pytestmark = pytest.mark.torch

FOLDER = Path(str(ita_med.tasks.__file__)).parent / "lm_eval"
READY = [task.id for task in catalogue.tasks(ready=True)]
MODEL = os.environ.get("ITA_MED_MODEL", "")
TOKENIZERS = os.environ.get("ITA_MED_TOKENIZERS", "")
"""A small model's folder, and a folder of the tokenizers qwen3, llama3_2, gemma3: none can be part of the project."""


# --- schemas


def every_schema(schema: Schema) -> Iterator[Schema]:
    yield schema
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from every_schema(inner)


@pytest.mark.parametrize("name", READY)
def test_schemas_are_closed_and_bounded(name: str, embedded: dict[str, TaskData]) -> None:
    data = embedded[name]
    for example in data.examples + data.train:
        schema = data.schema(example)
        assert longest_answer(schema) >= len(data.target(example))
        for part in every_schema(schema):
            match part["type"]:
                case "object":
                    assert part["additionalProperties"] is False
                case "array":
                    assert part["maxItems"] >= 1
                case "string":
                    assert part.get("enum") or 1 <= part["minLength"] <= part["maxLength"]


@pytest.mark.parametrize("name", READY)
def test_the_longest_answer_bounds_what_json_dumps_writes(name: str, embedded: dict[str, TaskData]) -> None:
    """Filled to its bounds with the longest escapes, an answer is as long as stated (or shorter by the separators)."""

    def full(schema: Schema) -> Any:
        if "enum" in schema:
            return max(schema["enum"], key=lambda value: len(json.dumps(value, ensure_ascii=False)))
        if schema["type"] == "string":
            return "\x1f" * schema["maxLength"]
        if schema["type"] == "array":
            return [full(schema["items"])] * schema["maxItems"]
        return {key: full(value) for key, value in schema["properties"].items()}

    schema = embedded[name].schema(embedded[name].examples[0])
    written = len(json.dumps(full(schema), ensure_ascii=False))
    parts = sum(len(part.get("properties", ())) for part in every_schema(schema))
    assert written <= longest_answer(schema) <= 1.05 * written + 10 * parts


def test_an_unbounded_schema_has_no_longest_answer() -> None:
    with pytest.raises(KeyError):
        longest_answer({"type": "array", "items": {"type": "string", "maxLength": 5}})
    with pytest.raises(KeyError):
        longest_answer({"type": "object", "properties": {"a": {"type": "string"}}})


def test_a_question_offers_its_own_letters_and_a_form_its_own_known_options(embedded: dict[str, TaskData]) -> None:
    data = embedded["ita_med_qa_med_ita"]
    for example in data.examples:
        letters = data.schema(example)["properties"]["risposta"]["enum"]
        assert letters == list("ABCDEFGHIJ"[: len(example.options)])
    data = embedded["ita_med_crf_e3c"]
    for example in data.examples:
        form = data.schema(example)["properties"]["scheda"]
        assert form["required"] == [], "unknown items are left out"
        assert list(form["properties"]) == [item.name for item in example.items]
        for item in example.items:
            assert "unknown" not in form["properties"][item.name].get("enum", [])


# --- grammars, with a tokenizer that needs no download


@pytest.fixture(scope="session")
def bytes_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Byte-level BPE trained on the sample's own targets: small, and its tokens cross JSON's borders as others do."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = []
    for name in READY:
        data = load(name, sources.EMBEDDED)
        texts += [f" {data.target(example)} {data.prompt(example)}" for example in data.examples]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>", "<pad>"]
    backend.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=1500, initial_alphabet=alphabet, special_tokens=special)
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", padding_side="left"
    )
    made.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, padding_side="left")


def accepts(tokenizer: Any, constraint: grammar.Constraint, text: str) -> bool:
    """Whether the text, as the tokenizer cuts it, is let through to its end."""
    row = hf.AnswerState(hf.prepare(tokenizer), constraint)
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    return row.matcher.try_consume_tokens(tokens) == len(tokens) and bool(row.matcher.is_accepting())


def kinds(data: TaskData) -> tuple[str, ...]:
    return grammar.KINDS if data.task.family in ("ner", "re", "arg") else grammar.KINDS[:1]


@pytest.mark.parametrize("name", READY)
def test_every_right_answer_passes(name: str, embedded: dict[str, TaskData], bytes_tokenizer: Any) -> None:
    data = embedded[name]
    for kind in kinds(data):
        for i, example in enumerate(data.examples[:40]):
            blank = " " if i % 2 else ""
            assert accepts(bytes_tokenizer, grammar.constraint(data, example, kind), blank + data.target(example))


def test_other_separators_orders_escapes_and_trailing_text_do_not_pass(
    embedded: dict[str, TaskData], bytes_tokenizer: Any
) -> None:
    data = embedded["ita_med_ner_e3c_all"]
    example = next(e for e in data.examples if len(e.spans) > 3)
    target = data.target(example)
    answer = json.loads(target)
    wrong = [
        json.dumps(answer, ensure_ascii=False, separators=(",", ":")),
        json.dumps(dict(reversed(answer.items())), ensure_ascii=False),
        json.dumps(answer | {"altro": []}, ensure_ascii=False),
        target.replace('"', '"\\u00e8', 3),
        target + " ",
        target[:-1],
        "  " + target,
    ]
    for kind in grammar.KINDS:
        constraint = grammar.constraint(data, example, kind)
        assert accepts(bytes_tokenizer, constraint, target)
        assert not [text for text in wrong if accepts(bytes_tokenizer, constraint, text)]


def test_verbatim_takes_whole_words_of_the_document_and_nothing_else(bytes_tokenizer: Any) -> None:
    schema = {"disturbo": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3}}
    full = {"type": "object", "properties": schema, "required": ["disturbo"], "additionalProperties": False}
    constraint = grammar.verbatim(full, 'Dolore  all\'anca\n"acuto" (NRS 7/10) \\ così.')

    def passes(*mentions: str) -> bool:
        return accepts(bytes_tokenizer, constraint, json.dumps({"disturbo": mentions}, ensure_ascii=False))

    for mention in (
        "Dolore all'anca",
        "anca",
        "l'anca"[2:],
        '"acuto"',
        'anca "acuto" (NRS',
        "7/10",
        "\\",
        "così.",
        "così",
    ):
        assert passes(mention), mention
    for mention in ("dolore", "Dolor", "nca", "Dolore anca", "", " ", "Dolore ", "acuto(", "cosi"):
        assert not passes(mention), mention
    assert passes()
    assert passes("anca", "anca", "7")
    assert not passes("anca", "anca", "anca", "anca")


# --- the logits processor


def walk(
    tokenizer: Any,
    constraints: list[Any],
    budget: int,
    prefer: Callable[[bytes], float] = lambda token: 0.0,
    seed: int = 0,
) -> tuple[list[str], Any]:
    """Let a model that knows nothing write answers; `prefer` biases its random scores by a token's bytes."""
    processor = hf.AnswerProcessor(tokenizer, constraints, budget)
    size = processor.tokenizer.vocab_size
    bias = torch.tensor([prefer(processor.tokenizer.decode_bytes([i])) for i in range(size)] + [9.0] * 7)
    draw = torch.Generator().manual_seed(seed)
    ids = torch.ones(len(constraints), 3, dtype=torch.long)
    for _ in range(budget):
        scores = processor(ids, torch.randn(len(constraints), size + 7, generator=draw) + bias)
        ids = torch.cat([ids, scores.argmax(1)[:, None]], 1)
    texts = []
    for row in ids[:, 3:].tolist():
        ended = row.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in row else len(row)
        texts.append(tokenizer.decode(row[:ended]) if ended < len(row) else "")
    return texts, processor


def endless(token: bytes) -> float:
    """A model that never wants to close a string, a list or an object."""
    return -40.0 if set(b'"]}') & set(token) else 0.0


def listing(token: bytes) -> float:
    """A model that never stops listing."""
    return -40.0 if b"]" in token else 40.0 if b'"' in token or token.strip() == b"," else 0.0


@pytest.mark.parametrize("prefer", [lambda token: 0.0, endless, listing], ids=["random", "endless", "listing"])
@pytest.mark.parametrize("name", READY)
def test_whatever_a_model_wants_its_answer_ends_in_time_and_parses(
    name: str, prefer: Callable[[bytes], float], embedded: dict[str, TaskData], bytes_tokenizer: Any
) -> None:
    data = embedded[name]
    examples = random.Random(name).sample(data.examples, 4)
    for kind in kinds(data):
        constraints = [grammar.constraint(data, example, kind) for example in examples]
        texts, processor = walk(bytes_tokenizer, constraints, 32 if data.task.family == "qa" else 256, prefer)
        assert all(row.ended for row in processor.rows)
        for example, text in zip(examples, texts, strict=True):
            assert text, "not ended within the budget"
            answer = data.parse(text, example)
            assert answer is not None, text
            assert accepts(bytes_tokenizer, grammar.constraint(data, example, kind), text)
            if kind == "verbatim" and "entities" in answer:
                folded = " ".join(example.text.split())
                assert all(entity["text"] in folded for entity in answer["entities"])


def test_without_a_budget_the_bounds_alone_end_an_answer(bytes_tokenizer: Any) -> None:
    from ita_med.tasks.families.json_schema import array, record, string

    schema = record({"a": array(string(5), 4), "b": string(3)})
    bytes_of = hf.prepare(bytes_tokenizer).decode_bytes
    processor = hf.AnswerProcessor(bytes_tokenizer, [schema])
    ids = torch.zeros(1, 1, dtype=torch.long)
    bias = torch.tensor([listing(bytes_of([i])) for i in range(processor.tokenizer.vocab_size)])
    draw = torch.Generator().manual_seed(0)
    for _ in range(longest_answer(schema) + 2):
        ids = torch.cat([ids, processor(ids, torch.randn(1, len(bias), generator=draw) + bias).argmax(1)[:, None]], 1)
    assert processor.rows[0].ended
    assert len(json.loads(bytes_of(processor.rows[0].tokens))["a"]) == 4


def test_rows_have_their_own_constraints_and_free_rows_are_left_alone(bytes_tokenizer: Any) -> None:
    from ita_med.tasks.families.json_schema import one_of

    processor = hf.AnswerProcessor(bytes_tokenizer, [one_of(["A"]), None, one_of(["B"])])
    size = processor.tokenizer.vocab_size + 3
    scores = torch.randn(3, size)
    before = scores.clone()
    masked = processor(torch.zeros(3, 4, dtype=torch.long), scores)
    assert masked is scores, "new scores at every step are slow"
    assert torch.equal(masked[1], before[1])
    kept = masked > float("-inf")
    assert torch.equal(masked[kept], before[kept])
    allowed = masked > float("-inf")
    assert 0 < allowed[0].sum() < 20
    assert torch.equal(allowed[0], allowed[2])
    assert not allowed[0, -3:].any(), "tokens that the tokenizer does not have"
    ids = torch.zeros(3, 4, dtype=torch.long)
    quote, letters = (bytes_tokenizer(x, add_special_tokens=False)["input_ids"][0] for x in ('"', "AB"))
    ids = torch.cat([ids, torch.tensor([[quote], [letters], [quote]])], 1)
    allowed = processor(ids, before) > float("-inf")
    decoded = [
        {processor.tokenizer.decode_str([i]) for i in row.nonzero().flatten().tolist() if i < size - 3}
        for row in allowed
    ]
    assert {x[0] for x in decoded[0]} == {"A"}
    assert {x[0] for x in decoded[2]} == {"B"}


def test_beams_and_a_second_use_are_one_line_of_error(bytes_tokenizer: Any) -> None:
    from ita_med.tasks.families.json_schema import one_of

    size = hf.prepare(bytes_tokenizer).vocab_size
    processor = hf.AnswerProcessor(bytes_tokenizer, [one_of(["A", "B"])])
    with pytest.raises(ItaMedError, match="no beams"):
        processor(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, size))
    processor(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, size))
    with pytest.raises(ItaMedError, match="new AnswerProcessor"):
        processor(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, size))


def test_a_bad_grammar_and_a_slow_tokenizer_are_one_line_of_error(bytes_tokenizer: Any) -> None:
    with pytest.raises(ItaMedError, match="does not take the grammar"):
        hf.AnswerProcessor(bytes_tokenizer, ["start: ("])

    class Slow:
        is_fast = False

    with pytest.raises(ItaMedError, match="a fast tokenizer, not Slow"):
        hf.prepare(Slow())


def test_many_rows_are_masked_as_few_are(embedded: dict[str, TaskData], bytes_tokenizer: Any) -> None:
    """Threads make the masks of a large batch."""
    data = embedded["ita_med_re_e3c_temporal"]
    constraints = [grammar.constraint(data, example) for example in (data.examples * 2)[: hf.FEW_ROWS + 4]]
    size = hf.prepare(bytes_tokenizer).vocab_size
    together = hf.AnswerProcessor(bytes_tokenizer, constraints)
    alone = [hf.AnswerProcessor(bytes_tokenizer, [constraint]) for constraint in constraints]
    ids = torch.zeros(len(constraints), 1, dtype=torch.long)
    for step in range(12):
        scores = torch.randn(len(constraints), size, generator=torch.Generator().manual_seed(step))
        masked = together(ids, scores.clone())
        assert torch.equal(masked, torch.cat([one(ids[i : i + 1], scores[i : i + 1]) for i, one in enumerate(alone)]))
        ids = torch.cat([ids, masked.argmax(1)[:, None]], 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("width", [61, 64, 67, 96])
def test_masks_of_any_width_and_type_are_those_of_the_bits(width: int, dtype: torch.dtype) -> None:
    bits = np.random.default_rng(width).integers(-(2**31), 2**31, (3, 2), dtype=np.int32)
    scores, beyond = torch.randn(3, width).to(dtype), torch.tensor([[True], [False], [True]])
    expected = scores.clone()
    for i in range(3):
        for token in range(width):
            stays = bits.view(np.uint32)[i, token // 32] >> (token % 32) & 1 if token < 64 else beyond[i, 0]
            if not stays:
                expected[i, token] = float("-inf")
    assert torch.equal(hf._mask(scores, bits, beyond), expected)


# --- the ways through lm-eval


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, bytes_tokenizer: Any) -> str:
    """A folder with a model of random weights that transformers can load."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(bytes_tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8192,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    folder = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(folder)
    bytes_tokenizer.save_pretrained(folder)
    return str(folder)


def run(model: str, model_args: str, task: str, **options: Any) -> list[dict[str, Any]]:
    """The samples of a run as `lm_eval run` makes it; `metadata` as on the command line."""
    arguments = dict(part.split("=", 1) for part in model_args.split(","))
    metadata = arguments | options.pop("metadata", {}) | {"mirror": sources.EMBEDDED}
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False, metadata=metadata)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # takes a second
        found = simple_evaluate(model=model, model_args=model_args, tasks=[task], task_manager=manager, **options)
    assert found is not None
    return list(found["samples"][task])


def said(sample: dict[str, Any]) -> str:
    return str(sample["resps"][0][0])


CONSTRAINED = {"structured": "hf"}


@pytest.mark.parametrize("kind", grammar.KINDS)
def test_plain_lm_eval_with_hf_gives_each_document_its_own_constraint(
    kind: str, tiny_model: str, embedded: dict[str, TaskData], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Any]] = []

    class Recorder(hf.AnswerProcessor):
        def __init__(self, tokenizer: Any, constraints: list[Any], budget: int | None = None) -> None:
            super().__init__(tokenizer, constraints, budget)
            self.plain, self.constraints = tokenizer, constraints

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if not self.width:
                prompts = self.plain.batch_decode(input_ids, skip_special_tokens=True)
                seen.extend(zip(prompts, self.constraints, strict=True))
            return super().__call__(input_ids, scores)

    monkeypatch.setattr(hf, "AnswerProcessor", Recorder)
    task = {"schema": "ita_med_crf_e3c", "verbatim": "ita_med_re_clinkart"}[kind]
    data = embedded[task]
    samples = run(
        "hf",
        f"pretrained={tiny_model},dtype=float32",
        task,
        metadata=CONSTRAINED | {"constraint": kind},
        gen_kwargs="max_gen_toks=120",
        batch_size=4,
        limit=8,
        device="cpu",
    )
    assert len(samples) == len(seen) == 8
    expected = {data.prompt(e): grammar.constraint(data, e, kind) for e in data.examples[:8]}
    assert len({json.dumps(constraint) for constraint in expected.values()}) > 3
    for prompt, constraint in seen:
        (own,) = [c for text, c in expected.items() if prompt.endswith(text)]
        assert constraint == own
    for sample in samples:
        assert data.parse(said(sample), data.by_id[sample["doc"]["id"]]) is not None
        assert sample["parse_failure"][2][1] == 0


def test_answers_of_a_cache_are_those_of_the_same_constraint(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlitedict")
    made: list[int] = []
    first = hf.AnswerProcessor.__init__

    def counted(self: Any, *args: Any) -> None:
        made.append(1)
        first(self, *args)

    monkeypatch.setattr(hf.AnswerProcessor, "__init__", counted)

    def answers(**metadata: str) -> list[str]:
        options = {"use_cache": str(tmp_path / "cache"), "limit": 3, "device": "cpu", "gen_kwargs": "max_gen_toks=100"}
        name = "ita_med_ner_e3c_disorder"
        args = f"pretrained={tiny_model},dtype=float32"
        return [said(sample) for sample in run("hf", args, name, metadata=metadata, **options)]

    free = answers()
    assert not made
    bound = answers(structured="hf")
    assert made
    made.clear()
    verbatim = answers(structured="hf", constraint="verbatim")
    assert made
    assert free != bound
    made.clear()
    assert answers(structured="hf") == bound
    assert answers(structured="hf", constraint="verbatim") == verbatim
    assert answers() == free
    assert not made, "the cache was not used"


def fingerprint(schema: Any) -> str:
    return json.dumps({key: value for key, value in schema.items() if key != "x-guidance"}, sort_keys=True)


class Completions(BaseHTTPRequestHandler):
    """A server for completions that answers with the schema it was given, and remembers what it was asked."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        prompts = body["prompt"] if isinstance(body.get("prompt"), list) else [body.get("prompt")]
        schema = body["response_format"]["json_schema"]["schema"] if "response_format" in body else {}
        text = fingerprint(schema)
        choices = [{"index": i, "text": text, "message": {"content": text}} for i in range(len(prompts))]
        reply = json.dumps({"choices": choices}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Completions.asked = []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Completions)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1"
    httpd.shutdown()
    httpd.server_close()


@pytest.mark.parametrize(("chat", "concurrent"), [(False, 1), (False, 4), (True, 4)])
def test_servers_get_the_schema_of_each_document(
    chat: bool, concurrent: int, server: str, embedded: dict[str, TaskData], tmp_path: Path
) -> None:
    pytest.importorskip("tenacity")  # what lm-eval[api] brings
    data = embedded["ita_med_crf_e3c"]
    model = "local-chat-completions" if chat else "local-completions"
    url = f"{server}/chat/completions" if chat else f"{server}/completions"
    args = f"model=fake,base_url={url},tokenizer_backend=none,tokenized_requests=False,num_concurrent={concurrent}"
    options: dict[str, Any] = {"apply_chat_template": True, "fewshot_as_multiturn": True} if chat else {}
    options |= {"limit": 9, "metadata": {"structured": "openai"}}
    if cached := bool(_has("sqlitedict")):
        options["use_cache"] = str(tmp_path / "cache")
    samples = run(model, args, data.task.id, **options)
    assert len(Completions.asked) == 9
    own = {sample["doc"]["id"]: fingerprint(data.schema(data.by_id[sample["doc"]["id"]])) for sample in samples}
    assert len(set(own.values())) > 3
    for sample in samples:
        assert said(sample) == own[sample["doc"]["id"]]
    for body in Completions.asked:
        asked = body["messages"][-1]["content"] if chat else "".join(body["prompt"])
        (example,) = [e for e in data.examples if asked.endswith(data.prompt(e))]
        schema = body["response_format"]["json_schema"]["schema"]
        assert fingerprint(schema) == own[example.id]
        assert schema["x-guidance"] == grammar.SEPARATORS
    if cached:
        run(model, args, data.task.id, **options)
        assert len(Completions.asked) == 9, "answers in the cache were asked for again"
        run(model, args, data.task.id, **options | {"metadata": {}})
        assert len(Completions.asked) > 9, "constrained answers were given to a free run"
        assert "response_format" not in Completions.asked[-1]


def _has(package: str) -> Any:
    import importlib.util

    return importlib.util.find_spec(package)


def fake_vllm(monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> list[tuple[str, Any]]:
    """Modules in vLLM's place; what `generate` gets is remembered as (prompt, sampling parameters)."""
    import importlib.metadata
    from importlib.machinery import ModuleSpec

    asked: list[tuple[str, Any]] = []

    class StructuredOutputsParams:
        def __init__(self, json: Any) -> None:
            self.json = json

    class SamplingParams(SimpleNamespace):
        def __init__(self, **options: Any) -> None:
            given = options.get("structured_outputs")
            assert given is None or isinstance(given, StructuredOutputsParams)
            super().__init__(**options)

    class LLM:
        def __init__(self, **options: Any) -> None:
            self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=8192))

        def generate(self, prompts: list[Any], sampling_params: list[Any], **_: Any) -> list[Any]:
            texts = []
            for prompt, params in zip(prompts, sampling_params, strict=True):
                asked.append((tokenizer.decode(prompt["prompt_token_ids"]), params))
                given = params.structured_outputs
                texts.append(fingerprint(given.json) if given else "free")
            return [SimpleNamespace(outputs=[SimpleNamespace(text=text)]) for text in texts]

    contents: dict[str, dict[str, Any]] = {
        "vllm": {"LLM": LLM, "SamplingParams": SamplingParams, "TokensPrompt": dict},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": object},
        "vllm.renderers": {},
        "vllm.renderers.hf": {"resolve_chat_template": lambda **_: None},
        "vllm.tokenizers": {"get_tokenizer": lambda *args, **options: tokenizer},
        "vllm.sampling_params": {"StructuredOutputsParams": StructuredOutputsParams},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.33.0" if name == "vllm" else version(name))
    monkeypatch.delitem(sys.modules, "lm_eval.models.vllm_causallms", raising=False)
    return asked


def test_vllm_gets_the_schema_of_each_document(
    tiny_model: str,
    bytes_tokenizer: Any,
    embedded: dict[str, TaskData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = fake_vllm(monkeypatch, bytes_tokenizer)
    data = embedded["ita_med_crf_e3c"]
    options: dict[str, Any] = {"limit": 6, "batch_size": "auto"}
    if cached := bool(_has("sqlitedict")):
        options["use_cache"] = str(tmp_path / "cache")
    args = f"pretrained={tiny_model}"
    samples = run("vllm", args, data.task.id, metadata={"structured": "vllm"}, **options)
    assert len(asked) == 6
    for sample in samples:
        assert said(sample) == fingerprint(data.schema(data.by_id[sample["doc"]["id"]]))
    for prompt, params in asked:
        (example,) = [e for e in data.examples if prompt.endswith(data.prompt(e))]
        assert fingerprint(params.structured_outputs.json) == fingerprint(data.schema(example))
        assert params.structured_outputs.json["x-guidance"] == grammar.SEPARATORS
    if cached:
        run("vllm", args, data.task.id, metadata={"structured": "vllm"}, **options)
        assert len(asked) == 6, "answers in the cache were asked for again"
    assert {said(sample) for sample in run("vllm", args, data.task.id, **options)} == {"free"}
    assert {params.temperature for _, params in asked} == {0.0}, "vLLM draws its answers where nobody says otherwise"
    del sys.modules["lm_eval.models.vllm_causallms"]


def test_eval_asks_vllm_for_our_separators_and_ends_what_it_cut_off(
    tiny_model: str, bytes_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_vllm(monkeypatch, bytes_tokenizer)
    made: list[Any] = []
    llm = sys.modules["vllm"].LLM

    class Cutting(llm):  # type: ignore[misc, valid-type]
        def __init__(self, **options: Any) -> None:
            made.append(options)
            super().__init__(**options)

        def generate(self, prompts: list[Any], sampling_params: list[Any], **_: Any) -> list[Any]:
            super().generate(prompts, sampling_params)
            return [SimpleNamespace(outputs=[SimpleNamespace(text='{"disturbo": ["tosse", "feb')]) for _ in prompts]

    monkeypatch.setattr(sys.modules["vllm"], "LLM", Cutting)
    monkeypatch.delitem(lm_eval.api.registry.model_registry._objs, "vllm", raising=False)  # that of another test
    fresh = importlib.import_module("lm_eval.models.vllm_causallms")
    monkeypatch.setattr(model, "_class", lambda name: fresh.VLLM)
    run = eval_run.Run("vllm", f"pretrained={tiny_model}", limit=2, constrained="schema")
    results = evaluate.evaluate(run, ["ner_e3c_disorder"], tmp_path / "run", sources.EMBEDDED, keep_raw=True)
    assert made[0]["structured_outputs_config"] == {"backend": "guidance"}
    assert {params.temperature for _, params in asked} == {0.0}
    assert results["tasks"]["ita_med_ner_e3c_disorder"]["parse_failure"] == 0
    rows = (tmp_path / "run" / "raw" / "ita_med_ner_e3c_disorder.jsonl").read_text().splitlines()
    assert {json.loads(row)["raw"] for row in rows} == {'{"disturbo": ["tosse", "feb"]}'}
    del sys.modules["lm_eval.models.vllm_causallms"]


@pytest.mark.parametrize("name", READY)
def test_an_answer_that_was_cut_off_anywhere_is_led_to_its_end(
    name: str, embedded: dict[str, TaskData], bytes_tokenizer: Any
) -> None:
    data = embedded[name]
    example = max(data.examples, key=lambda e: len(data.target(e)))
    constraint, whole = grammar.constraint(data, example), data.target(example)
    draw = random.Random(name)
    assert hf.completed(bytes_tokenizer, constraint, whole, 9_999) == whole
    for length in draw.sample(range(len(whole)), min(12, len(whole))):
        text = hf.completed(bytes_tokenizer, constraint, whole[:length], 9_999)
        assert text.startswith(whole[:length])
        assert data.parse(text, example) is not None, text
        assert accepts(bytes_tokenizer, constraint, text)
    tokens = bytes_tokenizer(whole, add_special_tokens=False)["input_ids"]
    most = max(len(tokens) // 2, 40)
    cut = bytes_tokenizer.decode(tokens[:most])
    ended = hf.completed(bytes_tokenizer, constraint, cut, most)
    assert data.parse(ended, example) is not None, ended
    assert hf.completed(bytes_tokenizer, constraint, "Certo! Ecco", 99) == "Certo! Ecco"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"structured": "xgrammar"}, 'no route of constrained decoding is called "xgrammar"; known: hf, vllm, openai'),
        ({"structured": "hf", "constraint": "json"}, 'no constraint is called "json"; known: schema, verbatim'),
        ({"structured": "openai", "constraint": "verbatim"}, "verbatim answers are for the route hf"),
        ({"structured": "hf"}, "structured=hf needs to know the model"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_line_of_error(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ItaMedError, match=message):
        run("dummy", "x=y", "ita_med_ner_e3c_disorder", metadata=metadata, limit=1)


def test_without_metadata_requests_are_as_they_were() -> None:
    (sample,) = run("dummy", "x=y", "ita_med_ner_e3c_disorder", limit=1)
    assert set(sample["arguments"][0][1]) == {"do_sample", "until", "max_gen_toks"}


# --- ita-med eval


def test_eval_constrains_and_says_so(tiny_model: str, tmp_path: Path) -> None:
    run = eval_run.Run("hf", f"pretrained={tiny_model},dtype=float32", limit=2, device="cpu", constrained="schema")
    results = evaluate.evaluate(run, ["ner_e3c_disorder", "qa_med_ita"], tmp_path / "run", sources.EMBEDDED)
    assert [scores["parse_failure"] for scores in results["tasks"].values()] == [0, 0]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["method"] == "zero-shot + CD"
    assert manifest["run"]["constrained"] == "schema"


def test_a_model_type_without_a_route_is_one_line_of_error(tmp_path: Path) -> None:
    with pytest.raises(ItaMedError, match="not for baseline"):
        evaluate.evaluate(
            eval_run.Run("baseline", constrained="schema"), ["qa_med_ita"], tmp_path / "x", sources.EMBEDDED
        )
    assert not (tmp_path / "x").exists()
    assert {
        model: routes.of_model(model) for model in ("hf", "vllm", "local-completions", "local-chat-completions")
    } == {
        "hf": "hf",
        "vllm": "vllm",
        "local-completions": "openai",
        "local-chat-completions": "openai",
    }


# --- real tokenizers and a real model


@pytest.fixture(scope="session", params=["qwen3", "llama3_2", "gemma3"])
def real_tokenizer(request: pytest.FixtureRequest) -> Any:
    if not TOKENIZERS:
        pytest.skip("ITA_MED_TOKENIZERS names no folder with the tokenizers qwen3, llama3_2 and gemma3")
    return AutoTokenizer.from_pretrained(Path(TOKENIZERS) / request.param, padding_side="left")


@pytest.mark.slow
def test_real_tokenizers_pass_right_answers_and_end_in_time(real_tokenizer: Any, embedded: dict[str, TaskData]) -> None:
    for data in embedded.values():
        for kind in kinds(data):
            examples = data.examples[:6]
            constraints = [grammar.constraint(data, example, kind) for example in examples]
            for example, constraint in zip(examples, constraints, strict=True):
                assert accepts(real_tokenizer, constraint, f" {data.target(example)}")
            budget = 24 if data.task.family == "qa" else 160
            texts, _ = walk(real_tokenizer, constraints[:2], budget, endless)
            assert all(data.parse(text, e) is not None for text, e in zip(texts, examples, strict=False))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("name", READY)
def test_right_answers_of_the_real_data_pass(name: str, real_tokenizer: Any, real_mirror: str) -> None:
    """With each real tokenizer, and within the tokens that the task's YAML allows."""
    try:
        data = load(name, real_mirror)
    except ItaMedError as error:
        pytest.skip(str(error))
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False, metadata={"mirror": sources.EMBEDDED})
    budget = manager.load([name])["tasks"][name].config.generation_kwargs["max_gen_toks"]
    examples = data.examples + data.train
    for example in random.Random(name).sample(examples, min(250, len(examples))):
        target = f" {data.target(example)}"
        for kind in kinds(data):
            assert accepts(real_tokenizer, grammar.constraint(data, example, kind), target), example.id
        assert len(real_tokenizer(target, add_special_tokens=False)["input_ids"]) < budget, example.id


def test_chat_prompts_are_the_same_every_day(real_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if real_tokenizer.chat_template is None:
        pytest.skip("no chat template")
    from datetime import datetime

    import transformers.utils.chat_template_utils as templates

    def prompt(day: int, **pinned: Any) -> str:
        class Now(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Now:
                return cls(2031, 1, day)

        monkeypatch.setattr(templates, "datetime", Now)
        templates._compile_jinja_template.cache_clear()
        turns = [{"role": "user", "content": "Testo: febbre\nRisposta:"}]
        return str(real_tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **pinned))

    pinned = chat_template.TEMPLATE_SETTINGS
    assert prompt(1, **pinned) == prompt(2, **pinned)
    if "strftime_now" in real_tokenizer.chat_template:
        assert prompt(1) != prompt(2), "this template prints the date"
        assert f"Today Date: {pinned['date_string']}" in prompt(1, **pinned)
    if "enable_thinking" in real_tokenizer.chat_template:
        assert prompt(1, **pinned).endswith("<think>\n\n</think>\n\n")
        assert "<think>" not in prompt(1)


@pytest.mark.slow
@pytest.mark.skipif(not MODEL, reason="ITA_MED_MODEL names no folder of a small model")
def test_a_real_model_answers_in_form_through_plain_lm_eval(embedded: dict[str, TaskData]) -> None:
    for task in ("ita_med_ner_e3c_disorder", "ita_med_qa_med_ita"):
        data = embedded[task]
        args = f"pretrained={MODEL},dtype=float32"
        for sample in run("hf", args, task, metadata=CONSTRAINED, limit=2, device="cpu", batch_size=2):
            assert data.parse(said(sample), data.by_id[sample["doc"]["id"]]) is not None
            assert accepts(
                AutoTokenizer.from_pretrained(MODEL), data.schema(data.by_id[sample["doc"]["id"]]), said(sample)
            )


# --- questions by log-likelihood


QUESTIONS = [task.id for task in catalogue.tasks(ready=True) if task.family == "qa"]


class Likes(LM):
    """A model to which the right answer is the likeliest, or the least likely."""

    def __init__(self, sign: int) -> None:
        super().__init__()
        self.sign = sign
        self.asked: list[tuple[str, str]] = []

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        self.asked += [request.args for request in requests]
        return [(self.sign * (r.args[1].strip() == r.doc["target"]) - 5.0, False) for r in requests]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        raise NotImplementedError

    loglikelihood_rolling = generate_until  # type: ignore[assignment]


@pytest.mark.parametrize(("sign", "score"), [(1, 1.0), (-1, 0.0)])
def test_questions_can_be_answered_by_the_likeliest_letter(
    sign: int, score: float, embedded: dict[str, TaskData]
) -> None:
    model = Likes(sign)
    manager = TaskManager(
        include_path=str(FOLDER), include_defaults=False, metadata={"mirror": sources.EMBEDDED, "structured": "hf"}
    )
    found = simple_evaluate(
        model=model, tasks=["ita_med_qa_loglikelihood"], task_manager=manager, num_fewshot=1, limit=4
    )
    assert found is not None
    names = [name for name in found["results"] if name != "ita_med_qa_loglikelihood"]
    assert set(names) <= {f"{name}_loglikelihood" for name in QUESTIONS}
    for name in names:
        data = embedded[name.removesuffix("_loglikelihood")]
        assert found["results"][name]["score,none"] == score
        assert found["results"][name]["parse_failure,none"] == 0
        for example in data.examples[:4]:
            letters = "ABCDEFGHIJ"[: len(example.options)]
            asked = [answer for prompt, answer in model.asked if prompt.endswith(data.prompt(example))]
            assert asked == [f' {{"risposta": "{letter}"}}' for letter in letters]
        shot = f"{data.prompt(data.shots[0])} {data.target(data.shots[0])}"
        own = [p for p, _ in model.asked if p.endswith(tuple(data.prompt(example) for example in data.examples))]
        assert own
        assert all(prompt.startswith(f"{data.instruction()}\n\n{shot}") for prompt in own)
