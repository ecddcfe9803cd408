"""Ask a model all questions of a run: each distinct one once, what a journal holds not at all."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ita_med.errors import ItaMedError
from ita_med.tasks.evaluation.answer_log import Journal, LoggedAnswer
from ita_med.tasks.evaluation.hf_engine import Engine, Processors, groups, supports, tokenise
from ita_med.tasks.evaluation.prompt_requests import Request
from ita_med.tasks.families.json_answer import MAX_CHARACTERS
from ita_med.text import encodable

CHUNK = 512
"""Requests per call of a backend of lm-eval, which batches them itself and reports each answer as it comes."""
SMALL_CHUNK = 32
"""The same for other models, which report answers at the end of a call."""
TokenisedRequest = tuple[Request, Any]
"""A request and its prompt's tokens, or None."""
Cut = Callable[[Request], Iterator[list[Request]]]
"""A request that does not fit -> ways to ask it in windows, the finest one first (see `windows.cuts`)."""


@dataclass(frozen=True)
class Asked:
    """What became of a run's requests.

    Attributes:
        answers: by request key.
        windows: of prompts that did not fit and were asked in windows, key -> the requests of the windows.
        too_long: keys of prompts that did not fit and were not asked at all.
    """

    answers: dict[str, LoggedAnswer]
    windows: dict[str, list[Request]]
    too_long: set[str]


def ask(
    lm: Any,
    by_task: dict[str, list[Request]],
    journal: Journal,
    advance: Callable[[str, int], None],
    *,
    max_length: int | None,
    processors: Processors | None = None,
    cut: Cut | None = None,
) -> Asked:
    """Ask a model all requests of this process's share, those that are answered in the journal excepted.

    Args:
        lm: the lm-eval model.
        by_task: the requests of each task.
        journal: holds the answers of earlier calls and gets the new ones.
        advance: called with (task, n) when n more documents of a task are done.
        max_length: tokens of prompt and answer that the model takes, None where only its server knows. A prompt that
            leaves no room for `max_gen_toks` is asked in windows, or else not at all.
        processors: for constrained decoding with our own engine.
        cut: makes windows of a request.
    """
    engine = Engine(lm, int(lm.batch_size), processors) if supports(lm) else None
    in_windows: dict[str, list[Request]] = {}
    too_long: set[str] = set()
    for task, requests in by_task.items():
        copies = Counter(request.key for request in requests)
        rows = _with_tokens(lm, engine, {request.key: request for request in requests}, max_length)
        kept = [row for row in rows if _fits(row, max_length)]
        for long in (request for request, tokens in rows if not _fits((request, tokens), max_length)):
            found = _in_windows(lm, engine, cut(long) if cut else iter(()), max_length)
            if found:
                in_windows[long.key] = [request for request, _ in found]
                kept += found
            else:
                too_long.add(long.key)
            advance(task, copies[long.key])
        kept = list({request.key: (request, tokens) for request, tokens in kept}.values())
        if not kept:
            continue
        answered = _by_engine(engine, kept, journal) if engine else _by_lm(lm, [r for r, _ in kept], journal)
        for key in answered:
            advance(task, copies[key])
    return Asked(journal.answers, in_windows, too_long)


def _with_tokens(
    lm: Any, engine: Engine | None, requests: dict[str, Request], max_length: int | None
) -> list[TokenisedRequest]:
    """Requests with the tokens of their prompts where they matter and the model has a tokenizer; else with None."""
    distinct = list(requests.values())
    if engine:
        return list(zip(distinct, tokenise(lm, [r.prompt for r in distinct]), strict=True))
    return [(r, None if max_length is None else _encode(lm, r.prompt)) for r in distinct]


def _fits(row: TokenisedRequest, max_length: int | None) -> bool:
    request, tokens = row
    return not tokens or max_length is None or len(tokens) + int(request.kwargs["max_gen_toks"]) <= max_length


def _in_windows(
    lm: Any, engine: Engine | None, ways: Iterator[list[Request]], max_length: int | None
) -> list[TokenisedRequest]:
    """The first way after the finest one whose windows all fit; the finest if no other does; [] if not even that."""
    finest: list[TokenisedRequest] = []
    for way in ways:
        tokens = {r.key: t for r, t in _with_tokens(lm, engine, {r.key: r for r in way}, max_length)}
        rows = [(request, tokens[request.key]) for request in way]
        if all(_fits(row, max_length) for row in rows):
            if finest:
                return rows
            finest = rows
        elif not finest:
            break
    return finest


def _encode(lm: Any, text: Any) -> Any:
    """Tokens; None without a tokenizer: floors, and a server's that nobody named."""
    if not hasattr(lm, "tok_encode") or getattr(lm, "tokenizer", text) is None:
        return None
    try:
        return lm.tok_encode(text)
    except (AttributeError, NotImplementedError, TypeError):
        return None


