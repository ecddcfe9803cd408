"""The runs that answer a study, and studies that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from ita_med.errors import ItaMedError
from ita_med.training.studies.plan import plan, without_oversized
from ita_med.training.studies.study import Study, from_dict

NER, ARG = "ita_med_ner_e3c_disorder", "ita_med_arg_abstrct"
GLAUCOMA, MIXED = f"{ARG}_glaucoma", f"{ARG}_mixed"


def study(kind: str, **more: Any) -> Study:
    return from_dict({"kind": kind, "runs": ["elsewhere"]} | more, "test")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "curve"}, "kind is"),
        ({"sizes": [0]}, 'size "0"'),
        ({"sizes": ["many"]}, 'size "many"'),
        ({"sizes": [25, 25]}, "twice"),
        ({"seeds": [-1]}, 'seed "-1"'),
        ({"methods": ["magic"]}, "method"),
        ({"shots": 9}, "expected 1 to 8"),
        ({"runs": []}, "neither recipes"),
        ({"prices": {"example": -1.0}}, "negative"),
        ({"prices": {"exmaple": 1.0}}, "unknown key"),
        ({"epochs": 3}, "unknown key"),
        ({"recipes": ["nothing/here"]}, "no recipe is called"),
        ({"kind": "adaptation", "recipes": ["qwen3/qwen3-1.7b-ft"], "methods": ["cpt"]}, "needs a recipe"),
        ({"kind": "adaptation", "recipes": ["qwen3/qwen3-1.7b-ft"], "cpt": "llama3/llama-3.2-1b-cpt"}, "another model"),
        ({"recipes": ["qwen3/qwen3-1.7b-cpt"], "changes": ["data.corpora=[x]"]}, "answers no task"),
    ],
)
def test_studies_that_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ItaMedError, match=message):
        plan(study("learning-curve", **values) if "kind" not in values else study(**values))


def test_plans() -> None:
    asked = study("learning-curve", recipes=["smollm2/smollm2-135m-instruct-ft"], tasks=[NER])
    made = without_oversized(plan(asked), {NER: 250})
    names = [cell.name.removeprefix("smollm2-135m-instruct-ft_") for cell in made.cells]
    assert names == [f"{n}_s{s}" for n in ("n25", "n50", "n100", "n200", "all") for s in range(3)], (
        "300 are more than all"
    )
    assert list(made.trainings) == [cell.training for cell in made.cells]
    assert made.trainings[made.cells[0].training].recipe.data.examples == 25
    assert made.trainings[made.cells[-1].training].recipe.data.examples is None
    assert [made.trainings[cell.training].recipe.train.seed for cell in made.cells[:3]] == [0, 1, 2]
    made = plan(
        study("adaptation", recipes=["qwen3/qwen3-1.7b-ft"], cpt="qwen3/qwen3-1.7b-cpt", seeds=[0],
              cpt_changes=["data.corpora=[corpus]"])
    )  # fmt: skip
    methods = ["zero-shot", "4-shot", "zero-shot + CD", "4-shot + CD", "FT", "CPT", "CPT, 4-shot", "CPT, FT"]
    assert [cell.method for cell in made.cells] == methods
    assert made.trainings["qwen3-1.7b-ft_cpt-ft_s0"].after == "qwen3-1.7b-cpt"
    assert len(made.trainings) == 3, "CPT is trained once"
    made = plan(study("ood", recipes=["qwen3/qwen3-1.7b-ft"], changes=["data.tasks=[arg_abstrct]"], seeds=[0]))
    assert made.cells[0].tasks == (ARG, GLAUCOMA, MIXED)
    assert [cell.method for cell in made.cells] == ["4-shot", "FT"]
