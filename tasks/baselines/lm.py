"""The floors as an lm-eval model: `--model baseline --model_args kind=knn,seed=0`.

Importing this module registers the model. It reads no prompt: a request names its task and example, and the answer is
that of `predict`, written as a model should write it. So the whole way of an evaluation is run without a model.
"""

from __future__ import annotations

from typing import Any

import lm_eval.models  # noqa: F401  lm-eval registers its own models only while its list is empty: let it come first
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from tqdm import tqdm

from ita_med.errors import ItaMedError
from ita_med.tasks.baselines.predict import Answers, check_kind, predict
from ita_med.tasks.benchmark import lm_eval_hooks
from ita_med.tasks.benchmark.task_data import TaskData

PASSED_TO_ALL_MODELS = {"batch_size", "max_batch_size", "device"}


@register_model("baseline")
class Baseline(LM):
    def __init__(self, kind: str = "knn", seed: int = 0, **rest: Any) -> None:
        super().__init__()
        check_kind(kind)
        for name in rest.keys() - PASSED_TO_ALL_MODELS:
            raise ItaMedError(f'the model "baseline" takes kind and seed, not "{name}"')
        self.kind = kind
        self.seed = int(seed)
        self._answers: dict[str, tuple[TaskData, Answers]] = {}

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        progress = tqdm(requests, f"baseline {self.kind}", disable=disable_tqdm or None)  # None: off a terminal only
        return [self.answer(request.doc) for request in progress]

    def answer(self, doc: dict[str, Any]) -> str:
        """The answer to a document of `lm_eval_hooks.documents`, as text."""
        if not {"id", "task", "data"} <= doc.keys():
            raise ItaMedError('the model "baseline" answers the tasks of ita_med only')
        task, data = doc["task"], lm_eval_hooks.task_data_of(doc)
        if task not in self._answers or self._answers[task][0] is not data:
            self._answers[task] = data, predict(self.kind, data, seed=self.seed)
        data, answers = self._answers[task]
        return data.render(answers[doc["id"]])

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        raise NotImplementedError("a baseline has no probabilities: it answers tasks of the type generate_until only")

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError("a baseline has no probabilities: it answers tasks of the type generate_until only")
