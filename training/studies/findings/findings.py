"""What a study found: tables, a figure and records; and the few words of figures in two languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ita_med import catalogue
from ita_med.figures.figure import Figure
from ita_med.tasks.report.tables import Table
from ita_med.training.studies.findings.scores import ScoredRuns

WORDS = {
    "en": {
        "curve": "How many examples are enough?",
        "examples": "training examples (log scale)",
        "points": "{metric} (points)",
        "band": "Lines: mean over seeds; small dots: single seeds. Bands: 95 % over evaluated documents and seeds.",
        "adaptation": "Ways to adapt one model",
        "bars": "Bars: 95 % over evaluated documents (and seeds, where there are several).",
        "mean": "mean of family means",
        "trained": "trained",
        "prompted": "prompted",
        "small-vs-large": "Small and trained against large and prompted",
        "hard": "difficulty {value:.0f}",
        "large": "The large model does not depend on training examples; its band is 95 % over documents",
        "cost": "What an answer costs",
        "flops": "floating-point operations per document (log scale)",
        "documents": "documents (log scale)",
        "total": "total cost, € (log scale)",
        "break-even": "Break-even",
        "ood": "In and out of distribution",
        "id": "in distribution (ID)",
        "out": "out of distribution (OOD)",
        "synthetic": "SYNTHETIC SAMPLE DATA.",
        "limited": "LIMITED RUN: some documents only.",
    },
    "it": {
        "curve": "Quanti esempi bastano?",
        "examples": "esempi di addestramento (scala logaritmica)",
        "points": "{metric} (punti)",
        "band": "Linee: media sui semi; punti piccoli: singoli semi. Fasce: 95 % su documenti valutati e semi.",
        "adaptation": "Modi di adattare uno stesso modello",
        "bars": "Barre: 95 % sui documenti valutati (e sui semi, se più d'uno).",
        "mean": "media delle medie di famiglia",
        "trained": "addestrato",
        "prompted": "interrogato",
        "small-vs-large": "Piccolo e addestrato contro grande e interrogato",
        "hard": "difficoltà {value:.0f}",
        "large": "Il modello grande non dipende dagli esempi; la sua fascia è il 95 % sui documenti",
        "cost": "Quanto costa una risposta",
        "flops": "operazioni in virgola mobile per documento (scala logaritmica)",
        "documents": "documenti (scala logaritmica)",
        "total": "costo totale, € (scala logaritmica)",
        "break-even": "Punto di pareggio",
        "ood": "Dentro e fuori distribuzione",
        "id": "in distribuzione (ID)",
        "out": "fuori distribuzione (OOD)",
        "synthetic": "DATI SINTETICI DI ESEMPIO.",
        "limited": "ESECUZIONE PARZIALE: solo alcuni documenti.",
    },
}


@dataclass
class Findings:
    """answers: what the study says, one sentence each; records: the numbers, one per line of table.csv."""

    title: str
    tables: list[Table]
    figure: Figure
    records: list[dict[str, Any]]
    answers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def word(lang: str, key: str, **values: Any) -> str:
    return WORDS[lang][key].format(**values)


def title_of(task: str, lang: str) -> str:
    """The catalogue's titles are Italian; in English a task goes by its id."""
    return catalogue.task(task).title if lang == "it" else task.removeprefix("ita_med_")


def start(lang: str, title: str, *notes: str) -> Findings:
    """A study's result with nothing in it yet: a figure with its title and with the notes that stand below it."""
    made = Figure(title, word(lang, title), [], list(notes), lang)
    return Findings(made.title, [], made, [])


def warnings(scored: ScoredRuns, lang: str) -> list[str]:
    """What stands in every figure of such runs."""
    kinds = {
        "synthetic": any(run.row.synthetic for run in scored.runs),
        "limited": any(r.row.limited for r in scored.runs),
    }
    return [word(lang, kind) for kind, there in kinds.items() if there]
