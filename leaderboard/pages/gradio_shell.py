"""Gradio as the shell of the pages: a multipage `gr.Blocks` per language, mounted in an app of its own.

That inner app is never reachable. It is asked once for each of its pages and files, and what it answered is served
from memory; so its routes for uploads, events and files do not exist outside, and no reader waits in Gradio's queue.
Its pages are taken apart: their scripts and styles go into our documents, their addresses of other hosts do not.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import os
import threading
import warnings
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ita_med.borrowed.gradio_inside import FILES, take_apart
from ita_med.errors import ItaMedError
from ita_med.leaderboard.pages.site import LANGUAGES, MENU, WORDS

log = logging.getLogger(__name__)
HOST = "http://shell"
NAMES = (*MENU, "model", "figures")
POLICY = (
    "default-src 'none'; {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
"""Scripts are files of ours or inline ones that have one of the hashes named; nothing is evaluated from strings."""
PLAIN_POLICY = POLICY.format(scripts="script-src 'self'")


@dataclass(frozen=True)
class Shell:
    """What Gradio adds to one page.

    Attributes:
        head: Tags for the <head>.
        opening: What stands before our content.
        closing: What stands after it.
        policy: The Content-Security-Policy of the page.
    """

    head: Markup
    opening: Markup
    closing: Markup
    policy: str


@dataclass(frozen=True)
class GradioFile:
    """A script, style or font of Gradio."""

    content: bytes
    media_type: str


class Gradio:
    """The inner app's pages and files, each asked for once."""

    def __init__(self) -> None:
        self._app = _mounted()
        self._files: dict[str, GradioFile] = {}
        self._lock = threading.Lock()
        self._shells = {
            (language, name): _taken_apart(self._get(_path(language, name)).content.decode(), language)
            for language in LANGUAGES
            for name in NAMES
        }

    def shell(self, language: str, name: str) -> Shell:
        """What Gradio adds to a page of ours; pages that it does not know get that of the ranking."""
        return self._shells[language, name if name in NAMES else "ranking"]

    def file(self, language: str, path: str) -> GradioFile | None:
        """A script, style or font of Gradio; None for everything else."""
        if not FILES.fullmatch(path) or ".." in path:
            return None
        address = f"/{language}/{path}"
        with self._lock:
            if address not in self._files:
                found = self._get(address)
                if not found.content:
                    return None
                self._files[address] = found
            return self._files[address]

    def _get(self, address: str) -> GradioFile:
        import httpx

        async def ask() -> GradioFile:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
                answer = await client.get(address)
                found = answer.content if answer.status_code == 200 else b""
                return GradioFile(found, answer.headers.get("content-type", "application/octet-stream"))

        return asyncio.run(ask())


_loading = threading.Lock()
_loaded: list[Gradio] = []


def gradio() -> Gradio:
    """The shell of this process; the first call imports Gradio, which takes seconds."""
    with _loading:
        if not _loaded:
            _loaded.append(Gradio())
        return _loaded[0]


def ready() -> Gradio | None:
    """The shell, if it is there; pages without it are complete, so nobody waits for it."""
    return _loaded[0] if _loaded else None


def load_beside() -> None:
    """Load the shell while the server already answers."""
    threading.Thread(target=_load, name="gradio", daemon=True).start()


def _load() -> None:
    try:
        gradio()
    except ItaMedError as error:
        log.warning("the pages stay without Gradio's shell: %s", error)
    except Exception:
        log.exception("the pages stay without Gradio's shell")


def _path(language: str, name: str) -> str:
    return f"/{language}/{'' if name == 'ranking' else name}"


def _mounted() -> Any:
    """An app with both languages' Blocks; no component, no event: the content of a page is ours."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr
    from fastapi import FastAPI

    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    app = FastAPI()
    for language in LANGUAGES:
        words = WORDS[language]
        with gr.Blocks(title=words["board"], analytics_enabled=False) as blocks:
            gr.Navbar(visible=False, main_page_name=words["ranking"])
        for name in NAMES[1:]:
            with blocks.route(words[name], f"/{name}"):
                gr.Navbar(visible=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that pages are not rendered by node, which is not wanted
            gr.mount_gradio_app(
                app, blocks, path=f"/{language}", footer_links=[], run_history=False, ssr_mode=False, theme=theme
            )
    return app


def _taken_apart(html: str, language: str) -> Shell:
    """The scripts, styles and element of one of Gradio's pages, with the policy that lets its own scripts run."""
    parts = take_apart(html, HOST, f"/{language}")
    policy = POLICY.format(scripts=" ".join(["script-src 'self'", *map(_hash, parts.inline)]))
    return Shell(Markup("\n".join(parts.head)), Markup(parts.opening), Markup(parts.closing), policy)


def _hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
