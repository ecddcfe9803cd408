"""Normalise a text and judge its quality; plain functions of one text."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import QualitySettings

# Characters that need no repair: a line of these alone is left as it is, which spares ftfy nearly all lines.
_UNUSUAL = re.compile(r"[^\t\n\x20-\x7eàèéìòùÀÈÉÌÒÙ’‘“”«»–—…°±²³µ½¼≤≥→←↑↓•]|&(?:#\d|[a-zA-Z]+;)")
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200c\u200e\u200f\u2060\ufeff]")
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029\x0b\x0c]")
# Letters and signs of Adobe's Symbol font that word processors leave in the private-use area at U+F000 + code.
_SYMBOL_FONT = {
    0xF02D: "-", 0xF03C: "<", 0xF03E: ">", 0xF061: "α", 0xF062: "β", 0xF067: "γ", 0xF06D: "µ",
    0xF0A3: "≤", 0xF0AE: "→", 0xF0B0: "°", 0xF0B1: "±", 0xF0B3: "≥", 0xF0B7: "•",
}  # fmt: skip


def normalise(text: str, *, fold_white_space: bool = False) -> str:
    """Repaired encoding, NFC, line feeds as line ends, no control characters; clinical symbols (µ, ², ≥) stay."""
    if "\r" in text or not text.isascii():
        text = _LINE_ENDS.sub("\n", text)
    if _UNUSUAL.search(text):
        text = "\n".join(_repair(line) if _UNUSUAL.search(line) else line for line in text.split("\n"))
    return " ".join(text.split()) if fold_white_space else text.strip()


def _repair(line: str) -> str:
    import ftfy

    return _INVISIBLE.sub("", ftfy.fix_text(line.translate(_SYMBOL_FONT), _ftfy_config()))


@cache
def _ftfy_config() -> Any:
    import ftfy

    return ftfy.TextFixerConfig(uncurl_quotes=False, normalization="NFC")


_LETTERS = re.compile(r"[^\W\d_]+")
_SYMBOLS = re.compile(r"[^\w\s.,;:()/%'’\"+\-–=<>≤≥°*±|\[\]?!•→]+")
_LONG = re.compile(r"\S{41,}")
_PAGE_FURNITURE = re.compile(
    r"lorem ipsum|abilita(?:re)? (?:i )?javascript|accetta (?:tutti )?i cookie|cookie policy|informativa sui cookie"
    r"|pagina non trovata|404 not found|tutti i diritti riservati|torna (?:su|all'inizio)|iscriviti alla newsletter"
    r"|aggiungi al carrello|condividi su facebook",
    re.I,
)


def judge(text: str, limits: QualitySettings) -> str | None:
    """Why a text is not worth keeping, or None.

    No minimum of sentences, stop words or words per line: "EO: MV ridotto alla base dx. SpO2 91% aa." is a good note.
    """
    size = sum(map(len, text.split()))
    letters = sum(map(len, _LETTERS.findall(text)))
    if letters < limits.min_letters:
        return "too_short"
    if letters < limits.letters * size:
        return "few_letters"
    if text.count("\ufffd") > limits.broken_encoding * size:
        return "broken_encoding"
    if sum(map(len, _SYMBOLS.findall(text))) > limits.symbols * size:
        return "symbols"
    if sum(map(len, _LONG.findall(text))) > limits.unbroken * size:
        return "unbroken_text"
    if _repeated(text) > limits.repeated_lines * size:
        return "repeated_lines"
    # One such phrase in 40 words: a page without content, not a page that carries its site's footer.
    if len(_PAGE_FURNITURE.findall(text)) * 40 * 6 > size:
        return "boilerplate"
    return None


def _repeated(text: str) -> int:
    """Characters in lines that repeat an earlier line, in texts of ten lines and more."""
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    if len(lines) < 10:
        return 0
    seen: set[str] = set()
    repeated = 0
    for line in lines:
        if line in seen:
            repeated += len(line.replace(" ", ""))
        seen.add(line)
    return repeated
