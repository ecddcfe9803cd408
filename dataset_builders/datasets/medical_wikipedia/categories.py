"""Which categories of the Italian Wikipedia are medical, by the beginning of their names.

The category tree is not in the dump of the articles, and followed downwards it leads from medicine to football clubs.
So a category counts as medical if its own name says so. The words are for names as Italian Wikipedia forms them:
plural, with the field behind it ("Malattie infettive", "Procedure chirurgiche", "Farmaci antiipertensivi").
"""

from __future__ import annotations

import re

MEDICAL = """
medicina, anatomia, anatomia patologica, fisiologia, patologia, farmacologia, tossicologia, epidemiologia,
anestesi*, cardiologia, cardiochirurgia, chirurgia, dermatologia, diabetologia, ematologia, endocrinologia,
gastroenterologia, epatologia, genetica medica, geriatria, ginecologia, immunologia, infettivologia,
infermieristica, nefrologia, neurologia, neurochirurgia, neonatologia, odontoiatria, oftalmologia, oncologia,
ortopedia, ostetricia, otorinolaringoiatria, pediatria, pneumologia, psichiatria, psicopatologia, radiologia,
reumatologia, traumatologia, urologia, andrologia, vulnologia, semeiotica, diagnostica, microbiologia clinica,
virologia,
malattie, malattia, patologie, sindromi, disturbi, disordini, infezioni, infiammazioni, neoplasie, tumori, anemie,
cardiopatie, emopatie, neuropatie, nefropatie, epatopatie, endocrinopatie, miopatie, demenze, epilessia, epilessie,
diabete, cefalee, traumi, fratture, intossicazioni, avvelenamenti, malformazioni, aritmie, allergie,
immunodeficienze, parassitosi, zoonosi, pandemie, epidemie, sintomi, segni clinici, segni e sintomi,
farmaci, principi attivi, antibiotici, antivirali, antidepressivi, antipsicotici, anticoagulanti, chemioterapici,
vaccini, ansiolitici, analgesici, anestetici, fans, cortisonici, terapie, terapia, procedure chirurgiche, procedure
diagnostiche, procedure mediche, procedure terapeutiche, esami clinici, esami diagnostici, esami di laboratorio,
tecniche chirurgiche, trapianti, strumenti chirurgici, strumenti medici, dispositivi medici, biomarcatori,
organi interni, apparato, sistema nervoso, sistema immunitario, sistema endocrino, sistema linfatico, muscoli, ossa,
nervi, arterie, vene, ghiandole, ormoni, neurotrasmettitori, sangue, articolazioni
"""
"""A category is medical if its name begins with one of these words, in any case; "*" stands for any ending."""

NOT_MEDICAL = """
veterinari, animal, zoolog, piant, vegetal, insett, botanic, pesci, uccelli, mammiferi, musical, canne, film, album,
letteratur, personaggi, opere, giochi
"""
"""… unless a later word begins with one of these."""


def _words(listed: str) -> list[str]:
    return [" ".join(word.split()) for word in listed.split(",")]


_MEDICAL = re.compile("|".join(word[:-1] if word.endswith("*") else rf"{word}\b" for word in _words(MEDICAL)))
_NOT_MEDICAL = re.compile(rf"\b(?:{'|'.join(_words(NOT_MEDICAL))})")
_LINK = re.compile(r"\[\[\s*(?:categoria|category)\s*:\s*([^\]|\n]+)", re.I)


def categories(wikitext: str) -> list[str]:
    """The names of the categories in which an article puts itself, in its order."""
    return [" ".join(name.replace("_", " ").split()) for name in _LINK.findall(wikitext)]


def is_medical(category: str) -> bool:
    name = category.lower()
    return bool(_MEDICAL.match(name)) and not _NOT_MEDICAL.search(name)
