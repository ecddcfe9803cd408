"""All families of tasks, in the order of the report's columns. A new family is a class beside the others and a line
here; its floors are a line of `ita_med.tasks.baselines.predict`."""

from __future__ import annotations

from typing import Any

from ita_med.catalogue import Task
from ita_med.errors import ItaMedError
from ita_med.tasks.families.choice import Choice
from ita_med.tasks.families.family import Family
from ita_med.tasks.families.forms import Forms
from ita_med.tasks.families.relations import Relations
from ita_med.tasks.families.spans import Spans

FAMILIES: dict[str, Family[Any, Any]] = {
    "ner": Spans({"it": "Entità", "en": "Named entities"}),
    "crf": Forms({"it": "Schede (CRF)", "en": "Case report forms"}),
    "re": Relations({"it": "Relazioni", "en": "Relations"}),
    "qa": Choice({"it": "Domande", "en": "Questions"}),
    "arg": Spans({"it": "Argomentazione", "en": "Argumentation"}, argumentation=True),
}
"""The catalogue's word for a family -> the family."""


def family_of(task: Task) -> Family[Any, Any]:
    """The family of a task of the catalogue; an ItaMedError where none has its name."""
    if task.family not in FAMILIES:
        raise ItaMedError(
            f'{task.id}: no family is called "{task.family}"; tasks/families/registry.py has {", ".join(FAMILIES)}'
        )
    return FAMILIES[task.family]
