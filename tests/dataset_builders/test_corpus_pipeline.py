"""The corpus pipeline: each step against a plain reference, and whole builds of small corpora."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from ita_med.dataset_builders import build as builders
from ita_med.dataset_builders.corpus_pipeline import (
    build_corpus,
    clean,
    decontaminate,
    exact_duplicates,
    inputs,
    language,
    minhash,
    near_duplicates,
    person_names,
    personal_data,
    shingles,
    sorted_runs,
    steps,
)
from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import (
    CorpusRecipe,
    DecontaminateSettings,
    ExactSettings,
    LanguageSettings,
    MinHashSettings,
    NormaliseSettings,
    PersonalDataSettings,
    QualitySettings,
    read_recipe,
)
from ita_med.errors import DataError, ItaMedError

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

NOTES = [
    "Pz vigile, orientato, collaborante. EO: addome trattabile, MV ridotto alla base dx. PA 130/80 FC 88 SpO2 94% aa",
    "Hb 9,2 GB 12.300 PLT 234.000 PCR 8,4 creat 1,3 Na 138 K 4,1",
    "Dolore toracico da 2 h. ECG: RS, no alt. ST. Trop neg x2. Dimesso.",
    "ipertensione, DM2, IRC st. III, FA in TAO",
    "RX torace: addensamento basale sn. EGA: pH 7,44 pCO2 32 pO2 61",
    "Cefalea, vomito, fotofobia",
    "Codice verde. Trauma caviglia dx. Rx neg. Bendaggio elastocompressivo, ghiaccio, riposo, FANS al bisogno",
]
OFF = {
    "normalise": NormaliseSettings(on=False),
    "language": LanguageSettings(on=False),
    "quality": QualitySettings(on=False),
    "decontaminate": DecontaminateSettings(on=False),
    "personal_data": PersonalDataSettings(on=False),
}
ONLY_DUPLICATES = CorpusRecipe(**OFF)  # type: ignore[arg-type]

# ----- Normalisation, language, quality ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("perchÃ© la lesione Ã¨ guarita", "perché la lesione è guarita"),
        ("riga\r\naltra\rterza", "riga\naltra\nterza"),
        ("press\x00ione\x07 \x93alta\x94", "pressione “alta”"),
        ("perche\u0301", "perché"),
        ("PLT \uf0b3 50, \uf06dg, 20 \uf0b1 2", "PLT ≥ 50, µg, 20 ± 2"),
        ("2 m² ≥ 3 µg ±5 ½ cp → RX “neg” l’uso", "2 m² ≥ 3 µg ±5 ½ cp → RX “neg” l’uso"),
        ("dolore\u00ad\u200b &egrave; acuto", "dolore è acuto"),
        ("pCO2 < 40 & pO2 > 60", "pCO2 < 40 & pO2 > 60"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert clean.normalise(text) == expected


def test_white_space_is_folded_on_demand() -> None:
    assert clean.normalise("a  b\n\nc\td ", fold_white_space=True) == "a b c d"
    assert clean.normalise("a  b\n\nc\td ") == "a  b\n\nc\td"


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_normalised_text_has_no_control_characters_and_is_composed(text: str) -> None:
    result = clean.normalise(text)
    assert not [c for c in result if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert unicodedata.is_normalized("NFC", result)


@pytest.mark.parametrize("note", NOTES)
def test_a_terse_note_is_italian_and_good(note: str) -> None:
    assert language.foreign(note) is None
    assert clean.judge(note, QualitySettings()) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The patient was admitted with worsening dyspnea and was treated with furosemide", "en"),
        ("El paciente ingresó por disnea progresiva y edemas en los miembros inferiores", "es"),
        ("Le patient a été hospitalisé pour une dyspnée avec des œdèmes des jambes", "fr"),
        ("Der Patient wurde wegen Atemnot und mit Ödemen in der Klinik aufgenommen", "de"),
        ("Il paziente è stato ricoverato per dispnea, with normal ECG at the time of admission", None),
    ],
)
def test_language(text: str, found: str | None) -> None:
    assert language.foreign(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("RX", "too_short"),
        ("esami del giorno: " + "12 34 56,7 89 " * 20, "few_letters"),
        ("§§##@@{{}}~~^^ dolore addominale ##@@~~^^§§", "symbols"),
        ("dati " + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY3ODkw" * 4, "unbroken_text"),
        ("Pagina del reparto\n" + "Torna al menu principale\n" * 30, "repeated_lines"),
        ("Pagina non trovata. Tutti i diritti riservati. Cookie policy", "boilerplate"),
        ("referto \ufffd\ufffd\ufffd dell'esame \ufffd\ufffd", "broken_encoding"),
    ],
)
def test_a_text_without_worth_has_its_reason(text: str, reason: str) -> None:
    assert clean.judge(text, QualitySettings()) == reason


# ----- Words, n-grams, signatures ---------------------------------------------------------------------------


def datatrove_signature(tmp_path: Path) -> Any:
    from datatrove.pipeline.dedup import MinhashDedupSignature

    return MinhashDedupSignature(str(tmp_path), language="ita")


def test_words_are_those_of_datatrove(tmp_path: Path) -> None:
    step = datatrove_signature(tmp_path)
    for text in [*NOTES, "Aspirina® 100mg l’uso d'ossigeno, n.3 al 37,5°C – m² 20 µg"]:
        expected = step.word_tokenizer.word_tokenize(simplified(text))
        assert [w.decode() for w in shingles.WordTable().of(text)] == expected


def simplified(text: str) -> str:
    from datatrove.utils.text import simplify_text

    return str(simplify_text(text))


@given(st.lists(st.sampled_from(["paziente", "è", "µg", "0", "dx"]), max_size=30), st.integers(1, 6))
def test_shingles_hash_joined_words(tokens: list[str], n: int) -> None:
    found = shingles.shingles([t.encode() for t in tokens], n)
    expected = [xxhash.xxh64_intdigest(" ".join(tokens[i : i + n])) for i in range(len(tokens) - n + 1)]
    assert found.tolist() == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=300))
def test_signatures_are_those_of_datatrove(values: list[int]) -> None:
    step = datatrove_signature(Path("unused"))
    shingles = np.array(values, np.uint64)
    expected = [number for band in step.get_signature(shingles.reshape(-1, 1)) for number in band]
    assert minhash.Signer(MinHashSettings()).signature(shingles).tolist() == expected


def test_a_hash_at_the_modulus_becomes_zero_as_in_datatrove() -> None:
    step = datatrove_signature(Path("unused"))
    factors, terms = (row[0] for row in step.parameters)
    column = next(i for i, factor in enumerate(factors) if factor % 2)  # an odd factor has an inverse
    value = (int(minhash.MERSENNE) - int(terms[column])) * pow(int(factors[column]), -1, 2**64) % 2**64
    shingles = np.array([value], np.uint64)
    assert minhash.Signer(MinHashSettings()).signature(shingles)[column] == 0
    assert np.concatenate(step.get_signature(shingles.reshape(-1, 1)))[column] == 0


# ----- Duplicates -------------------------------------------------------------------------------------------


def levels_by_hand(texts: list[str]) -> list[int]:
    """0 for the first of its kind, else the strictest level at which an earlier text is equal."""
    forms: list[Callable[[str], str]] = [str, str.strip, lambda t: " ".join(t.split())]
    out = []
    for i, text in enumerate(texts):
        equal = [n + 1 for n, form in enumerate(forms) if any(form(text) == form(e) for e in texts[:i])]
        out.append(min(equal, default=0))
    return out


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a b", "a  b", " a b", "a b\n", "c", "c ", "d"]), max_size=25), st.integers(1, 4))
def test_the_first_of_equal_documents_stays(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], tasks: int
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    size = -(-len(texts) // tasks)
    parts = [texts[t * size : (t + 1) * size] for t in range(tasks)]
    for t, part in enumerate(parts):
        exact_duplicates.save(
            folder / f"{t}.npy", [exact_duplicates.record(n, text, text) for n, text in enumerate(part)]
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "RANGE", 3)
        exact_duplicates.find(
            [folder / f"{t}.npy" for t in range(tasks)], [folder / f"{t}-out.npy" for t in range(tasks)]
        )
    found = []
    for t, part in enumerate(parts):
        removed = dict(np.load(folder / f"{t}-out.npy").tolist())
        found += [removed.get(n, 0) for n in range(len(part))]
    assert found == levels_by_hand(texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8), min_size=1, max_size=4))
def test_near_duplicates_are_the_connected_documents(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[int, int]]]
) -> None:
    """Two bands with keys from a small set; a document stays if it is the first of those it is connected to."""
    folder = tmp_path_factory.mktemp("near")
    step = 2**64 // 6
    for t, part in enumerate(parts):
        keys = [np.array([k * step for k in pair], np.uint64) for pair in part]
        near_duplicates.save(folder, t, list(range(len(part))), keys, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "RANGE", 4)
        near_duplicates.find(folder, [len(p) for p in parts], 2, [folder / f"{t}-out.npy" for t in range(len(parts))])
    found = [n for t, part in enumerate(parts) for n in _global(parts, t, np.load(folder / f"{t}-out.npy"))]
    flat = [pair for part in parts for pair in part]
    group = list(range(len(flat)))
    for i, a in enumerate(flat):
        for j, b in enumerate(flat[:i]):
            if a[0] == b[0] or a[1] == b[1]:
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if g == old else g for g in group]
    assert found == [i for i, g in enumerate(group) if g != i]


def _global(parts: list[list[tuple[int, int]]], task: int, numbers: Any) -> list[int]:
    return [sum(map(len, parts[:task])) + int(n) for n in numbers]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def synthetic(n: int, seed: int = 0) -> list[str]:
    """Texts of 40 to 80 words; every third nearly repeats an earlier one, every fifth repeats one exactly."""
    rng = np.random.default_rng(seed)
    stock = [
        f"{a}{b}" for a in ("card", "nefr", "epat", "derm", "gastr") for b in ("ite", "osi", "oma", "algia", "opatia")
    ]
    out: list[str] = []
    for i in range(n):
        if i > 5 and i % 5 == 0:
            out.append(out[int(rng.integers(i))])
        elif i > 5 and i % 3 == 0:
            tokens = out[int(rng.integers(i))].split()
            tokens[int(rng.integers(len(tokens)))] = "modificato"
            out.append(" ".join(tokens))
        else:
            out.append(" ".join(f"{stock[k]} {k2}x" for k, k2 in rng.integers(0, 25, (int(rng.integers(20, 40)), 2))))
    return out


def test_the_kept_set_is_that_of_datatrove(tmp_path: Path) -> None:
    """One document of each of datatrove's clusters stays, with datatrove's own tokenizer, signatures and stages."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster

    texts = list(dict.fromkeys(synthetic(120)))
    source = write_jsonl(tmp_path / "in.jsonl", [{"id": str(i), "text": t} for i, t in enumerate(texts)])
    build_corpus.build([str(source)], tmp_path / "out", ONLY_DUPLICATES, tasks=3)
    kept = [int(row["id"]) for row in rows_of(tmp_path / "out")]

    step = datatrove_signature(tmp_path / "signatures")
    step.run([Document(t, str(i)) for i, t in enumerate(texts)])
    for bucket in range(14):
        MinhashDedupBuckets(str(tmp_path / "signatures"), str(tmp_path / "pairs")).run(None, bucket, 14)
    MinhashDedupCluster(str(tmp_path / "pairs"), str(tmp_path / "remove"), save_cluster_id=True).run(None, 0, 1)
    pairs = np.fromfile(tmp_path / "remove" / "000000.clusters", "<u4").reshape(-1, 2).tolist()
    cluster = dict(pairs)
    assert 10 < len(set(cluster.values())) < len(cluster)
    assert sorted(cluster.get(i, -1 - i) for i in kept) == sorted({cluster.get(i, -1 - i) for i in range(len(texts))})


