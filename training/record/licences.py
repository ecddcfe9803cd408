"""Licences of the data of a run: may a model trained on them be published, and under which terms?

The catalogue decides, by what it says today. A model inherits the limits of its data: this is the cautious reading of
licences that say nothing of models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.licence_table import hub_id, is_commercial, why_no_derivatives

NON_COMMERCIAL = "non-commercial"


def of_data(counts: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The `licences` of a manifest: one entry per data set; a corpus may hold texts under several licences."""
    found: dict[str, dict[str, Any]] = {}
    for name, of_one in counts.items():
        if "licences" in of_one:
            free = all(_clearly_commercial(licence) for licence in of_one["licences"])
            licence, from_ = ", ".join(of_one["licences"]), of_one["sources"]
            found[name] = {"dataset": name, "licence": licence, "commercial": free, "sources": from_}
        else:
            found[of_one["dataset"]] = {key: of_one[key] for key in ("dataset", "licence", "commercial")}
    return list(found.values())


def _clearly_commercial(licence: str) -> bool:
    """Of a text of a corpus, which brings a licence of its own: one that the Hub knows, and one only."""
    return hub_id(licence) != "other" and is_commercial(licence)


@dataclass(frozen=True)
class LicensedData:
    """A data set or corpus that a model was trained on. refusal: why derived models may not be published, or ""."""

    name: str
    licence: str
    commercial: bool
    homepage: str
    refusal: str


def trained_on(manifest: dict[str, Any]) -> list[LicensedData]:
    """All data of a run and of the runs before it, each once, the oldest first."""
    before = (manifest.get("base") or {}).get("made_by")
    found = {m.name: m for m in trained_on(before)} if before else {}
    for entry in manifest.get("licences") or []:
        made = _corpus(entry) if "sources" in entry else _dataset(entry)
        found[made.name] = made
    return list(found.values())


def _dataset(entry: dict[str, Any]) -> LicensedData:
    """By what the catalogue says today, not by what it said when the model was trained."""
    known = catalogue.dataset(entry["dataset"])
    return LicensedData(known.id, known.licence, known.commercial, known.homepage, why_not(known))


def why_not(entry: catalogue.Dataset) -> str:
    """Why a model that was trained on a data set may not be published, or "" if it may."""
    if entry.access != "open":
        return f"access to it is {entry.access}"
    return why_no_derivatives(entry.licence)


def _corpus(entry: dict[str, Any]) -> LicensedData:
    """A built corpus: each text brings its own licence, and its sources may be data sets with a gate."""
    known = [catalogue.dataset(name) for name in map(_source, entry["sources"]) if name]
    reasons = [f"access to its source {d.id} is {d.access}" for d in known if d.access != "open"]
    reasons += filter(None, map(why_no_derivatives, entry["licence"].split(", ")))
    homepage = known[0].homepage if known else ""
    return LicensedData(entry["dataset"], entry["licence"], entry["commercial"], homepage, next(iter(reasons), ""))


def _source(name: str) -> str:
    """The id of the data set behind a source of a corpus ("e3c:layer3"), or "" for files of one's own."""
    name = name.partition(":")[0]
    return name if any(entry.id == name for entry in catalogue.datasets()) else ""


def check(found: list[LicensedData], permitted: list[str]) -> None:
    """Refuse what may not be published, unless the owners of the data have permitted it to the publisher."""
    for name in permitted:
        if name not in {m.name for m in found}:
            raise ItaMedError(f"--permitted {name}: the model was not trained on it")
    for m in found:
        if m.refusal and m.name not in permitted:
            where = f", {m.homepage}" if m.homepage else ""
            raise ItaMedError(
                f"a model trained on {m.name} may not be published: {m.refusal}; train without it, or ask its owners"
                f"{where} (with their permission: --permitted {m.name})"
            )


def of_model(found: list[LicensedData], base: str | None) -> dict[str, str]:
    """The licence lines of a model card. base: the licence of the model that was trained, as the Hub calls it."""
    if all(m.commercial for m in found):
        return {"license": base or "unknown"}
    return {"license": "other", "license_name": NON_COMMERCIAL}
