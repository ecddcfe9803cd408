"""Raw upstream files: from a local mirror, the download cache, or the network.

A mirror is a folder with one sub-folder per dataset id that holds upstream's own layout, as plain files or as the
archives that upstream publishes (`.zip`, `.tar.gz`, `.tar.xz`). Archives are read in place; nothing is unpacked.
`embedded` names the built-in mirror of synthetic samples.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from ita_med import archives
from ita_med.errors import MissingSource, SourceError
from ita_med.files import replace_folder

EMBEDDED = "embedded"
MIRROR_VARIABLE = "ITA_MED_MIRROR"
CACHE_VARIABLE = "ITA_MED_CACHE"
MAX_FOUND_BYTES = 2**32
"""What one pattern may bring into memory at once."""

GITHUB_FILES = "https://raw.githubusercontent.com"
GITHUB_ARCHIVES = "https://codeload.github.com"
ZENODO = "https://zenodo.org"


def cache_dir() -> Path:
    """Where downloads and built datasets go: `ITA_MED_CACHE`, else `~/.cache/ita_med`."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "ita_med")


@dataclass(frozen=True)
class Remote:
    """One file to download; `path` is below the dataset's folder, `checksum` is "sha256:…", "md5:…" or empty."""

    path: str
    url: str
    checksum: str = ""


@dataclass(frozen=True)
class GitHub:
    """Files of a repository at one commit; without `files`, the whole repository as its zip archive."""

    repo: str
    commit: str
    files: tuple[str, ...] = ()

    def downloads(self) -> Iterator[Remote]:
        if not self.files:
            name = self.repo.split("/")[1]
            yield Remote(f"{name}-{self.commit[:8]}.zip", f"{GITHUB_ARCHIVES}/{self.repo}/zip/{self.commit}")
        for file in self.files:
            yield Remote(file, f"{GITHUB_FILES}/{self.repo}/{self.commit}/{quote(file)}")


@dataclass(frozen=True)
class Zenodo:
    """Files of a Zenodo record: those whose names match one of the patterns, in the dataset's folder.

    The number of a concept record stands for its newest version.
    """

    record: int
    files: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Url:
    """One file of any other server; `path` is its place below the dataset's folder."""

    url: str
    path: str
    sha256: str | None = None

    def downloads(self) -> Iterator[Remote]:
        yield Remote(self.path, self.url, f"sha256:{self.sha256}" if self.sha256 else "")


@dataclass(frozen=True)
class Hub:
    """A dataset repository on the Hugging Face Hub; lies in a sub-folder with the repository's name.

    Attributes:
        repo: OWNER/NAME.
        revision: A branch, or the commit to which it is pinned.
        allow_patterns: Of its files only those that match one, such as the Italian split of a multilingual repository.
    """

    repo: str
    revision: str = "main"
    gated: bool = False
    allow_patterns: tuple[str, ...] = ()


Source = GitHub | Zenodo | Url | Hub


