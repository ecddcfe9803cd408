"""Datasets that share texts by construction, as their authors say; the measured part is in docs/leakage.md."""

from __future__ import annotations

KNOWN: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("e3c", "e3c_sentences", "e3c_projected", "e3c_crf", "clinkart"),
        "E3C sentences, E3C-3.0, CLinkaRT and E3C to CRF are made of E3C's own documents",
    ),
    (
        ("multicardioner", "multiclinner"),
        "MultiClinNER holds the CardioCCC and SpaCCC cases of MultiCardioNER (DrugTEMIST is SpaCCC)",
    ),
    (
        ("distemist", "multicardioner", "multiclinner"),
        "DisTEMIST annotates SpaCCC cases, which DrugTEMIST and MultiClinNER translate too",
    ),
    (
        ("itamed", "europemedqa", "ssm_benchmark"),
        "all three hold questions of the national admission test to medical specialties (SSM)",
    ),
    (
        ("dart", "dimmi", "pharmaer", "aifa_rcp", "e3c"),
        "all hold texts on medicines published by AIFA; E3C in layer 3",
    ),
    (("medexpqa", "casimedicos_arg"), "both are the CasiMedicos cases of the Spanish MIR exams"),
    (("medmcqa_ita", "medmcqa_it"), "two translations of the same questions (MedMCQA)"),
    (
        ("biomedical_mmlu_ita", "global_mmlu", "mmlu_prox", "rita_mmlu"),
        "all translate questions of MMLU",
    ),
    (("dyspnea_crf", "dyspnea_notes"), "both are notes of the CL4Health 2026 shared task"),
)


def overlaps_of(name: str) -> list[tuple[tuple[str, ...], str]]:
    """The known overlaps that concern a dataset: (the other datasets, what they share)."""
    return [(tuple(other for other in group if other != name), what) for group, what in KNOWN if name in group]
