"""Valid options of the dyspnea form: the values that each of its 134 items may take (CL4Health 2026, CRF filling).

Upstream  NLP-FBK/dyspnea-valid-options on the Hub, split train
Format    rows item, options (a list of texts); "unknown" is among the options, "measured" stands for a free figure
Split     train alone: one empty form whose items carry the options
Quirks    the figures of measured items are raw texts in the forms of `dyspnea_crf`; an item whose options are not those
          that `dyspnea_crf` was written with is counted (warning `options_differ_from_dyspnea_crf`)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ita_med.build_report import BuildReport
from ita_med.dataset_builders.datasets.dyspnea_crf import ITEM_COUNT
from ita_med.dataset_builders.datasets.dyspnea_crf.items import MEASURED, OPTIONS
from ita_med.dataset_builders.formats import hub_rows, json_lines
from ita_med.errors import DataError
from ita_med.schema import UNKNOWN, Example, FormExample, Item
from ita_med.sources import Hub, RawFiles

VERSION = "1.0.0"
SOURCES = (Hub("NLP-FBK/dyspnea-valid-options"),)
CONFIGS = {"valid_options": "form"}
FOLDER = "dyspnea-valid-options"
PATTERNS = (f"{FOLDER}/data/train*", f"{FOLDER}/train*")
COLUMNS = {"item", "options"}
FREE = "measured"
NO_FORM = "valid-options"
"""Id of the one example: a form that belongs to no note."""


def read(files: RawFiles, configs: list[str], report: BuildReport) -> Iterator[tuple[str, str, list[Example]]]:
    """Yield ("valid_options", "train", one form without a note)."""
    items: dict[str, Item] = {}
    for where, row in hub_rows.rows(files, PATTERNS, COLUMNS):
        item = _item(row, where)
        if item.name in items:
            raise DataError(f'{where}: item "{item.name}" appears twice')
        items[item.name] = item
        expected = [] if item.name in MEASURED else sorted(OPTIONS.get(item.name, ["?"]))
        report.warn("options_differ_from_dyspnea_crf", sorted(item.options) != expected)
    if len(items) != ITEM_COUNT:
        raise DataError(f"dyspnea_valid_options: {FOLDER} has {len(items)} items, expected {ITEM_COUNT}")
    yield "valid_options", "train", [FormExample(NO_FORM, "", "", list(items.values()))]


def _item(row: dict[str, Any], where: str) -> Item:
    json_lines.require_text(row, ("item",), where)
    name, options = row["item"], row["options"]
    if not name.strip() or not isinstance(options, list) or not options:
        raise DataError(f'{where}: "{name}" has the options {repr(options)[:60]}, expected a list of texts')
    numbered = {f"options[{n}]": option for n, option in enumerate(options)}
    json_lines.require_text(numbered, numbered, where)
    known = [option for option in options if option != UNKNOWN]
    if len(set(known)) != len(known) or not all(known):
        raise DataError(f'{where}: "{name}" has the options {options}, expected different texts')
    return Item(name, "text", [], UNKNOWN) if known == [FREE] else Item(name, "categorical", known, UNKNOWN)