# ----- Personal data ----------------------------------------------------------------------------------------

VALID_CODE, BROKEN_CODE = "BNCCRL61D43F205P", "BNCCRL61D43F205Q"


def replaced(text: str) -> str:
    return personal_data.replace(text, personal_data.find(text))[0]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"CF {VALID_CODE}.", "CF <CODICE_FISCALE>."),
        (f"lotto {BROKEN_CODE} scaduto", f"lotto {BROKEN_CODE} scaduto"),
        ("Tel. 02 45678901, cell. 347 1234567", "Tel. <TELEFONO>, cell. <TELEFONO>"),
        ("scrivere a mario.rossi@esempio.it oggi", "scrivere a <EMAIL> oggi"),
        ("IBAN IT60X0542811101000000123456", "IBAN <IBAN>"),
        ("P.IVA 00743110157", "P.IVA <PARTITA_IVA>"),
        ("passaporto YA1234567 valido", "passaporto <DOCUMENTO> valido"),
        ("residente in via Giuseppe Garibaldi 12, 20121 Milano", "residente in <INDIRIZZO>"),
        ("Il paziente Mario Rossi, nato il 12/03/1950", "Il paziente <NOME>, nato il <DATA_DI_NASCITA>"),
        ("Dott.ssa Anna Verdi; MMG Dr. Bruni", "Dott.ssa <NOME>; MMG Dr. <NOME>"),
        ("Sig.ra BIANCHI CARLA, la signora Chiara", "Sig.ra <NOME>, la signora <NOME>"),
        ("Ricoverata Maria Rossi per dispnea", "Ricoverata <NOME> per dispnea"),
    ],
)
def test_personal_data_become_placeholders(text: str, expected: str) -> None:
    assert replaced(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *NOTES,
        "Ospedale San Giovanni Bosco, policlinico Umberto I, via Giuseppe",
        "Morbo di Crohn, sindrome di Down, test ELISA positivo, in corso di terapia per via orale",
        "Fulvestrant Dr. Reddy's 250 mg, Bruno Farmaceutici S.p.A., AIC 034567012",
        "PA 130/80, 2019-2020, 100 mg 40 compresse, 10-20 mg/die, protocollo 20240101",
    ],
)
def test_clinical_text_is_left_alone(text: str) -> None:
    assert replaced(text) == text


