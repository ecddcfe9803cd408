"""Personal data: Presidio with Italian recognisers, and typed placeholders in the place of what it finds.

Presidio reads 0.8 MB/s, so it sees only the neighbourhood of what could be personal data at all: an @, a long number,
a code, an address word, a title, a given name. Nothing is downloaded: the pipeline behind it is a blank Italian one,
and the recogniser of e-mail addresses does not ask for the list of public suffixes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from ita_med.dataset_builders.corpus_pipeline import person_names
from ita_med.errors import ItaMedError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine
    from spacy.language import Language

PLACEHOLDERS = {
    "PERSON": "<NOME>",
    "IT_FISCAL_CODE": "<CODICE_FISCALE>",
    "IT_VAT_CODE": "<PARTITA_IVA>",
    "IT_IDENTITY_CARD": "<DOCUMENTO>",
    "IT_PASSPORT": "<DOCUMENTO>",
    "IT_DRIVER_LICENSE": "<DOCUMENTO>",
    "EMAIL_ADDRESS": "<EMAIL>",
    "IBAN_CODE": "<IBAN>",
    "PHONE_NUMBER": "<TELEFONO>",
    "IT_ADDRESS": "<INDIRIZZO>",
    "IT_BIRTH_DATE": "<DATA_DI_NASCITA>",
}
CONTEXT = 90
"""Characters around a candidate that Presidio sees: enough for an address and for the words before a number."""

_ADDRESS_WORD = (
    r"(?:[Vv]ia|VIA|[Vv]\.le|[Vv]iale|VIALE|[Pp]\.?zza"
    r"|[Pp]iazza(?:le)?|PIAZZA|[Cc]orso|CORSO|[Ll]argo|LARGO|[Vv]icolo|[Ss]trada|[Cc]ontrada)"
)
# Each begins with a character that is rare in text, which keeps the search fast; "d43f205" is the middle of a codice
# fiscale, whose letters in capitals are found as a word.
_STREET = re.compile(rf"\b{_ADDRESS_WORD} (?:[a-z'.]+ )?[A-Z]")
_NUMBER = re.compile(r"\d(?:[ .\-/]?\d){6,}|\d\d[a-zA-Z]\d{3}|[@]|(?<=aziente): *[A-Z]")
_WORD = re.compile(r"[^\W_]+")
_TRIGGER_WORDS = person_names.TRIGGER_WORDS | frozenset(
    """
    nato nata Nato Nata nascita passaporto Passaporto patente Patente identità
    """.split()  # noqa: SIM905
)
_ADDRESS = (
    rf"\b{_ADDRESS_WORD} (?:(?:de[il]|della|delle|dei|degli|dell'|d'|di|al|alla|e|[A-Z]\.) ?)*[A-ZÀ][\wàèéìòù.']*"
    r"(?: (?:(?:de[il]|della|di|e|d') ?)?[A-ZÀ][\wàèéìòù.']*){0,4}"
    r",? (?:n\.?[ °]?|n° ?|num\. ?)?\d{1,4}(?:[/ ]?[A-Za-z]\b)?"
    r"(?:[ ,–-]+\d{5})?(?:[ ,–-]+[A-Z][\wàèéìòù']+(?: \([A-Z]{2}\))?)?"
)
_MOBILE = r"(?<![\d.,/])(?:(?:\+|00)39[ ]?\d(?:[ .\-/]?\d){7,10}|3[2-9]\d[ .\-/]?\d{3}[ .\-]?\d{3,4})(?![\d.,/]\d|\d)"
_LOCAL = r"\w!#$%&'*+/=?^`{|}~-"
_EMAIL = rf"\b[{_LOCAL}](?:[.{_LOCAL}]*[{_LOCAL}])?@\w+(?:-+\w+)*(?:\.\w+(?:-+\w+)*)+\b"
"""What Presidio's own recogniser takes for an address before it asks for the list of public suffixes."""
_BIRTH = r"(?:(?<=[Nn]at[oa] il )|(?<=[Dd]ata di nascita: ))\d{1,2}[/.\-]\d{1,2}[/.\-](?:\d{4}|\d{2})"


