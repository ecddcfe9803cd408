"""Bring a repository on the Hugging Face Hub to the content of local files: one atomic commit, safe to repeat.

huggingface_hub does all requests. What it does not do is done here: to compare before anything is sent, to start again
from the new head when somebody else has committed (412), to wait when calls other than uploads are refused (429, 5xx),
and to say in one line what is wrong.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ita_med.errors import ItaMedError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TRIES = 4
RACES = 5
LONGEST_WAIT = 600.0
USED_UP = re.compile(r'"\s*;\s*r\s*=\s*0+\s*;\s*t\s*=\s*(\d+)')
"""A RateLimit header (IETF draft-ietf-httpapi-ratelimit-headers-09) without requests left, and the seconds to wait."""
WAIT_AND_TRY_AGAIN = {408, 429, 500, 502, 503, 504}

Returned = TypeVar("Returned")


@dataclass(frozen=True)
class Change:
    """What a repository got, or would get: paths added (or replaced) and deleted, and its head commit.

    `commit` is "" only in a dry run for a repository that does not exist.
    """

    repo: str
    url: str
    commit: str
    added: list[str]
    deleted: list[str]
    size: int

    @property
    def empty(self) -> bool:
        return not (self.added or self.deleted)


def account(namespace: str) -> HfApi:
    """The Hub's client, once it is clear that the token may write to the user or organisation `namespace`."""
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.utils import disable_progress_bars

    if constants.HF_HUB_OFFLINE:
        raise ItaMedError("HF_HUB_OFFLINE is set: unset it to publish")
    token = get_token()
    if not token:
        raise ItaMedError('no Hugging Face token: run "hf auth login", or set HF_TOKEN to a token that may write')
    if not (token.isascii() and token.isprintable()):
        raise ItaMedError("the Hugging Face token holds characters that no token has; set HF_TOKEN anew")
    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi(token=token)
    with one_line(namespace):
        me = patiently(api.whoami)
        rights = {org["name"]: org.get("roleInOrg") for org in me.get("orgs", [])} | {me["name"]: "admin"}
        role = (me.get("auth") or {}).get("accessToken", {}).get("role")
    if role == "read":
        raise ItaMedError(f"the Hugging Face token of {me['name']} may only read; make one that may write")
    if rights.get(namespace, "read") == "read":
        writable = ", ".join(sorted(name for name, right in rights.items() if right != "read"))
        raise ItaMedError(f'{me["name"]} has no write right in "{namespace}" on the Hub, only in {writable}')
    return api


def put_files(
    api: HfApi,
    repo: str,
    kind: str,
    files: dict[str, Path | bytes],
    *,
    message: str,
    stale: Callable[[list[str]], list[str]],
    private: bool = False,
    tag: str | None = None,
    dry_run: bool = False,
) -> Change:
    """Commit those files that the repository lacks or has otherwise; no commit if there are none.

    Args:
        api: From `account`.
        repo: OWNER/NAME; it is created if it does not exist.
        kind: "model", "dataset" or "space".
        files: Path in the repository -> local file or content.
        message: Of the commit.
        stale: Given the repository's other files, returns those to delete.
        private: For a repository that is created; one that exists and is public is refused.
        tag: A name for the resulting commit.
        dry_run: Write nothing.
    """
    with one_line(repo):
        sent, commit = None, ""
        for _ in range(RACES):
            head = _head(api, repo, kind)
            if head is None and not dry_run:
                head = _create(api, repo, kind, private)
            if head is not None and private and not head.private:
                raise ItaMedError(f"{repo} exists and is public: --private cannot hide it; change it on its page")
            change = _compare(api, repo, kind, head, files, stale)
            tagged = tag is not None and head is not None and _tagged(api, change, kind, tag)
            if dry_run or change.empty:
                commit = change.commit
                break
            sent = change  # if the answer to this commit is lost, the next comparison finds no change
            if commit := _commit(api, change, kind, files, message):
                break
        else:
            raise ItaMedError(f"{repo}: somebody else committed {RACES} times meanwhile; try again")
        if tag and not tagged and not dry_run:
            patiently(lambda: api.create_tag(repo, tag=tag, revision=commit, repo_type=kind, exist_ok=True))
        return replace(sent or change, commit=commit)


def _head(api: HfApi, repo: str, kind: str) -> Any:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return patiently(lambda: api.repo_info(repo, repo_type=kind))
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        return None


def _create(api: HfApi, repo: str, kind: str, private: bool) -> Any:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        patiently(lambda: api.create_repo(repo, repo_type=kind, private=private or None))
    except HfHubHTTPError as error:
        if error.response.status_code != 409:  # another process was faster
            raise
    head = _head(api, repo, kind)
    if head is None:
        raise ItaMedError(f"{repo} exists on the Hub, but not as a {kind} that this token may see; choose another name")
    return head


def _compare(
    api: HfApi,
    repo: str,
    kind: str,
    head: Any,
    files: dict[str, Path | bytes],
    stale: Callable[[list[str]], list[str]],
) -> Change:
    from huggingface_hub.hf_api import RepoFile

    listed = api.list_repo_tree(repo, recursive=True, revision=head.sha, repo_type=kind) if head else ()
    there = {file.path: file for file in listed if isinstance(file, RepoFile)}
    added = [path for path, local in files.items() if path not in there or _differs(local, there[path])]
    deleted = stale(sorted(there.keys() - files.keys()))
    url = f"{api.endpoint}/{'' if kind == 'model' else f'{kind}s/'}{repo}"
    size = sum(_size(files[path]) for path in added)
    return Change(repo, url, head.sha if head else "", added, deleted, size)