def test_looking_at_parts_of_a_text_finds_what_looking_at_all_of_it_does() -> None:
    filler = "Il quadro clinico resta stabile e la terapia prosegue senza variazioni di rilievo. " * 4
    text = filler.join(["", f"CF {VALID_CODE} ", "Tel. 02 45678901 ", "Dott.ssa Anna Verdi ", "a@esempio.it ", ""])
    assert len(list(personal_data.windows(text))) == 4
    whole = personal_data.analyzer().analyze(text, "it", entities=list(personal_data.PLACEHOLDERS), score_threshold=0.4)
    assert {(f.start, f.end, f.entity_type) for f in whole} == set(personal_data.find(text))


@given(st.text(alphabet="ab1.@-_ +!'è\n", max_size=30))
@settings(max_examples=500, derandomize=True, deadline=None)
def test_an_address_is_what_presidio_takes_for_one(text: str) -> None:
    import re

    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    theirs = re.compile(EmailRecognizer().patterns[0].regex)
    text = f"{text}@{text}"
    found = [match.span() for match in re.finditer(personal_data._EMAIL, text)]
    assert found == [match.span() for match in theirs.finditer(text)]


SPANS = st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True).map(sorted)


@given(st.text("ab ", min_size=40, max_size=40), SPANS)
def test_replacing_changes_nothing_but_the_finds(text: str, cuts: list[int]) -> None:
    found = [(s, e, "PERSON") for s, e in zip(cuts[::2], cuts[1::2], strict=False)]
    result, counts = personal_data.replace(text, found)
    edges = [0, *(x for s, e, _ in found for x in (s, e)), len(text)]
    assert result.split("<NOME>") == [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    assert counts == Counter({"<NOME>": len(found)})


def test_given_names_are_written_as_names() -> None:
    assert all(name.isalpha() and name.istitle() for name in person_names.GIVEN_NAMES)
    assert not person_names.GIVEN_NAMES & {"Rosa", "Salvatore", "Pia", "Vera", "Marina"}


# ----- Whole builds -----------------------------------------------------------------------------------------


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((out / "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def evaluation_text() -> str:
    """A document of the synthetic evaluation data."""
    files = builders.open_files("e3c", "embedded")
    examples = {s: g for _, s, g in builders.examples("e3c", ["crf"], files=files)}
    return max((e.text for e in examples["test"]), key=len)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, evaluation_text: str) -> Path:
    """Notes of two licences with everything that the pipeline acts on."""
    folder = tmp_path_factory.mktemp("corpus")
    long = "Il paziente è stato ricoverato per dispnea ingravescente e trattato con diuretico, con buona risposta; "
    texts = [
        *NOTES,
        NOTES[0],
        f" {NOTES[1]}",
        NOTES[2].replace(" ", "  "),
        "The patient was admitted with worsening dyspnea and was treated with furosemide",
        "RX",
        long * 3 + "dimesso il terzo giorno.",
        long * 3 + "dimesso il quarto giorno.",
        f"Dal diario: {evaluation_text}",
        "Visto dal Dott. Mario Rossi, tel. 02 45678901: quadro stabile, prosegue la terapia in atto.",
    ]
    rows = [{"id": f"d{i:02}", "text": t, "source": "reparto", "licence": "CC BY"} for i, t in enumerate(texts)]
    write_jsonl(folder / "a.jsonl", rows[:9])
    datasets.Dataset.from_list([row | {"licence": "CC0"} for row in rows[9:]]).to_parquet(str(folder / "b.parquet"))
    return folder


@pytest.fixture(scope="module")
def built(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "corpus"
    build_corpus.build([str(corpus)], out, CorpusRecipe(), mirror="embedded", tasks=3)
    return out


def test_a_build_keeps_what_is_good_and_counts_the_rest(built: Path, evaluation_text: str) -> None:
    ids = [row["id"] for row in rows_of(built)]
    assert ids == ["d00", "d01", "d02", "d03", "d04", "d05", "d06", "d12", "d15"]
    report = build_corpus.read_report(built)
    removed = {
        f"{step}/{reason}": counts["documents"]
        for step, entry in report["total"]["steps"].items()
        for reason, counts in entry["removed"].items()
    }
    assert removed == {
        "language/en": 1,
        "quality/too_short": 1,
        "exact_duplicate/byte_exact": 1,
        "exact_duplicate/stripped": 1,
        "exact_duplicate/white_space_folded": 1,
        "near_duplicate/minhash": 1,
        "contaminated/evaluation_text": 1,
    }
    assert report["duplicates"] == {"byte_exact": 1, "stripped": 2, "white_space_folded": 3, "normalised": 3}
    assert report["total"]["personal_data"] == {"<NOME>": 1, "<TELEFONO>": 1}
    licences = report["sources"]["reparto"]
    assert {name: entry["written"]["documents"] for name, entry in licences.items()} == {"CC BY": 7, "CC0": 2}
    written = report["total"]["written"]
    assert written["words"] == sum(len(row["text"].split()) for row in rows_of(built))
    assert written["characters"] == sum(len(row["text"]) for row in rows_of(built))


def test_every_step_begins_where_the_one_before_it_ended(built: Path) -> None:
    report = build_corpus.read_report(built)
    tables = [report["total"], *(e for source in report["sources"].values() for e in source.values())]
    for table in tables:
        chain = list(table["steps"].values())
        for first, second in pairwise(chain):
            assert first["after"] == second["before"]
        for entry in chain[1:]:
            for unit in ("documents", "words", "characters"):
                gone = sum(counts[unit] for counts in entry["removed"].values())
                assert entry["before"][unit] - gone == entry["after"][unit]
        assert chain[-1]["after"]["documents"] == table["written"]["documents"]


def test_the_report_names_leaks_but_never_their_text(built: Path, evaluation_text: str) -> None:
    found = build_corpus.read_report(built)["decontamination"]
    leak = found["found"]["e3c/crf/test"]
    assert leak["corpus_documents_removed"] == 1
    assert leak["examples"][0]["corpus_id"] == "d14"
    assert leak["examples"][0]["share"] == 1
    assert found["checked"]["e3c/crf/test"]["synthetic"]
    assert found["checked"]["e3c/crf/train"]["evaluation"] is False
    assert "psynit" in found["not_checked"] or "psynit" in str(found["checked"])
    for name in ("report.json", "README.md"):
        assert evaluation_text[20:60] not in (built / name).read_text("utf-8")


def test_plain_datasets_reads_the_result(built: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(built), cache_dir=str(tmp_path), split="train")
    assert len(loaded) == 9
    assert loaded.column_names == ["id", "text", "source", "licence", "url", "split", "meta"]


def test_workers_change_nothing_and_tasks_only_the_shards(
    built: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [("e3c", "crf", "test", True)]  # to open all labelled data three times would take long
    monkeypatch.setattr(decontaminate, "labelled_views", lambda training: iter(views))
    recipe = CorpusRecipe(personal_data=PersonalDataSettings(on=False))
    builds = {"straight": (3, 1), "two": (3, 2), "one": (1, 1)}
    for name, (tasks, workers) in builds.items():
        build_corpus.build([str(corpus)], tmp_path / name, recipe, mirror="embedded", tasks=tasks, workers=workers)
    assert files_of(tmp_path / "two") == files_of(tmp_path / "straight")
    assert rows_of(tmp_path / "one") == rows_of(tmp_path / "straight")
    assert len(rows_of(tmp_path / "one")) == len(rows_of(built))


def test_the_command_builds_and_reports(corpus: Path, tmp_path: Path, command: Command) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("decontaminate: false\npersonal_data: false\noutput: {format: jsonl.zst}\n")
    out = tmp_path / "out"
    done = command("corpus", "build", corpus / "*.jsonl", "--out", out, "--recipe", recipe, "--tasks", "2")
    assert done.code == 0, done.err
    assert done.err == ""
    assert "| exact duplicate | 7 |" in done.out
    assert command("corpus", "report", out).out == done.out
    pieces = inputs.pieces(inputs.find_files(str(out / "data")))
    assert [record.id for piece in pieces for record in inputs.records(piece)] == [f"d{i:02}" for i in range(7)]
    before = files_of(out)
    again = command("corpus", "build", corpus / "*.jsonl", "--out", out, "--recipe", recipe, "--tasks", "2")
    assert (again.out, files_of(out)) == (done.out, before)


def test_an_unfinished_run_with_other_settings_is_not_overwritten(corpus: Path, tmp_path: Path) -> None:
    work = build_corpus.work_folder(tmp_path / "out")
    work.mkdir()
    (work / "plan.json").write_bytes(orjson.dumps({"fingerprint": "another"}))
    with pytest.raises(ItaMedError, match="--restart"):
        build_corpus.build([str(corpus)], tmp_path / "out", ONLY_DUPLICATES)
    build_corpus.build([str(corpus)], tmp_path / "out", ONLY_DUPLICATES, restart=True)
    assert not work.exists()


@pytest.mark.parametrize(
    ("steps_off", "kept"),
    [({}, 1), ({"minhash": MinHashSettings(on=False)}, 1), ({"exact": ExactSettings(on=False)}, 1)],
)
def test_steps_can_be_left_out(tmp_path: Path, steps_off: dict[str, Any], kept: int) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [{"text": "Il paziente torna oggi a casa propria."}] * 3)
    build_corpus.build([str(source)], tmp_path / "out", CorpusRecipe(**(OFF | steps_off)), tasks=2)
    assert len(rows_of(tmp_path / "out")) == kept


def test_a_corpus_of_which_nothing_is_left_is_no_error(tmp_path: Path) -> None:
    recipe = CorpusRecipe(**(OFF | {"quality": QualitySettings()}))  # type: ignore[arg-type]
    build_corpus.build([str(write_jsonl(tmp_path / "in.jsonl", [{"text": "RX"}]))], tmp_path / "out", recipe, tasks=2)
    assert rows_of(tmp_path / "out") == []


def test_a_folder_that_is_no_corpus_is_never_replaced(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("keep me")
    with pytest.raises(ItaMedError, match="no corpus"):
        build_corpus.build([str(corpus)], tmp_path, ONLY_DUPLICATES)
    assert (tmp_path / "thesis.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"id": "1"}\n', '"text" is'),
        (b'{"text": 3}\n', '"text" is'),
        (b'{"text": "a"\n', "byte 0 is not JSON"),
        (b"[1]\n", "no JSON object"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, command: Command, content: bytes, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    done = command("corpus", "build", path, "--out", tmp_path / "out", "--mirror", "embedded")
    assert done.code == 1
    assert message in done.err
    assert "bad.jsonl" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quality: {letter: 0.1}", 'unknown key "letter"'),
        ("minhash: {bands: many}", "expected int"),
        ("output: {format: csv}", "expected parquet or jsonl.zst"),
        ("[1, 2]", "list"),
        ("a: [", "is no YAML"),
    ],
)
def test_a_bad_recipe_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ItaMedError, match=r"recipe\.yaml") as caught:
        read_recipe(path)
    assert message in str(caught.value)


def test_a_missing_source_lists_what_there_is(command: Command, tmp_path: Path) -> None:
    assert "e3c:layer3" in command("corpus", "build", "e3c:layer4", "--out", tmp_path / "out").err
    assert "e3c:layer3" in command("corpus", "build", "nothing", "--out", tmp_path / "out").err


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=8), max_size=20),
    st.integers(3, 40),
)
@settings(deadline=None)
def test_cutting_a_file_into_pieces_loses_and_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], size: int
) -> None:
    path = write_jsonl(tmp_path_factory.mktemp("pieces") / "x.jsonl", [{"text": t} for t in texts])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "PIECE_BYTES", size)
        pieces = list(inputs.pieces(inputs.find_files(str(path))))
        found = [record for part in inputs.parts(pieces, 3) for piece in part for record in inputs.records(piece)]
    assert [record.text for record in found] == texts
    assert len({record.id for record in found}) == len(texts)


