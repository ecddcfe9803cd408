"""Data cards: a header that the Hub reads, counts that are those of the build, a statement on personal data."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard

from ita_med import catalogue, licence_table
from ita_med.dataset_builders import build, build_record, cards, known_overlaps

READY = [entry.id for entry in catalogue.datasets() if entry.has_builder]
HUB_LICENCES = {
    *("apache-2.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-sa-4.0", "cc0-1.0"),
    *("mit", "other", "unknown"),
}
SECTIONS = ["## Personal data", "## Composition", "## Leakage", "## How to cite", "## Provenance"]


def header(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("---\n")[1]))


@pytest.mark.parametrize("name", READY)
def test_card_without_data(name: str) -> None:
    entry, text = catalogue.dataset(name), cards.card(name)
    found = DatasetCard(text).data
    assert found.language == ["it"]
    assert found.license in HUB_LICENCES
    assert found.pretty_name == entry.name
    assert found.task_categories
    assert "configs" not in header(text)
    assert [section for section in SECTIONS if f"\n{section}\n" not in text] == []
    for fact in (entry.licence.replace("|", "/"), entry.access, entry.origin, entry.homepage, entry.citation):
        assert fact in text
    assert text.count("```bibtex") == 2
    assert (cards.NOT_SEEN in text) == (build_record.expected(name) is None)
    assert "\n\n\n" not in text


def test_card_of_a_build_has_its_counts_and_files(tmp_path: Path) -> None:
    build.build("e3c", tmp_path, "embedded")
    text = (tmp_path / "e3c" / "README.md").read_text("utf-8")
    found = header(text)
    assert {config["config_name"] for config in found["configs"]} == set(build.builder("e3c").CONFIGS)
    assert found["size_categories"] == ["n<1K"]
    assert "| disorder | train | 72 | 12 | CLINENTITY 85 |  |" in text
    assert "| temporal_by_sentence | test | link_crosses_sentences | 33 |" in text
    assert "documentation/train_test_split.txt" in text
    assert "Synthetic sample" in text
    assert "`6" not in text.split("## Composition")[0]


def test_card_of_pinned_counts_says_so() -> None:
    text = cards.card("med_ita")
    assert "| questions | test | 10,000 | 10,000 |" in text
    assert "from the pinned upstream files" in text
    assert "Synthetic" not in text
    assert header(text)["size_categories"] == ["10K<n<100K"]


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC BY 4.0", "cc-by-4.0"),
        ("MIT (Hub card)", "mit"),
        ("Apache-2.0 (README)", "apache-2.0"),
        ("not stated", "unknown"),
        ("CC BY-NC", "other"),
        ("CC BY 4.0 (README) / CC0 1.0 (LICENSE file)", "other"),
        ("CC BY 4.0 (inferred for the Italian files)", "other"),
    ],
)
def test_an_unclear_licence_is_never_made_clear(licence: str, expected: str) -> None:
    assert licence_table.hub_id(licence) == expected
    assert (licence_table.address(licence) == licence) == (expected in ("other", "unknown"))


def test_sizes() -> None:
    assert [cards._size(n) for n in (999, 1000, 9_999_999, 10**7)] == ["n<1K", "1K<n<10K", "1M<n<10M", "n>10M"]


def test_without_a_statement_the_card_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_card_text", lambda name: "## What it is\n\nSomething.\n")
    assert cards.NO_STATEMENT in cards.card("med_ita")
    monkeypatch.setattr(cards, "_card_text", lambda name: "## Personal data\n\n## Other\n")
    assert cards.NO_STATEMENT in cards.card("med_ita")


def test_builders_speak_of_personal_data() -> None:
    """A reminder, not a gate: the card has a default sentence."""
    if silent := [name for name in READY if not cards.has_statement(name)]:
        warnings.warn(f'no "## Personal data" in card.md of {", ".join(silent)}', stacklevel=1)


def test_known_overlaps_name_datasets_of_the_catalogue() -> None:
    known = {entry.id for entry in catalogue.datasets()}
    assert {name for group, _ in known_overlaps.KNOWN for name in group} <= known
    assert "casimedicos_arg" in cards.card("medexpqa").split("## Leakage")[1]


def test_card_command(command: Any) -> None:
    assert command("data", "card", "med_ita").out == cards.card("med_ita")
    made = command("data", "card", "med_ita", "--mirror", "embedded").out
    assert "| questions | test | 60 | 60 |" in made
    ran = command("data", "card", "wmt_biomed")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)


def test_the_hub_has_words_for_every_family() -> None:
    assert set(cards.HUB_WORDS) == {*catalogue.FAMILIES, "corpus"}
