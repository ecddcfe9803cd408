"""What all pages share: the language, addresses, numbers as readers write them, and templates that escape everything.

A page is a pure function from data to a `Page`; its HTML comes from `templates/`, where Jinja escapes every value. The
same functions make the pages of the server and of the static export; only `Site.link` differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ita_med import numbers
from ita_med.leaderboard.pages import ui_en, ui_it
from ita_med.numbers import NONE
from ita_med.tasks.families.registry import FAMILIES
from ita_med.tasks.report.rows import COLUMNS
from ita_med.version import BENCHMARK_VERSION, __version__

WORDS = {"it": ui_it.WORDS, "en": ui_en.WORDS}
LANGUAGES = {"it": "Italiano", "en": "English"}
FAMILY_NAMES = {lang: {name: family.names[lang] for name, family in FAMILIES.items()} for lang in LANGUAGES}
MENU = ("ranking", "figures", "compare", "tasks", "submit", "queue", "method", "about")
"""The pages of the navigation, in order; `model` is reached from rows."""
STATIC = Path(__file__).parent / "static"
"""The scripts, styles and icon that the pages load."""
REPOSITORY = "https://github.com/ita-med/ita-med"
Query = Mapping[str, Any]


def served(language: str, page: str, query: Query) -> str:
    """The address of a page of the server, as /it/model?id=3."""
    tail = urlencode(query, doseq=True)
    return f"/{language}/{'' if page == 'ranking' else page}" + (f"?{tail}" if tail else "")


@dataclass(frozen=True)
class Site:
    """What a page must know of the site that it is made for.

    Attributes:
        language: "it" or "en".
        synthetic: Whether the board shows runs on the embedded sample; every page then says so.
        address: Makes the address of a page from its language, name and query.
        static: Whether the pages are files, without forms that need a server.
        files: Where board.css and the other files of the pages lie.
    """

    language: str
    synthetic: bool = False
    address: Callable[[str, str, Query], str] = served
    static: bool = False
    files: str = "/static/"

    @property
    def words(self) -> dict[str, str]:
        """What the pages say in this language, by key."""
        return WORDS[self.language]

    @property
    def families(self) -> dict[str, str]:
        """Names of the task families in this language."""
        return FAMILY_NAMES[self.language]

    def term(self, word: str) -> str:
        """A word of the catalogue in the page's language, where there is one for it."""
        return ui_it.TERMS.get(word, word) if self.language == "it" else word

    def link(self, page: str, **query: Any) -> str:
        """The address of a page in this language."""
        return self.address(self.language, page, query)

    def number(self, value: float | None, digits: int = 1) -> str:
        """A number as this language writes it; a dash for None."""
        return numbers.number(value, self.language, digits)

    def signed(self, value: float | None) -> str:
        """A difference with its sign."""
        return numbers.number(value, self.language, plus=True)

    def interval(self, ends: tuple[float, float] | None) -> str:
        """The ends of an interval; "" where there is none."""
        return numbers.interval(ends, self.language) if ends else ""

    def parameters(self, millions: float) -> str:
        """A number of parameters, given in millions: 1700 → 1,7 B; a dash for 0, which stands for not stated."""
        if millions <= 0:
            return NONE
        if millions < 1000:
            return f"{self.number(millions, 0)} {self.words['million']}"
        return f"{self.number(millions / 1000, 0 if millions >= 99_500 else 1)} {self.words['billion']}"

    def percent(self, share: float) -> str:
        """A share from 0 to 1 in per cent."""
        return f"{self.number(100 * share)} %"

    def day(self, moment: str) -> str:
        """The day of an ISO time."""
        return moment[:10]


@dataclass
class Page:
    """The content of a page's <main>, with what its document says about it.

    Attributes:
        name: Of the page, as in `MENU`.
        title: Of the document.
        about: Its description.
        content: HTML.
        query: What a link to the same page in the other language keeps.
        status: HTTP status of the page.
    """

    name: str
    title: str
    about: str
    content: Markup
    query: Query = field(default_factory=dict)
    status: int = 200


@cache
def _templates() -> Environment:
    loader = PackageLoader("ita_med.leaderboard.pages", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals |= {"COLUMNS": COLUMNS, "LANGUAGES": LANGUAGES, "MENU": MENU, "NONE": NONE, "REPOSITORY": REPOSITORY}
    made.filters |= {"zip_self": lambda values: [(v, v) for v in values], "words_of": _words_of}
    return made


def _words_of(values: Iterable[str], words: Mapping[str, str], prefix: str) -> list[tuple[str, str]]:
    """Values with what the language calls them, for the options of a select."""
    return [(value, words[prefix + value]) for value in values]


def fill(template: str, site: Site, **values: Any) -> Markup:
    """A template filled with values; all of them are escaped, but for what this function itself returned earlier."""
    return Markup(_templates().get_template(template).render(site=site, w=site.words, **values))


def document(site: Site, page: Page, shell: Any = None) -> str:
    """The whole HTML document of a page.

    Args:
        site: Language and addresses.
        page: What the document is about.
        shell: What Gradio adds to it (`gradio_shell.Shell`); None for a plain document.
    """
    return fill("document.html", site, page=page, shell=shell, version=__version__, benchmark=BENCHMARK_VERSION)


def missing(site: Site, name: str, message: str) -> Page:
    """The page for an address that leads to nothing."""
    return Page(name, site.words["not_found"], message, fill("missing.html", site, message=message), status=404)


def language_of(accepted: str) -> str:
    """The language that an Accept-Language header prefers, "it" or "en"; English where it names neither."""
    best, chosen = 0.0, "en"
    for part in accepted[:500].split(","):
        name, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES and weight > best:
            best, chosen = weight, language
    return chosen