# ----- Decontamination --------------------------------------------------------------------------------------


def decide(tmp_path: Path, labelled: list[str], texts: list[str], rule: DecontaminateSettings) -> tuple[list[int], Any]:
    """Removed documents and what the report says of the labelled texts u0, u1, …"""
    units = [decontaminate.Unit("d/c/test", f"u{i}", True) for i in range(len(labelled))]
    tmp_path.mkdir(exist_ok=True)
    decontaminate.save_labelled(decontaminate.index_texts(units, labelled, rule.words), tmp_path)
    known = decontaminate.load_labelled(tmp_path)
    matches = [row for n, text in enumerate(texts) for row in decontaminate.match(known, n, text, rule.words)]
    sorted_runs.save(tmp_path / "matches.npy", np.array(matches, decontaminate.MATCH))
    (tmp_path / "ids.json").write_bytes(orjson.dumps([f"d{n}" for n in range(len(texts))]))
    kept = [np.ones(len(texts), bool)]
    decontaminate.decide(
        tmp_path, [tmp_path / "matches.npy"], kept, [tmp_path / "ids.json"], [tmp_path / "out.npy"], rule
    )
    return np.load(tmp_path / "out.npy").tolist(), orjson.loads((tmp_path / "contamination.json").read_bytes())


GOLD = " ".join(f"parola{i}" for i in "abcdefghijklmnopqrstuvwxyz")


