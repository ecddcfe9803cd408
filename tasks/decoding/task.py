"""The class of our tasks in lm-eval: each request may carry the constraint of its own document.

lm_eval run --tasks ita_med --metadata '{"structured": "hf"}'       (or "vllm", "openai")
… --metadata '{"structured": "hf", "constraint": "verbatim"}'       (copy only words of the document)
"""

from __future__ import annotations

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from ita_med.tasks.decoding import routes


class ClinicalTask(ConfigurableTask):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> Any:
        """The request that lm-eval makes of a document, with the constraint that the metadata ask for."""
        request = super().construct_requests(doc, ctx, **kwargs)
        metadata = self.config.metadata or {}
        if metadata.get("structured") and isinstance(request, Instance):
            prompt, options = request.arguments
            constraint = routes.constraint_of(doc, metadata.get("constraint", "schema"))
            request.arguments = (prompt, routes.settings(metadata["structured"], constraint, options, metadata))
        return request