class RawFiles:
    """The raw files of one dataset: a folder and the archives directly inside it.

    Paths are upstream's, below the dataset's folder; an archive's single top folder is optional.
    Every file read is remembered with its sha256 in `seen`.
    """

    def __init__(self, dataset: str, root: Path, kind: str) -> None:
        self.dataset = dataset
        self.root = root
        self.kind = kind
        self.seen: dict[str, str] = {}
        self._archives = sorted(p for p in root.iterdir() if p.name.endswith(archives.SUFFIXES) and p.is_file())

    def find(self, pattern: str, *, required: bool = True) -> list[tuple[str, bytes]]:
        """All files that match the pattern, as (path, content) in path order.

        The pattern is a path whose last part may hold wildcards. Archives are looked into only where no plain file
        matches.
        """
        found, size = [], 0
        for path, content in self.each(pattern, required=required):
            found.append((path, content))
            if (size := size + len(content)) > MAX_FOUND_BYTES:
                raise SourceError(
                    f"{self.dataset}: {pattern} matches more than {MAX_FOUND_BYTES:,} bytes; get it again"
                )
        return sorted(found)

    def each(self, pattern: str, *, required: bool = True) -> Iterator[tuple[str, bytes]]:
        """The same one by one, in no order: for more files than memory should hold at once."""
        found = False
        for path, content in self._contents(pattern):
            found = True
            self.seen[path] = hashlib.sha256(content).hexdigest()
            yield path, content
        if required and not found:
            raise SourceError(f"{self.dataset}: {pattern} is not in {self.root}; {self._where_to_get()}")

    def open(self, pattern: str, *, required: bool = True) -> Iterator[tuple[str, BinaryIO]]:
        """The same as open files, for more bytes than memory should hold; each is closed when the next is asked for.

        Plain files and those in a `.zip` are streamed (they are read twice: once for the checksum); those in a
        `.tar` are not.
        """
        found = False
        for path, open_ in self._openers(pattern):
            found = True
            with self._readable(path), open_() as stream:
                self.seen[path] = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            with open_() as stream:
                yield path, stream
        if required and not found:
            raise SourceError(f"{self.dataset}: {pattern} is not in {self.root}; {self._where_to_get()}")

    def _contents(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        plain = self._plain(pattern)
        if not plain:
            return self._from_archives(pattern)
        return ((path.relative_to(self.root).as_posix(), path.read_bytes()) for path in plain)

    def _plain(self, pattern: str) -> list[Path]:
        return sorted(p for p in (self.root / Path(pattern).parent).glob(Path(pattern).name) if p.is_file())

    def _openers(self, pattern: str) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
        plain = self._plain(pattern)
        for path in plain:
            yield path.relative_to(self.root).as_posix(), cast(Callable[[], BinaryIO], partial(path.open, "rb"))
        for archive in () if plain else self._archives:
            with self._readable(archive.name):
                if archive.suffix == ".zip":
                    yield from archives.open_zip(archive, lambda name: archives.inside(name, pattern))
                else:
                    for inner, content in archives.read_tar(archive, lambda name: archives.inside(name, pattern)):
                        yield inner, partial(io.BytesIO, content)

    def read(self, path: str) -> bytes:
        """The content of one file."""
        return self.find(path)[0][1]

    def has(self, path: str) -> bool:
        """Whether the folder holds a plain file or folder with that path (archives are not looked into)."""
        return (self.root / path).exists()

    def _where_to_get(self) -> str:
        from ita_med.catalogue import dataset

        entry = dataset(self.dataset)
        ask = {"gated": "ask for access there", "on request": "ask its authors"}.get(entry.access, "it is open")
        return f"upstream: {entry.homepage} ({entry.licence}; {ask})"

    def _from_archives(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        for archive in self._archives:
            with self._readable(archive.name):
                read = archives.read_zip if archive.suffix == ".zip" else archives.read_tar
                yield from read(archive, lambda name: archives.inside(name, pattern))

    @contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        try:
            yield
        except SourceError as error:
            raise SourceError(f"{self.dataset}: {error}; get it again") from error
        except archives.BROKEN as error:
            raise SourceError(f"{self.dataset}: {name} cannot be read ({error}); get it again") from error


def resolve(
    dataset: str, sample: Path, sources: tuple[Source, ...], mirror: str | None = None, *, download: bool = True
) -> RawFiles:
    """The dataset's raw files from the mirror (or `ITA_MED_MIRROR`), else the cache, else the network."""
    mirror = mirror or os.environ.get(MIRROR_VARIABLE) or None
    if mirror == EMBEDDED:
        if not sample.is_dir():
            raise SourceError(f"{dataset}: {sample} is missing: it holds a few synthetic files in upstream's format")
        return RawFiles(dataset, sample, EMBEDDED)
    if mirror:
        folder = Path(mirror) / dataset
        if not Path(mirror).is_dir():
            raise SourceError(
                f"{dataset}: the mirror {mirror} is not a folder; give --mirror DIR or set {MIRROR_VARIABLE}"
            )
        if not folder.is_dir():
            raise MissingSource(
                f'{dataset}: the mirror {mirror} has no folder "{dataset}"; '
                f'fill it with "ita-med data pull {dataset} --to {mirror}" where there is a network'
            )
        return RawFiles(dataset, folder, "mirror")
    folder = cache_dir() / "sources" / dataset
    if not folder.is_dir():
        if not download:
            raise MissingSource(
                f'{dataset}: not downloaded yet; run "ita-med data pull {dataset}" or set {MIRROR_VARIABLE} to a mirror'
            )
        pull(dataset, sources, folder)
    return RawFiles(dataset, folder, "cache")


def nothing_real() -> bool:
    """True if this machine names no mirror and has never pulled a dataset: only the embedded samples are left."""
    pulled = cache_dir() / "sources"
    return not os.environ.get(MIRROR_VARIABLE) and not (pulled.is_dir() and any(pulled.glob("[!.]*")))


def or_sample(mirror: str | None) -> str | None:
    """The mirror that was named; where none was and nothing real is here, the embedded samples."""
    return EMBEDDED if mirror is None and nothing_real() else mirror


def pull(dataset: str, sources: tuple[Source, ...], folder: Path, sums: dict[str, str] | None = None) -> None:
    """Download all sources of a dataset into `folder`, whole or not at all."""
    import tempfile

    from ita_med.download import fetch

    if not sources:
        raise MissingSource(f"{dataset}: nothing to download; see the homepage in `ita-med data list`")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{dataset}-") as partial:
        root = Path(partial) / dataset
        for source in sources:
            if isinstance(source, Hub):
                _pull_hub(dataset, source, root / source.repo.split("/")[1])
                continue
            for remote in _zenodo(dataset, source) if isinstance(source, Zenodo) else source.downloads():
                pinned = (sums or {}).get(remote.path)
                fetch(dataset, remote.url, root / remote.path, f"sha256:{pinned}" if pinned else remote.checksum)
        replace_folder(root, folder)


def _zenodo(dataset: str, source: Zenodo) -> list[Remote]:
    """The record's files with the checksums that Zenodo states; the newest version's where it is a concept record."""
    from ita_med.download import fetch_json

    url = f"{ZENODO}/api/records/{source.record}"
    answer = fetch_json(dataset, url)
    try:
        record = int(answer["id"])
        sums = {str(file["key"]): str(file["checksum"]) for file in answer["files"]}
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{dataset}: {url} does not list id, files, key and checksum as expected ({error!r})"
        ) from error
    for pattern in source.files:
        if not any(fnmatchcase(name, pattern) for name in sums):
            raise SourceError(f"{dataset}: {url} has no file {pattern}, only {', '.join(sorted(sums)) or 'none'}")
    for name, checksum in sums.items():
        if name != Path(name).name or name == ".." or not re.fullmatch(r"md5:[0-9a-f]{32}", checksum):
            raise SourceError(
                f'{dataset}: {url} lists "{name}" with the checksum "{checksum}", expected md5 and a name'
            )
    return [
        Remote(name, f"{ZENODO}/records/{record}/files/{quote(name)}?download=1", checksum)
        for name, checksum in sorted(sums.items())
        if any(fnmatchcase(name, pattern) for pattern in source.files)
    ]


def _pull_hub(dataset: str, source: Hub, folder: Path) -> None:
    import shutil
    import sys

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    page = f"https://huggingface.co/datasets/{source.repo}"
    try:
        snapshot_download(
            source.repo,
            repo_type="dataset",
            revision=source.revision,
            allow_patterns=list(source.allow_patterns) or None,
            local_dir=folder,
        )
    except GatedRepoError as error:
        raise MissingSource(
            f'{dataset}: {page} is gated; ask for access there, then "hf auth login" and try again'
        ) from error
    except RepositoryNotFoundError as error:
        raise SourceError(f"{dataset}: {page} does not exist, or is private and your token may not see it") from error
    except RevisionNotFoundError as error:
        raise SourceError(f"{dataset}: {page} has no revision {source.revision}") from error
    except (HTTPError, OSError) as error:
        raise SourceError(f"{dataset}: cannot download {source.repo} from the Hub ({error})") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # huggingface_hub's notes on the download
    if not any(folder.glob("*")):
        wanted = ", ".join(source.allow_patterns) or "at all"
        raise SourceError(f"{dataset}: {source.repo} at {source.revision} has no file {wanted}")