def test_thirteen_shared_words_remove_a_document_and_twelve_do_not(tmp_path: Path) -> None:
    tokens = GOLD.split()
    texts = [
        f"prima {' '.join(tokens[5:18])} dopo",
        f"prima {' '.join(tokens[5:17])} dopo",
        GOLD.upper(),
        "altro testo",
    ]
    removed, report = decide(tmp_path, [GOLD], texts, DecontaminateSettings())
    assert removed == [0, 2]
    assert report["d/c/test"]["examples"] == [{"id": "u0", "share": 1.0, "corpus_id": "d2"}]


def test_a_phrase_of_many_documents_is_boilerplate_unless_it_is_half_of_the_evaluation_text(tmp_path: Path) -> None:
    tokens = GOLD.split()
    part, half = " ".join(tokens[:14]), " ".join(tokens[:20])
    assert decide(tmp_path / "a", [GOLD], [f"{part} {i}x" for i in range(11)], DecontaminateSettings())[0] == []
    assert len(decide(tmp_path / "b", [GOLD], [f"{part} {i}x" for i in range(10)], DecontaminateSettings())[0]) == 10
    assert len(decide(tmp_path / "c", [GOLD], [f"{half} {i}x" for i in range(11)], DecontaminateSettings())[0]) == 11
    every = DecontaminateSettings(max_documents=0)
    assert len(decide(tmp_path / "d", [GOLD], [f"{part} {i}x" for i in range(11)], every)[0]) == 11