def _size(local: Path | bytes) -> int:
    return len(local) if isinstance(local, bytes) else local.stat().st_size


def _differs(local: Path | bytes, there: Any) -> bool:
    if _size(local) != there.size:
        return True
    if there.lfs is None:
        return git_blob(local if isinstance(local, bytes) else local.read_bytes()) != there.blob_id
    if isinstance(local, bytes):
        return hashlib.sha256(local).hexdigest() != there.lfs.sha256
    with local.open("rb") as file:  # weights may be larger than the memory
        return hashlib.file_digest(file, "sha256").hexdigest() != there.lfs.sha256


def git_blob(content: bytes) -> str:
    """The id of a file's content in git, as `git hash-object` prints it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _tagged(api: HfApi, change: Change, kind: str, tag: str) -> bool:
    """Whether the tag names the head and may stay there."""
    refs = patiently(lambda: api.list_repo_refs(change.repo, repo_type=kind))
    named = {ref.name: ref.target_commit for ref in refs.tags}
    if tag in named and not (change.empty and named[tag] == change.commit):
        raise ItaMedError(f'{change.repo}: the tag "{tag}" names the commit {named[tag][:8]} already; choose another')
    return tag in named


def _commit(api: HfApi, change: Change, kind: str, files: dict[str, Path | bytes], message: str) -> str:
    """The new commit, or "" if somebody else has committed meanwhile."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    additions = [CommitOperationAdd(path, files[path]) for path in change.added]
    operations: list[Any] = [*additions, *(CommitOperationDelete(path) for path in change.deleted)]
    api.preupload_lfs_files(change.repo, additions, repo_type=kind, free_memory=False)  # has its own patience
    try:
        done = patiently(
            lambda: api.create_commit(
                change.repo, operations, commit_message=message, repo_type=kind, parent_commit=change.commit
            )
        )
    except HfHubHTTPError as error:
        if error.response.status_code != 412:
            raise
        return ""
    return done.oid


def patiently(call: Callable[[], Returned]) -> Returned:
    """The call's result; after 429, 5xx or a broken connection it waits as long as the Hub asks, and calls again.

    Own code: huggingface_hub's `http_backoff` repeats single requests, not calls of `HfApi`, and waits for however long
    a server asks; tenacity would replace the loop below, but not `_wait`, and be one more dependency of the core.
    """
    from huggingface_hub.errors import HTTPError

    tries = 0
    while True:
        try:
            return call()
        except HTTPError as error:
            tries += 1
            wait = _wait(error, tries)
            if wait is None or tries == TRIES:
                raise
            print(f"ita-med: {_reason(error)}; trying again in {wait:g} s", file=sys.stderr)
            time.sleep(wait)


def _wait(error: Exception, tries: int) -> float | None:
    """Seconds until the next try; None if it would not help."""
    response = getattr(error, "response", None)
    if response is None:
        return 2.0 ** (tries - 2)
    if response.status_code not in WAIT_AND_TRY_AGAIN:
        return None
    asked, after = 2.0 ** (tries - 2), response.headers.get("Retry-After", "")
    if used_up := USED_UP.search(response.headers.get("RateLimit", "")):
        asked = int(used_up[1]) + 1.0
    elif after.isdigit():
        asked = float(after)
    return asked if asked <= LONGEST_WAIT else None


@contextmanager
def one_line(repo: str) -> Iterator[None]:
    """Turn the Hub's and its client's errors into one line."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, RuntimeError, ValueError, KeyError) as error:
        cause = error if isinstance(error, HTTPError) else error.__cause__
        again = ""
        if isinstance(cause, HTTPError) and (_status(cause) is None or _status(cause) in WAIT_AND_TRY_AGAIN):
            again = "; the same command goes on where it stopped"
        raise ItaMedError(f"{repo}: {_reason(error)}{again}") from error
    except ConnectionError as error:  # only Xet's client raises it
        raise ItaMedError(f"{repo}: Xet upload failed ({error}); HF_HUB_DISABLE_XET=1 uploads with LFS") from error


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error, None where no answer came."""
    response = getattr(error, "response", None)
    return None if response is None else response.status_code


def _reason(error: BaseException) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HTTPError

    response = getattr(error, "response", None)
    if response is None:
        if isinstance(error, HTTPError):
            return f"no connection with {constants.ENDPOINT} ({error})"
        cause = error.__cause__
        return f"{error} {_reason(cause)}" if isinstance(cause, HTTPError) else f"{type(error).__name__}: {error}"
    said = getattr(error, "server_message", None) or response.headers.get("X-Error-Message", "")
    match response.status_code:
        case _ if isinstance(error, GatedRepoError):
            return f"the repository is gated; ask for access at {constants.ENDPOINT}"
        case 401:
            return "the Hub does not accept the token; log in again or set HF_TOKEN to a valid one"
        case 403:
            return f"the token may not write there ({said})"
        case 429:
            after = response.headers.get("Retry-After")
            return "the Hub refuses more requests for now (429)" + (f", for {after} s" if after else "")
        case status:
            return f"the Hub answered {status}" + (f" ({said})" if said else "")