def _by_engine(engine: Engine, rows: list[TokenisedRequest], journal: Journal) -> Iterator[str]:
    """Keys of answered requests. A group that is not wholly in the journal is generated again as a whole."""
    lm = engine.lm
    requests, tokens = [request for request, _ in rows], [tokens for _, tokens in rows]
    for group in groups(requests, tokens, engine.size)[lm.rank :: lm.world_size]:
        keys = [request.key for request in group.requests]
        if not all(key in journal.answers for key in keys):
            started = time.perf_counter()
            texts = engine.generate(group)
            seconds = (time.perf_counter() - started) / len(texts)
            journal.add((k, _answer(lm, text, seconds)) for k, text in zip(keys, texts, strict=True))
        yield from keys


def _by_lm(lm: Any, requests: list[Request], journal: Journal) -> Iterator[str]:
    """Keys of answered requests, by the model's own `generate_until`."""
    requests = sorted(requests, key=lambda r: (-len(str(r.prompt)), r.key))[lm.rank :: lm.world_size]
    yield from (r.key for r in requests if r.key in journal.answers)
    waiting = [r for r in requests if r.key not in journal.answers]
    of_lm_eval = type(lm).__module__.startswith("lm_eval.models.")
    size = CHUNK if of_lm_eval else SMALL_CHUNK
    for chunk in (waiting[i : i + size] for i in range(0, len(waiting), size)):
        hook = _Hook(lm, chunk, journal)
        lm.set_cache_hook(hook)
        texts = _generate_until(lm, chunk)
        hook.finish([(r.key, text) for r, text in zip(chunk, texts, strict=True)])
        yield from (r.key for r in chunk)


class _Hook:
    """Takes the place of lm-eval's response cache: the backends report every answer to it as soon as they have it."""

    def __init__(self, lm: Any, chunk: list[Request], journal: Journal) -> None:
        prompts = [str(request.prompt) for request in chunk]
        self.keys = {prompt: r.key for prompt, r in zip(prompts, chunk, strict=True) if prompts.count(prompt) == 1}
        self.lm, self.journal, self.since = lm, journal, time.perf_counter()
        self.done: set[str] = set()

    def add_partial(self, kind: str, args: Any, text: Any) -> None:
        """Called by the backend with each answer of `generate_until`: args are those of its request."""
        if kind == "generate_until" and (key := self.keys.get(str(args[0]))):
            self.finish([(key, text)])

    def finish(self, pairs: list[tuple[str, Any]]) -> None:
        """Record what is not recorded yet; the time since the last record is shared out."""
        new = [(key, text) for key, text in pairs if key not in self.done]
        if new:
            now = time.perf_counter()
            seconds = (now - self.since) / len(new)
            self.journal.add((key, _answer(self.lm, text, seconds)) for key, text in new)
            self.since = now
            self.done |= {key for key, _ in new}


def _generate_until(lm: Any, chunk: list[Request]) -> list[Any]:
    from lm_eval.api.instance import Instance

    instances = [
        Instance("generate_until", r.doc, (r.prompt, dict(r.kwargs)), 0, (r.task, n, 1)) for n, r in enumerate(chunk)
    ]
    quiet = {"disable_tqdm": True} if "disable_tqdm" in inspect.signature(lm.generate_until).parameters else {}
    try:
        texts: list[Any] = lm.generate_until(instances, **quiet)
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.startswith(("aiohttp", "openai", "tenacity")):
            raise ItaMedError(
                f"{chunk[0].task}: the model's server failed ({type(error).__name__}: {error}); "
                "the same command goes on from the last answer"
            ) from error
        raise
    if len(texts) != len(chunk):
        raise ItaMedError(f"{chunk[0].task}: the model gave {len(texts)} answers to {len(chunk)} requests")
    return texts


def _answer(lm: Any, raw: Any, seconds: float) -> LoggedAnswer:
    text = clean(raw)
    tokens = _encode(lm, text) if text else []
    return LoggedAnswer(text, None if tokens is None else len(tokens), seconds)


def clean(raw: Any) -> str:
    """What a file can hold of a model's output: a text, without half characters, no longer than any parser reads."""
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8", "replace")
    return encodable(raw[:MAX_CHARACTERS]) if isinstance(raw, str) else ""


def speed(requests: list[Request], asked: Asked) -> dict[str, Any]:
    """Documents, distinct requests, documents asked in windows, their windows, documents that were too long to be
    asked, seconds of the model, tokens that it wrote."""
    keys = {request.key for request in requests}
    windows = [request for key in keys & asked.windows.keys() for request in asked.windows[key]]
    kept = (keys - asked.too_long - asked.windows.keys()) | {request.key for request in windows}
    answers = [asked.answers[key] for key in kept]
    seconds = sum(answer.seconds for answer in answers)
    tokens = None if any(a.tokens is None for a in answers) else sum(a.tokens or 0 for a in answers)
    return {
        "documents": len(requests),
        "requests": len(answers),
        "windowed": sum(request.key in asked.windows for request in requests),
        "windows": len(windows),
        "too_long": sum(request.key in asked.too_long for request in requests),
        "generated_tokens": tokens,
        "seconds": round(seconds, 3),
        "requests_per_second": round(len(answers) / seconds, 3) if seconds else None,
        "tokens_per_second": round(tokens / seconds, 1) if seconds and tokens is not None else None,
    }
