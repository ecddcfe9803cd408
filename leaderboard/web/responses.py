"""Answers that are problems, as RFC 9457 describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response


@dataclass
class Problem(Exception):
    """What went wrong; raised by a route, it becomes the answer.

    Attributes:
        title: What kind of problem it is.
        status: HTTP status of the answer.
        detail: What is the matter in this case.
        type: A URI for the kind of problem (RFC 9457).
        problems: Of an upload, one line each.
        headers: Further headers of the answer.
    """

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
    problems: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The problem as application/problem+json."""
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
    """The `responses` of a route that may answer with these statuses, for the OpenAPI document."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {code: {"model": ProblemBody, "content": content} for code in codes}


def too_many(title: str, wait: int) -> Problem:
    """A 429 that says in how many seconds to try again."""
    return Problem(title, 429, f"try again in {wait} seconds", headers={"retry-after": str(wait)})
