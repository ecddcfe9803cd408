"""Answers that are problems, as RFC 9457 describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response


@dataclass
class Problem(Exception):
    """What went wrong, as the body of the answer; problems: of an upload, line by line."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
    problems: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail}
        if self.problems:
            body["problems"] = self.problems
        headers = {"cache-control": "no-store"} | self.headers
        return Response(orjson.dumps(body), self.status, headers, "application/problem+json")


class ProblemBody(BaseModel):
    """RFC 9457. problems: of an upload, at most 50, one line each."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[str] = []


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that are problems, for OpenAPI."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {code: {"model": ProblemBody, "content": content} for code in codes}


def too_many(title: str, wait: int) -> Problem:
    return Problem(title, 429, f"try again in {wait} seconds", headers={"retry-after": str(wait)})
