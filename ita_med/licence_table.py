"""Licences: one table of what each allows, and what follows for data whose licence the catalogue states.

The catalogue repeats what upstream states, which may be several things at several places: "NAME", "NAME (PLACE)", or
some of these joined by " / ". Every NAME stands in `LICENCES`; another one is an error when the catalogue is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NOT_STATED = "not stated"


@dataclass(frozen=True)
class Licence:
    """What a licence allows, read cautiously: False also where its text leaves doubt.

    Attributes:
        hub: The Hub's id of it; "other" where the Hub has none.
        address: Of its text; "" where the name does not say which version is meant.
        redistributable: Whether a conversion of the data may be passed on.
        derivatives: Whether works derived from the data, models among them, may be published.
        commercial: Whether commercial use is allowed.
    """

    hub: str
    address: str
    redistributable: bool
    derivatives: bool
    commercial: bool


def _cc(terms: str, version: str = "4.0") -> str:
    return f"https://creativecommons.org/licenses/{terms}/{version}/"


_APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
_CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
_MIT = "https://opensource.org/license/mit"

# fmt: off
LICENCES = {
    #                                 hub                address           redistributable, derivatives, commercial
    "Apache-2.0":            Licence("apache-2.0",      _APACHE,           True,  True,  True),
    "CC BY 4.0":             Licence("cc-by-4.0",       _cc("by"),         True,  True,  True),
    "CC BY-SA 4.0":          Licence("cc-by-sa-4.0",    _cc("by-sa"),      True,  True,  True),
    "CC BY-NC":              Licence("other",           "",                True,  True,  False),
    "CC BY-NC 4.0":          Licence("cc-by-nc-4.0",    _cc("by-nc"),      True,  True,  False),
    "CC BY-NC-SA 4.0":       Licence("cc-by-nc-sa-4.0", _cc("by-nc-sa"),   True,  True,  False),
    "CC BY-NC-ND 4.0":       Licence("cc-by-nc-nd-4.0", _cc("by-nc-nd"),   False, False, False),
    "CC0 1.0":               Licence("cc0-1.0",         _CC0,              True,  True,  True),
    "MIT":                   Licence("mit",             _MIT,              True,  True,  True),
    # Two licences at once, of which a part of the texts may have only one.
    "CC BY-SA 4.0 and GFDL": Licence("other",           "",                False, True,  True),
    # Terms of use, not a licence: they ask for a notice and say nothing of derived works.
    "Copyright EU/ECDC, reuse with notice": Licence("other", "",           False, False, False),
    "to be decided":         Licence("other",           "",                False, False, False),
    NOT_STATED:              Licence("unknown",         "",                False, False, False),
}
# fmt: on
"""Name, as the catalogue writes it -> the licence."""

_PLACE = re.compile(r" \([^()]*\)$")
_GUESS = re.compile(r"inferred|to be decided", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One statement of upstream: the whole text of it, and the licence's name without the place in brackets."""

    text: str
    name: str

    @property
    def is_guess(self) -> bool:
        """Whether it says that the licence is only inferred, or still to be decided."""
        return bool(_GUESS.search(self.text))


def statements(licence: str) -> list[Statement]:
    """What upstream states, as the catalogue writes it, one by one."""
    return [Statement(text, _PLACE.sub("", text)) for text in licence.split(" / ")]


def unknown_names(licence: str) -> list[str]:
    """The names in a statement of the catalogue that `LICENCES` does not have."""
    return [stated.name for stated in statements(licence) if stated.name not in LICENCES]


def _clear(licence: str) -> Licence | None:
    """The licence, where upstream states just one and it is no guess."""
    found = statements(licence)
    return LICENCES.get(found[0].name) if len(found) == 1 and not found[0].is_guess else None


def hub_id(licence: str) -> str:
    """The Hub's licence id: "unknown" if none is stated, "other" if it is unclear or the Hub has no id for it."""
    known = _clear(licence)
    return known.hub if known else "other"


def address(licence: str) -> str:
    """The address of the licence's text; the catalogue's own words where there is none."""
    known = _clear(licence)
    return known.address if known and known.address else licence


def is_redistributable(licence: str) -> bool:
    """Whether a conversion of the data may be passed on.

    Not where statements differ from place to place or were only inferred: one of them may be wrong.
    """
    known = _clear(licence)
    return known is not None and known.redistributable


def is_commercial(licence: str) -> bool:
    """Whether every statement allows commercial use, and none is a guess."""
    found = [(LICENCES.get(stated.name), stated.is_guess) for stated in statements(licence)]
    return all(known is not None and known.commercial and not guess for known, guess in found)


_NO_DERIVATIVES = re.compile(r"\bnd\b|no.?deriv", re.IGNORECASE)
_OPEN = re.compile(r"(apache|mit\b|cc0|cc by|gfdl|public domain)", re.IGNORECASE)


def why_no_derivatives(licence: str) -> str:
    """Why works derived from data under a licence may not be published, or "" if they may.

    Of several statements each that says something must allow it. The texts of a corpus bring licences that are not in
    the catalogue ("CC-BY-NC", "Public domain"): these are judged by their words.
    """
    stated = [each for each in statements(licence) if not each.name.lower().startswith(NOT_STATED)]
    if not stated:
        return "no licence is stated"
    for each in stated:
        words = each.text.replace("-", " ")
        if _NO_DERIVATIVES.search(words):
            return f"its licence forbids derived works ({licence})"
        known = LICENCES.get(each.name)
        allowed = known.derivatives if known else bool(_OPEN.match(words))
        if each.is_guess or not allowed:
            return f"its licence does not clearly allow derived works ({licence})"
    return ""
