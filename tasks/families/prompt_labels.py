"""The Italian words of the prompts: what each label of each dataset is called, and what it means."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ita_med.catalogue import Task
from ita_med.errors import ItaMedError

E3C_MENTIONS = {
    "CLINENTITY": ("disturbo", "malattie, sintomi, segni, lesioni e altri disturbi clinici"),
    "EVENT": ("evento", "parola che indica un evento clinico: sintomo, esame, procedura, terapia, ricovero"),
    "ACTOR": ("persona", "il paziente, i familiari, il personale sanitario"),
    "BODYPART": ("parte del corpo", "parti anatomiche, organi e tessuti"),
    "TIMEX3": ("espressione temporale", "date, durate, frequenze e altri riferimenti di tempo"),
    "RML": ("risultato", "risultati di esami e misurazioni"),
}
ARGUMENTS = {
    "Claim": ("tesi", "affermazione conclusiva che l'autore sostiene"),
    "Premise": ("premessa", "osservazione, dato o misura portati a sostegno di una tesi"),
}
DRUGS = {"FARMACO": ("farmaco", "farmaci e principi attivi, col nome con cui sono citati")}
LEAFLETS = {
    "DRUG": ("farmaco", "farmaci e principi attivi"),
    "DISEASE": ("malattia", "malattie e condizioni cliniche"),
    "SYMPTOM": ("sintomo", "sintomi, segni ed effetti indesiderati"),
    "ANATOMICAL_PART": ("parte anatomica", "parti anatomiche, organi e tessuti"),
}
NEUROPSYCHIATRY = {
    "DIAGNOSI E COMORBIDITÀ": ("diagnosi", "malattie diagnosticate e comorbidità"),
    "SINTOMI COGNITIVI": (
        "sintomo cognitivo",
        "alterazioni di memoria, attenzione, linguaggio e altre funzioni cognitive",
    ),
    "SINTOMI NEUROPSICHIATRICI": ("sintomo neuropsichiatrico", "alterazioni dell'umore, del comportamento e del sonno"),
    "TRATTAMENTO FARMACOLOGICO": ("farmaco", "farmaci e terapie farmacologiche"),
    "TEST": ("test", "test, scale ed esami per la valutazione del paziente"),
}
SPAN_WORDS: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("e3c", "disorder"): {"CLINENTITY": E3C_MENTIONS["CLINENTITY"]},
    ("e3c", "mentions"): E3C_MENTIONS,
    ("abstrct", "neoplasm"): ARGUMENTS,
    ("abstrct", "glaucoma"): ARGUMENTS,
    ("abstrct", "mixed"): ARGUMENTS,
    ("casimedicos_arg", "arguments"): ARGUMENTS,
    ("multicardioner", "drugtemist_passages"): DRUGS,
    ("multicardioner", "cardioccc_passages"): DRUGS,
    ("pharmaer", "entities_passages"): LEAFLETS,
    ("psynit", "entities_passages"): NEUROPSYCHIATRY,
}
"""(dataset, config) -> label -> (word used in prompt and answer, explanation)."""


@dataclass(frozen=True)
class RelationWords:
    """head, tail: keys of the answer, with explanations; labels: label -> word, with one label none is asked."""

    question: str
    head: tuple[str, str]
    tail: tuple[str, str]
    labels: dict[str, str]


CLINKART = RelationWords(
    "i risultati di esami o misurazioni e l'esame a cui ciascuno si riferisce",
    ("risultato", "il valore o l'esito"),
    ("esame", "la parola che indica l'esame o la misura"),
    {"PERTAINSTO": "si riferisce a"},
)
RELATION_WORDS: dict[tuple[str, str], RelationWords] = {
    ("e3c", "clinkart"): CLINKART,
    ("e3c_projected", "relations"): CLINKART,
    ("e3c", "temporal_by_sentence"): RelationWords(
        "le relazioni temporali tra un evento clinico e un altro evento o un'espressione temporale",
        ("evento", "la parola che indica l'evento"),
        ("riferimento", "l'altro evento o l'espressione temporale"),
        {
            "BEFORE": "prima di",
            "CONTAINS": "contenimento",
            "OVERLAP": "si sovrappone a",
            "BEGINS-ON": "inizia con",
            "ENDS-ON": "termina con",
            "SIMULTANEOUS": "contemporaneo a",
        },
    ),
}
"""(dataset, config) -> the words of its relations; temporal relations read as "evento RELAZIONE riferimento".

Upstream's CONTAINS runs both ways (a finding to the exam that contains it, a therapy to its parts): so its word is
neutral."""


LabelWords = TypeVar("LabelWords")


def words_of(task: Task, table: dict[tuple[str, str], LabelWords]) -> LabelWords:
    """The words of a task in one of the tables above; an ItaMedError where it has none."""
    if (task.dataset, task.config) not in table:
        raise ItaMedError(
            f'{task.id}: no Italian words for the labels of ("{task.dataset}", "{task.config}"); '
            "add them to tasks/families/prompt_labels.py"
        )
    return table[task.dataset, task.config]


def check_words(task: Task, labels: Iterable[str], words: Collection[str]) -> None:
    """Raise ItaMedError if a label of the examples has no Italian word, so that no prompt could name it."""
    if missing := sorted({*labels} - {*words}):
        raise ItaMedError(
            f'{task.id}: the label "{missing[0]}" of ("{task.dataset}", "{task.config}") has no Italian word; '
            "add it to tasks/families/prompt_labels.py"
        )
