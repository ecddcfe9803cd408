"""The table of licences: what the catalogue states is known, and the table and the judgement by words agree."""

from __future__ import annotations

import re

import pytest

from ita_med import catalogue, licence_table
from ita_med.licence_table import LICENCES, NOT_STATED, is_commercial, is_redistributable, why_no_derivatives

EVERY = sorted({*LICENCES, *(entry.licence for entry in catalogue.datasets())})


@pytest.mark.parametrize("licence", EVERY)
def test_nothing_is_allowed_against_its_words(licence: str) -> None:
    if re.search(r"\bNC\b|not stated|inferred|to be decided", licence):
        assert not is_commercial(licence)
    if re.search(r"\bND\b| / |not stated|inferred|to be decided", licence):
        assert not is_redistributable(licence)
    assert licence_table.unknown_names(licence) == []


@pytest.mark.parametrize("name", LICENCES)
def test_the_table_says_of_derived_works_what_the_words_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_table = why_no_derivatives(name)
    monkeypatch.setattr(licence_table, "LICENCES", {})
    assert why_no_derivatives(name) == by_table
    assert LICENCES[name].derivatives == (by_table == "")


def test_a_licence_that_may_be_passed_on_has_an_address_or_no_version() -> None:
    for name, licence in LICENCES.items():
        assert bool(licence.address) == (licence.hub not in ("other", "unknown")), name
        assert not licence.redistributable or licence.derivatives, name
        assert not licence.commercial or "NC" not in name, name


@pytest.mark.parametrize(
    ("licence", "redistributable", "commercial"),
    [
        ("CC BY 4.0", True, True),
        ("MIT (Hub card)", True, True),
        ("CC BY-NC", True, False),
        ("CC BY 4.0 (inferred for the Italian files)", False, False),
        ("CC BY 4.0 (README) / CC0 1.0 (LICENSE file)", False, True),
        ("CC BY 4.0 (Hub) / to be decided (GitHub)", False, False),
        ("not stated (main repository) / Apache-2.0 (twin repository)", False, False),
        (NOT_STATED, False, False),
        ("BSD", False, False),
    ],
)
def test_what_is_unclear_is_not_allowed(licence: str, redistributable: bool, commercial: bool) -> None:
    assert (is_redistributable(licence), is_commercial(licence)) == (redistributable, commercial)


def test_a_name_that_is_not_in_the_table_is_named() -> None:
    assert licence_table.unknown_names("MIT (README) / BSD (LICENSE file) / GPL") == ["BSD", "GPL"]
