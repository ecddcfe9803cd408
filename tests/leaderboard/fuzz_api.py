"""`python fuzz_api.py DATABASE TOKEN`: schemathesis against the app over a database, without a server.

A program of its own: pytest rewrites the modules of its plug-ins, schemathesis among them, and Python 3.11 cannot
compile all of them that deep in the stack.
"""

from __future__ import annotations

import sys
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from ita_med.leaderboard.app import make_app
from ita_med.leaderboard.database import store
from ita_med.leaderboard.web.settings import Settings

CHECKS: list[Any] = [not_a_server_error, content_type_conformance, response_schema_conformance]
EXAMPLES = 12


def main(database: str, token: str) -> None:
    # without Gradio's frame: a thread that imports while another parses breaks Python 3.11's ast (SystemError)
    loose = Settings(check_processes=0, user_per_minute=10**6, address_per_minute=10**6, shell=False)
    app = make_app(store.connect(database), "embedded", loose)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    for found in schema.get_all_operations():
        operation: Any = found.ok()

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

        run()
        print(operation.label, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
