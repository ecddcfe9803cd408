"""Options that the commands of several rooms share."""

from __future__ import annotations

from typing import Annotated

import typer

Mirror = Annotated[
    str | None,
    typer.Option(
        help='Folder of raw files, one sub-folder per dataset, or "embedded" (synthetic samples). '
        "Default: $ITA_MED_MIRROR, else the download cache, else the network."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
