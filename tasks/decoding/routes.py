"""How a constraint reaches each of lm-eval's backends: as generation settings of the request.

lm-eval knows no schema of a document. It groups requests by their settings and uses a group's first settings for all
of it, comparing dictionaries by their keys alone; its cache stores what json.dumps makes of the settings. So whatever
tells two constraints apart must stand in the settings as text.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from ita_med.borrowed.lm_eval_inside import let_vllm_take_text
from ita_med.errors import ItaMedError
from ita_med.tasks.benchmark import lm_eval_hooks
from ita_med.tasks.decoding import grammar
from ita_med.tasks.decoding.grammar import Constraint

if TYPE_CHECKING:
    import torch

ROUTES = ("hf", "vllm", "openai")
Settings = dict[str, Any]


def of_model(model: str) -> str:
    """The route (one of `ROUTES`) for one of lm-eval's model types; an ItaMedError where there is none."""
    if model in ("hf", "hf-auto", "huggingface"):
        return "hf"
    if model in ("vllm", "vllm-vlm"):
        return "vllm"
    if model.endswith("completions"):
        return "openai"
    raise ItaMedError(f"constrained decoding is for hf, vllm and local-(chat-)completions, not for {model}")


def constraint_of(doc: dict[str, Any], kind: str = "schema") -> Constraint:
    """What the answer to a document of `lm_eval_hooks.documents` may be."""
    data = lm_eval_hooks.task_data_of(doc)
    return grammar.constraint(data, data.by_id[doc["id"]], kind)


def settings(route: str, constraint: Constraint, options: Settings, model_args: Settings) -> Settings:
    """The generation settings `options`, with the constraint in the form that the route's backend takes."""
    if route not in ROUTES:
        raise ItaMedError(f'no route of constrained decoding is called "{route}"; known: {", ".join(ROUTES)}')
    if route == "hf":
        found: Settings = {"logits_processor": [Carried.make(constraint, options, model_args)]}
    elif isinstance(constraint, str):
        raise ItaMedError("verbatim answers are for the route hf; servers take JSON schemas only")
    elif route == "vllm":
        let_vllm_take_text()
        found = {"structured_outputs": json.dumps(grammar.with_separators(constraint))}
    else:
        schema = grammar.with_separators(constraint)
        answer_format = {"name": "risposta", "strict": True, "schema": schema}
        # `user` keeps lm-eval from mixing schemas in a group; servers make nothing of it.
        digest = hashlib.sha256(json.dumps(schema).encode()).hexdigest()[:16]
        found = {"response_format": {"type": "json_schema", "json_schema": answer_format}, "user": f"schema-{digest}"}
    return options | found


class Carried(str):
    """A constraint inside lm-eval's generation settings: text to lm-eval, a logits processor to transformers.

    lm-eval hands one object to `generate` for every batch of equal settings; each batch gets its own AnswerProcessor.
    """

    tokenizer: tuple[str, str | None, bool]
    max_new_tokens: int | None

    @classmethod
    def make(cls, constraint: Constraint, options: Settings, model_args: Settings) -> Carried:
        """A constraint that travels in the settings of a request.

        Args:
            constraint: of the answer.
            options: the generation settings beside it.
            model_args: must name the tokenizer, or the model that it belongs to.
        """
        name = model_args.get("tokenizer") or model_args.get("pretrained")
        if not isinstance(name, str):
            raise ItaMedError(
                "structured=hf needs to know the model: --model_args pretrained=…, or the same in metadata"
            )
        carried = cls(json.dumps(constraint))
        carried.tokenizer = name, model_args.get("revision"), bool(model_args.get("trust_remote_code"))
        carried.max_new_tokens = options.get("max_gen_toks")
        carried.seen, carried.processor = None, None
        return carried

    def __deepcopy__(self, memo: Any) -> Carried:
        return self

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        from ita_med.tasks.decoding.hf import AnswerProcessor

        if self.seen is None or not torch.equal(input_ids[:, :-1], self.seen):
            rows = [json.loads(self)] * len(input_ids)
            self.processor = AnswerProcessor(_tokenizer(*self.tokenizer), rows, self.max_new_tokens)
        self.seen = input_ids
        return self.processor(input_ids, scores)

    seen: torch.Tensor | None
    processor: Any


@cache
def _tokenizer(name: str, revision: str | None, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
