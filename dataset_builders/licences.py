"""Licences of the catalogue as the ids and addresses that the Hub and Croissant know."""

from __future__ import annotations

import re

HUB_IDS = {
    "Apache-2.0": "apache-2.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-NC-ND 4.0": "cc-by-nc-nd-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "CC0 1.0": "cc0-1.0",
    "MIT": "mit",
}
ADDRESSES = {
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "mit": "https://opensource.org/license/mit",
}


def hub_id(licence: str) -> str:
    """The Hub's licence id: "unknown" if none is stated, "other" if it is unclear or the Hub has no id for it."""
    if licence == "not stated":
        return "unknown"
    plain = re.sub(r" \((README|Hub card|LICENSE)\)$", "", licence)
    return HUB_IDS.get(plain, "other")


def address(licence: str) -> str:
    """The address of the licence's text; the catalogue's own words where there is none."""
    known = hub_id(licence)
    if known.startswith("cc-by"):
        terms, _, version = known.removeprefix("cc-").rpartition("-")
        return f"https://creativecommons.org/licenses/{terms}/{version}/"
    return ADDRESSES.get(known, licence)


OPEN = re.compile(r"(apache|mit\b|cc0|cc by|gfdl|public domain)", re.IGNORECASE)
NO_DERIVATIVES = re.compile(r"\bnd\b|no.?deriv", re.IGNORECASE)
GUESSED = re.compile(r"inferred|to be decided", re.IGNORECASE)


def why_no_derivatives(licence: str) -> str:
    """Why works derived from data under a licence may not be published, or "" if they may.

    Of several statements (" / ") each that says something must allow it.
    """
    stated = [part for part in licence.replace("-", " ").split(" / ") if not part.lower().startswith("not stated")]
    if not stated:
        return "no licence is stated"
    for part in stated:
        if NO_DERIVATIVES.search(part):
            return f"its licence forbids derived works ({licence})"
        if GUESSED.search(part) or not OPEN.match(part):
            return f"its licence does not clearly allow derived works ({licence})"
    return ""
