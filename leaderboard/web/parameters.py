"""What the addresses of the JSON API may ask for: types of query and path parameters that several routes share."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query

RankingPart = Annotated[Literal["all", "id", "ood"], Query(description="All tasks, in or out of distribution.")]
Scale = Annotated[Literal["raw", "normalised"], Query(description="normalised: (score − random) / (1 − random).")]
Version = Annotated[str, Query(pattern=r"^[0-9][0-9.]{0,15}$", description="Version of the benchmark.")]
SubmissionId = Annotated[int, Path(ge=1, le=2**53)]
TaskName = Annotated[str, Query(pattern=r"^[a-z0-9_]{1,80}$", description="A task of the benchmark.")]
Language = Annotated[Literal["it", "en"], Query(description="Language of titles and axes.")]
Systems = Annotated[str, Query(pattern=r"^[0-9]{1,15}(,[0-9]{1,15}){1,5}$", description="2 to 6 ids: 3,7,12")]
Two = Annotated[str, Query(pattern=r"^[0-9]{1,15},[0-9]{1,15}$", description="Two ids: 3,7")]