def test_a_short_evaluation_text_must_be_the_whole_document(tmp_path: Path) -> None:
    texts = [
        "Qual è la diagnosi più probabile?",
        "qual è la DIAGNOSI più probabile",
        "Nota: qual è la diagnosi più probabile",
    ]
    assert decide(tmp_path, ["Qual è la diagnosi più probabile"], texts, DecontaminateSettings())[0] == [0, 1]


def test_texts_are_the_same_by_the_one_rule(tmp_path: Path) -> None:
    """Accents, capitals and spacing hide no copy; a table with other doses is no copy."""
    gold = "È noto: 5 mg, 10 mg, 20 mg, 40 mg, 80 mg, 160 mg, perché l'età è di 80 anni e più"
    texts = [
        "E' noto 5mg 10mg 20mg 40mg 80mg 160mg PERCHE' L'ETA' E' DI 80 ANNI E PIU'",
        "1 mg, 2 mg, 3 mg, 4 mg, 6 mg, 7 mg, 8 mg",
        gold.replace("0", "1"),
    ]
    assert decide(tmp_path, [gold], texts, DecontaminateSettings())[0] == [0]


def test_every_evaluated_split_of_the_catalogue_is_wanted() -> None:
    from ita_med import catalogue

    wanted = {(d, c, s) for d, c, s, evaluation in decontaminate.labelled_views(True) if evaluation}
    for task in catalogue.tasks():
        if catalogue.dataset(task.dataset).has_builder:
            assert (task.dataset, task.config, task.eval_split) in wanted


