"""Italian names of people without a language model: titles, words that announce a name, and common given names."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Common Italian given names. Left out: those that are also everyday or clinical words (Rosa, Bianca, Viola, Vera, Pia,
# Gioia, Speranza, Fede, Fiore, Salvatore, Santo, Primo, Regina, Serena, Grazia, Letizia, Stella, Luce, Marina, Italia).
GIVEN_NAMES = frozenset(
    """
    Adele Adriana Adriano Agata Agnese Agostino Alberta Alberto Aldo Alessandra Alessandro Alessia Alessio
    Alfio Alfonso Alfredo Alice Amalia Ambra Amedeo Amelia Andrea Angela Angelica Angelo Anna Annalisa
    Annamaria Anita Antonella Antonello Antonia Antonietta Antonino Antonio Arianna Armando Arturo Asia
    Assunta Attilio Aurelio Aurora Barbara Beatrice Benedetta Benedetto Beniamino Bernardo Biagio Bruna Bruno
    Calogero Camilla Carla Carlo Carmela Carmelo Carmine Carolina Caterina Cecilia Cesare Chiara Christian
    Ciro Clara Claudia Claudio Concetta Corrado Cosimo Costantino Cristian Cristiano Cristina Daniela Daniele
    Dario Davide Debora Deborah Diana Diego Dino Domenica Domenico Donatella Donato Edoardo Elda Elena
    Eleonora Elia Elio Elisa Elisabetta Emanuela Emanuele Emilia Emilio Emma Enrica Enrico Enzo Ernesto Ettore
    Eugenia Eugenio Eva Fabio Fabiola Fabrizio Federica Federico Felice Ferdinando Fernanda Fernando Filippo
    Filomena Flavia Flavio Franca Francesca Francesco Franco Gabriele Gabriella Gaetano Gaia Gennaro Gerardo
    Giacomo Giada Giampiero Gianfranco Gianluca Gianluigi Gianmarco Gianna Gianni Gianpaolo Gilberto Gina Gino
    Giorgia Giorgio Giovanna Giovanni Gisella Giulia Giuliana Giuliano Giulio Giuseppe Giuseppina Graziella
    Guglielmo Guido Ida Ignazio Ilaria Immacolata Ines Irene Isabella Ivan Ivana Ivano Jacopo Lara Laura
    Lavinia Lea Leonardo Lidia Liliana Lina Livia Livio Lorena Lorenza Lorenzo Loredana Loretta Luana Luca
    Lucia Luciana Luciano Ludovica Ludovico Luigi Luigia Luisa Maddalena Manuela Marcella Marcello Marco
    Margherita Maria Mariangela Marianna Mariano Marika Mario Marisa Marta Martina Martino Massimiliano
    Massimo Matilde Matteo Mattia Maura Maurizio Mauro Melissa Michela Michele Michelangelo Milena Mirella
    Miriam Mirko Monica Nadia Natale Natalia Nazario Nicola Nicole Nicoletta Nicolò Noemi Nunzia Nunzio Oreste
    Ornella Orazio Oscar Osvaldo Ottavio Paola Paolo Pasquale Patrizia Patrizio Pierangelo Pierluigi Piero
    Pietro Pierpaolo Raffaele Raffaella Raffaello Raimondo Remo Renata Renato Renzo Riccardo Rita Roberta
    Roberto Rocco Romano Romeo Romina Rosalba Rosalia Rosanna Rosaria Rosario Rossana Rossella Ruggero Sabina
    Sabrina Samuel Samuele Sandra Sandro Sara Saverio Sebastiano Sergio Silvana Silvano Silvia Silvio Simona
    Simone Simonetta Sofia Sonia Stefania Stefano Susanna Tamara Tania Teresa Tiziana Tiziano Tommaso Ugo
    Umberto Valentina Valentino Valeria Valerio Vanessa Veronica Vincenza Vincenzo Virginia Vito Vittoria
    Vittorio Walter
    """.split()  # noqa: SIM905
)

_NAME = (
    r"(?:(?:D'|D’|De |Di |Da |Del |Della |Dell'|Dal |Lo |La |Li |Mc)?"
    r"[A-ZÀÈÉÌÒÙ](?:[a-zàèéìòù]+|[A-ZÀÈÉÌÒÙ]+)(?:['’\-][A-ZÀ][a-zàèéìòù]+)?)"
)
_INITIAL = r"[A-Z]\."
_FULL = rf"(?:{_NAME}|{_INITIAL})(?:[ ]+(?:{_NAME}|{_INITIAL})){{0,3}}"
_TITLE = (
    r"\b(?:[Dd]ott\.?(?:ssa|\.ssa)?|DOTT\.?(?:SSA)?|[Dd]r\.?(?:ssa)?|DR\.?|[Pp]rof\.?(?:ssa)?|PROF\.?|[Dd]ottor(?:e|essa)?"
    r"|[Pp]rofessor(?:e|essa)?|[Ss]ig\.?(?:\.?ra|na|nora?)?|SIG\.?(?:RA)?|[Ss]ignor[ae]?|[Aa]vv\.|[Ii]ng\.)"
)
_TITLED = re.compile(rf"{_TITLE}(?:[ ]+{_TITLE})*\.?[ ]*({_FULL})(?!['’\w])")
_LABEL = re.compile(
    r"\b(?i:paziente|pz|assistit[oa]|cognome e nome|nome e cognome|cognome|nome|nominativo|medico curante|curante|mmg"
    r"|medico refertante|refertante|firmato(?: digitalmente)? da|firmato|f\.to|moglie|marito|figli[oa]|madre|padre"
    rf"|fratello|sorella|caregiver|familiare|contattare)\b\.?[ ]*(:?)[ ]*({_FULL})"
)
_CAPITALISED = re.compile(rf"{_NAME}(?:[ ]+{_NAME}){{1,3}}")
_WORD = re.compile(r"[A-ZÀÈÉÌÒÙ][\wàèéìòù]+")
# "San Carlo", "Ospedale Giovanni Bosco", "via Giuseppe Verdi": places; "morbo di": eponyms.
_PLACE_BEFORE = re.compile(
    r"(?i:\b(?:san|santa|santo|sant|s|ss|via|viale|piazza|corso|largo|ospedale|osp|policlinico|presidio|istituto|clinica"
    r"|fondazione|università|morbo di|sindrome di|malattia di|scala di|segno di|manovra di|test di))[.'’]?[ ]*$"
)
_COMPANY_AFTER = re.compile(
    r"['’]s\b|\s*(?:[\w.]+\s+)?(?:[Ff]armaceutic\w+|[Pp]harm\w*|S\.?[pP]\.?A|S\.?r\.?l|Italia\b)"
)
_NOT_PEOPLE = frozenset(
    """
    Reddy Reddys San Santa Santo Farmaceutici Farmaceutica Pharma Farma Laboratori Ospedale
    """.split()  # noqa: SIM905
)
TRIGGER_WORDS = GIVEN_NAMES | frozenset(
    """
    dott Dott DOTT dottore Dottore dottoressa Dottoressa dr Dr DR prof Prof PROF professore Professore
    professoressa Professoressa dssa sig Sig SIG sigra Sigra signor Signor signora Signora signore Signore avv
    Avv ing Ing cognome Cognome COGNOME nominativo Nominativo curante Curante CURANTE refertante Refertante
    firmato Firmato
    """.split()  # noqa: SIM905
)


def is_given(word: str) -> bool:
    """Whether a word is a common given name; in capitals only from five letters on (IDA, LEA)."""
    return word in GIVEN_NAMES or (len(word) > 4 and word != "ELISA" and word.isupper() and word.title() in GIVEN_NAMES)


def find(text: str) -> Iterator[tuple[int, int]]:
    """Characters [start, end) of names; they may overlap."""
    for match in _TITLED.finditer(text):
        if _person(match[1], text[match.end() : match.end() + 60]):
            yield match.span(1)
    for match in _LABEL.finditer(text):
        words = _WORD.findall(match[2])
        if (match[1] and len(words) > 1) or any(map(is_given, words)):
            yield match.span(2)
    for match in _CAPITALISED.finditer(text):
        words = _WORD.findall(match[0])
        given = [is_given(word) for word in words]
        if not any(given) or _PLACE_BEFORE.search(text[max(0, match.start() - 40) : match.start()]):
            continue
        if _person(match[0], text[match.end() : match.end() + 60]):
            # "Ricoverata Maria Rossi": with three words, the first that is no given name begins the sentence
            skip = len(words[0]) + 1 if len(words) > 2 and not given[0] and given[1] else 0
            yield match.start() + skip, match.end()


def _person(name: str, after: str) -> bool:
    return not _NOT_PEOPLE.intersection(_WORD.findall(name)) and not _COMPANY_AFTER.match(after)