@cache
def analyzer(model: str = "") -> AnalyzerEngine:
    """Presidio for Italian, offline; of an installed spaCy `model` the PER entities count as names too."""
    from presidio_analyzer import (
        AnalyzerEngine,
        EntityRecognizer,
        Pattern,
        PatternRecognizer,
        RecognizerRegistry,
        RecognizerResult,
    )
    from presidio_analyzer import predefined_recognizers as ready
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    class Names(EntityRecognizer):
        def load(self) -> None:
            pass

        def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
            return [RecognizerResult("PERSON", start, end, 0.8) for start, end in person_names.find(text)]

    class Phone(ready.PhoneRecognizer):
        def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
            found: list[RecognizerResult] = super().analyze(text, entities, nlp_artifacts)
            for result in found:  # a bare number may be an authorisation code; a word such as "tel." decides
                result.score = 0.3
            return found

    def patterns(entity: str, expression: str, score: float) -> PatternRecognizer:
        pattern = Pattern(entity.lower(), expression, score)
        # Presidio's own flags ignore case, which addresses and names cannot
        return PatternRecognizer(entity, patterns=[pattern], supported_language="it", global_regex_flags=re.M)

    phone_words = ["tel", "telefono", "cell", "cellulare", "recapito", "fax", "chiamare", "numero"]
    registry = RecognizerRegistry(
        [
            ready.ItFiscalCodeRecognizer(),
            ready.ItVatCodeRecognizer(),
            ready.ItIdentityCardRecognizer(),
            ready.ItPassportRecognizer(),
            ready.ItDriverLicenseRecognizer(),
            ready.IbanRecognizer(supported_language="it"),
            Phone(phone_words, "it", supported_regions=["IT"], leniency=2, name="PhoneRecognizer"),
            patterns("EMAIL_ADDRESS", _EMAIL, 0.9),
            patterns("IT_ADDRESS", _ADDRESS, 0.8),
            patterns("IT_BIRTH_DATE", _BIRTH, 0.8),
            patterns("PHONE_NUMBER", _MOBILE, 0.6),
            Names(["PERSON"], supported_language="it", name="ItalianNames"),
        ],
        supported_languages=["it"],
    )

    class Engine(SpacyNlpEngine):
        def load(self) -> None:
            self.nlp: Any = {"it": _pipeline(model)}

    entities = NerModelConfiguration(
        model_to_presidio_entity_mapping={"PER": "PERSON"}, labels_to_ignore=["LOC", "ORG", "MISC"]
    )
    engine = Engine([{"lang_code": "it", "model_name": model or "blank"}], entities)
    engine.load()
    if model:
        registry.add_recognizer(ready.SpacyRecognizer(supported_language="it", supported_entities=["PERSON"]))
    return AnalyzerEngine(registry, engine, supported_languages=["it"])


def _pipeline(model: str) -> Language:
    """A blank Italian pipeline, or an installed model. Presidio finds the words around a number by their lemmas."""
    import spacy
    from spacy.language import Language

    if model:
        try:
            return spacy.load(model)
        except OSError as error:
            raise ItaMedError(f'spaCy model "{model}" is not installed; "python -m spacy download {model}"') from error

    @Language.component("lower_case_as_lemma")
    def lemmas(doc: Any) -> Any:
        for token in doc:
            token.lemma_ = token.lower_
        return doc

    blank = spacy.blank("it")
    blank.add_pipe("lower_case_as_lemma")
    return blank


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    """Where something stands that personal data begin with or hold."""
    yield from (match.span() for match in _NUMBER.finditer(text))
    yield from (match.span() for match in _STREET.finditer(text))
    for word in set(_WORD.findall(text)):
        if word in _TRIGGER_WORDS or (
            word.isupper() and (len(word) == 16 or person_names.is_given(word) or len(word) == 9)
        ):
            position = text.find(word)
            while position >= 0:
                yield position, position + len(word)
                position = text.find(word, position + len(word))


def windows(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that Presidio looks at: around the candidates, cut at spaces where there are any."""
    last: tuple[int, int] | None = None
    for start, end in sorted(_candidates(text)):
        before, after = max(0, start - CONTEXT), min(len(text), end + CONTEXT)
        start = max(text.rfind(" ", max(0, before - CONTEXT), before) + 1, before - CONTEXT, 0)
        end = text.find(" ", after, after + CONTEXT)
        end = min(len(text), after + CONTEXT) if end < 0 else end
        if last and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last


def find(text: str, *, model: str = "", threshold: float = 0.4) -> list[tuple[int, int, str]]:
    """(start, end, entity) of personal data in order, without overlaps: the longer, then the surer find stays."""
    found = []
    for start, end in [(0, len(text))] if model else windows(text):
        results = analyzer(model).analyze(text[start:end], "it", entities=list(PLACEHOLDERS))
        for r in results:
            if r.score >= threshold:
                found.append((start + r.start, start + r.end, r.entity_type, r.score))
    found.sort(key=lambda f: (f[0] - f[1], -f[3], f[0]))
    taken: list[tuple[int, int, str]] = []
    for start, end, entity, _ in found:
        if all(end <= s or e <= start for s, e, _ in taken):
            taken.append((start, end, entity))
    return sorted(taken)


def replace(text: str, found: list[tuple[int, int, str]]) -> tuple[str, Counter[str]]:
    """The text with placeholders, and how many of each."""
    out, position = [], 0
    for start, end, entity in found:
        out += [text[position:start], PLACEHOLDERS[entity]]
        position = end
    return "".join([*out, text[position:]]), Counter(PLACEHOLDERS[entity] for _, _, entity in found)
