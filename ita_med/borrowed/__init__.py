"""The insides of other libraries that this package touches: private names, names that are replaced, undocumented forms.

Each library has one module here, `LIBRARY_inside.py`. It alone touches that library's insides, and lists them with what
is lost without each. A public name needs no entry. Before an inside is used, `there` says whether this version of the
library still has it; where it has not, the user reads one line, and never a stack trace.

tests/core/test_borrowed.py holds every list against the installed libraries, so that a new version that changes one of
them fails a test that says what is lost.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from functools import cache, reduce
from importlib.metadata import PackageNotFoundError, version

from ita_med.errors import ItaMedError

log = logging.getLogger("ita_med")


@dataclass(frozen=True)
class Borrowed:
    """One inside of another library.

    Attributes:
        package: the library's name on PyPI.
        name: `MODULE:ATTRIBUTE`, or in words what no import can check, such as the name of a file that it writes.
        lost: what does not work without it, as the end of a sentence, and what to do.
    """

    package: str
    name: str
    lost: str

    @property
    def importable(self) -> bool:
        return ":" in self.name

    def line(self) -> str:
        """What a user reads where it is gone."""
        try:
            installed = version(self.package)
        except PackageNotFoundError:
            installed = "(not installed)"
        return f"{self.package} {installed} has no {self.name.replace(':', '.')}: {self.lost}"


def exists(borrowed: Borrowed) -> bool:
    """Whether the installed library has an importable inside; imports the library."""
    module, _, attribute = borrowed.name.partition(":")
    try:
        reduce(getattr, attribute.split("."), importlib.import_module(module))
    except (ImportError, AttributeError):
        return False
    return True


def there(borrowed: Borrowed) -> bool:
    """The same for code that can do without it: where it is gone, one warning says once what is lost."""
    if exists(borrowed):
        return True
    warn(borrowed)
    return False


@cache
def warn(borrowed: Borrowed) -> None:
    """Say once per process that an inside is gone and what is lost."""
    log.warning("%s", borrowed.line())


def require(borrowed: Borrowed) -> None:
    """The same for code that cannot do without it.

    Raises:
        ItaMedError: it is gone; the message is the line of `Borrowed.line`.
    """
    if not exists(borrowed):
        raise ItaMedError(borrowed.line())