# ----- Executors, killing -----------------------------------------------------------------------------------


def test_slurm_gets_the_same_steps_in_a_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datatrove.executor import slurm

    scripts: list[tuple[str, tuple[str, ...]]] = []

    def submit(script: str, _: Any, *args: str) -> str:
        scripts.append((script, args))
        return str(100 + len(scripts))

    monkeypatch.setattr(slurm, "launch_slurm_job", submit)
    work = steps.Work(tmp_path / "work")
    recipe = CorpusRecipe(slurm={"partition": "cpu", "time": "01:00:00"})
    stages = build_corpus.stages(recipe, work, 4, tmp_path / "out")
    (last,) = build_corpus.slurm_chain(stages, work, recipe, workers=2)
    chain = [last]
    while chain[0].depends:
        chain.insert(0, chain[0].depends)
    assert [(e.pipeline, e.tasks) for e in chain] == [(s.pipeline, s.tasks) for s in stages]
    last.run()
    jobs = [(script, args) for script, args in scripts if "launch_pickled_pipeline" in script]
    assert len(jobs) == len(stages)
    assert not any("--dependency" in arg for arg in jobs[0][1])
    for _, args in jobs[1:]:
        assert any(arg.startswith("--dependency=afterok:") for arg in args)
    assert "#SBATCH --array=0-3%2" in jobs[0][0]
    assert "#SBATCH --partition=cpu" in jobs[0][0]


