"""Is a text Italian? Function words and word endings decide; a language identifier only where these cannot.

A terse clinical note has hardly a function word ("Pz vigile, EO: addome trattabile. PA 130/80") and looks foreign to
an identifier, but its words end as Italian words do. Without evidence for another language a text stays.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_WORD = re.compile(r"[^\W\d_]+")
_HEAD = 4_000
"""Characters that are looked at: from the beginning, and as many from the middle of a long text."""

FUNCTION_WORDS = {
    "it": "il lo gli di che è della del dei delle degli nel nella nei nelle al alla alle ai agli dal dalla dai dalle"
    " sul sulla con per non sono una uno un ed anche più come viene stato stata ha si se questo questa circa dopo",
    "en": "the of and to is was were that with for on by as at from this which be are has had not have or an it his her"
    " patient",
    "es": "el los las del y en que por con se su al es una como más fue o sin muy paciente años para",
    "fr": "le les des et est une du dans pour qui sur avec par au aux ce cette pas plus été chez ans mois elle il",
    "de": "der die das und ist von mit den dem ein eine zu für auf nicht wurde bei im des als auch sich nach",
    "pt": "os as do da dos das em um uma não com para que foi ao por mais anos doente e no na",
    "ro": "și în la cu de pe din este sunt nu care pentru mai fost prin un o",
}
_SETS = {name: frozenset(words.split()) for name, words in FUNCTION_WORDS.items()}
_AMBIGUOUS = frozenset(w for w in set().union(*_SETS.values()) if sum(w in s for s in _SETS.values()) > 1)
_OWN = {name: words - _AMBIGUOUS for name, words in _SETS.items()}
MIN_WORDS = 4
ENDINGS = 0.72
"""Share of words of four letters and more that end in a, e, i, o, u or an accented vowel."""


def foreign(text: str) -> str | None:
    """The language of a text that is not Italian ("en"), or None for Italian and for what cannot be told."""
    sample = text if len(text) <= 2 * _HEAD else f"{text[:_HEAD]} {text[len(text) // 2 :][:_HEAD]}"
    words = _WORD.findall(sample.lower())
    if len(words) < MIN_WORDS:
        return None
    counts = {name: sum(map(own.__contains__, words)) for name, own in _OWN.items()}
    italian = counts.pop("it")
    rival = max(counts, key=counts.__getitem__)
    if italian >= 2 and italian >= 3 * counts[rival]:
        return None
    long = [w for w in words if len(w) > 3]
    endings = sum(w[-1] in "aeiouàèéìòù" for w in long) / len(long) if long else 1.0
    if counts[rival] >= 3 and counts[rival] >= 3 * italian and endings < ENDINGS:
        return rival
    if endings >= ENDINGS and counts[rival] <= max(1, italian):
        return None
    found, probability = _identifier().classify(sample)
    return None if found == "it" or probability < 0.8 or (endings >= ENDINGS and italian) else str(found)


@cache
def _identifier() -> Any:
    """py3langid over the languages that medical text in Italy comes in."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(["it", "en", "es", "fr", "de", "pt", "ro", "ca", "la", "nl", "sl", "hr"])
    return identifier