def test_slurm_needs_a_partition_and_ray_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = steps.Work(tmp_path)
    with pytest.raises(ItaMedError, match="partition"):
        build_corpus.slurm_chain(build_corpus.stages(CorpusRecipe(), work, 1, tmp_path), work, CorpusRecipe(), 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ItaMedError, match="pip install ray"):
        list(build_corpus._ray(build_corpus.stages(CorpusRecipe(), work, 1, tmp_path), work, CorpusRecipe(), 1))


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": t} for i, t in enumerate(synthetic(300))]
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("language: false\nquality: false\ndecontaminate: false\npersonal_data: false\n")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "ita_med.cli", "corpus", "build", str(source), "--out", str(out)]
    command += ["--recipe", str(recipe), "--tasks", "6", "--json"]
    marks: list[set[str]] = []
    for mark in ("logs/clean/completions/00002", "logs/write/completions/00001"):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ), start_new_session=True
        )
        path = build_corpus.work_folder(out) / mark
        deadline = time.monotonic() + 120
        while not path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert path.exists()
        assert not out.exists()
        marks.append({str(p) for p in build_corpus.work_folder(out).rglob("completions/*")})
    assert marks[0] < marks[1]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    build_corpus.build([str(source)], tmp_path / "straight", read_recipe(recipe), tasks=6)
    assert files_of(out) == files_of(tmp_path / "straight")
    assert not build_corpus.work_folder(out).exists()


def test_memory_is_bounded_by_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "RANGE", 100)
    rng = np.random.default_rng(0)
    keys = [np.sort(rng.integers(0, 2**64 - 1, 700, np.uint64)) for _ in range(3)]
    slices = list(sorted_runs.merge(keys))
    assert max(sum(s.stop - s.start for s in some) for some in slices) < 200
    for n, key in enumerate(keys):
        assert np.concatenate([key[some[n]] for some in slices]).tolist() == key.tolist()


# ----- E3C layer 3 ------------------------------------------------------------------------------------------

LEAKED_LAYER1 = {"IT101004", "IT101011", "IT101038", "IT101073", "IT101158", "IT101165"}
LEAKED_LAYER2 = {
    "IT100024", "IT100658", "IT100764", "IT100897", "IT101047", "IT101492", "IT101512", "IT101593",
}  # fmt: skip


@pytest.mark.real_data
def test_layer3_of_e3c(real_mirror: str, tmp_path: Path) -> None:
    recipe = CorpusRecipe(personal_data=PersonalDataSettings(on=False))
    report = build_corpus.build(["e3c:layer3"], tmp_path / "out", recipe, mirror=real_mirror, workers=2)
    assert report is not None
    assert report["duplicates"]["byte_exact"] == 290
    assert report["duplicates"]["stripped"] == 297
    assert report["duplicates"]["white_space_folded"] == 298
    found = report["decontamination"]["found"]
    layer1 = {e["id"] for split in ("test", "train") for e in found[f"e3c/full/{split}"]["examples"]}
    assert layer1 == LEAKED_LAYER1
    assert {e["id"] for e in found["e3c/layer2/train"]["examples"]} == LEAKED_LAYER2
    assert found["e3c/crf/test"]["corpus_documents_removed"] == 1
    assert report["total"]["steps"]["language"]["removed"]["en"]["documents"] == 1


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"x\.parquet"):
        list(inputs.pieces(inputs.find_files(str(tmp_path))))
