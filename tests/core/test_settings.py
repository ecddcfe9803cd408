"""Settings are read strictly: what is misspelt, missing or of another type is named with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from ita_med import settings
from ita_med.errors import ItaMedError


@dataclass
class Step:
    on: bool = True
    share: float = 0.5


@dataclass
class Job:
    name: str
    kind: Literal["ft", "cpt"] = "ft"
    step: Step = field(default_factory=Step)
    tasks: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    limit: int | None = None
    targets: str | list[str] = "all"
    options: dict[str, Any] = field(default_factory=dict)


def test_values_of_every_kind_are_read() -> None:
    raw = {
        "name": "a", "kind": "cpt", "step": {"share": 1}, "tasks": "one", "sizes": [1, 2], "limit": None,
        "targets": ["q", "v"], "options": {"partition": ["gpu", 1]},
    }  # fmt: skip
    expected = Job("a", "cpt", Step(True, 1.0), ["one"], [1, 2], None, ["q", "v"], {"partition": ["gpu", 1]})
    assert settings.read(Job, raw, "x.yaml") == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "x.yaml: expected keys and values"),
        ({}, "x.yaml: name is missing"),
        ({"name": "a", "stepp": {}}, 'x.yaml: unknown key "stepp", did you mean "step"?; known: name, kind, step'),
        ({"name": 1}, "x.yaml: name is 1, expected str"),
        ({"name": "a", "kind": "FT"}, "x.yaml: kind is 'FT', expected one of ft, cpt"),
        ({"name": "a", "kind": ["ft"]}, "x.yaml: kind is ['ft'], expected one of ft, cpt"),
        ({"name": "a", "step": {"on": 1}}, "x.yaml: step: on is 1, expected bool"),
        ({"name": "a", "step": {"share": "1e-3"}}, "expected float; YAML reads 1e-3 as a text, write 1.0e-3"),
        ({"name": "a", "step": True}, "x.yaml: step: expected keys and values"),
        ({"name": "a", "tasks": [1]}, "x.yaml: tasks is [1], expected a list of texts"),
        ({"name": "a", "sizes": ["1"]}, "x.yaml: sizes, entry 1 is '1', expected int"),
        ({"name": "a", "limit": True}, "x.yaml: limit is True, expected int"),
        ({"name": "a", "options": []}, "x.yaml: options is [], expected dict"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(raw: Any, message: str) -> None:
    with pytest.raises(ItaMedError) as error:
        settings.read(Job, raw, "x.yaml")
    assert message in str(error.value)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for content in (b"a: [", b"\xff\xfe", b"- 1"):
        path.write_bytes(content)
        with pytest.raises(ItaMedError, match=r"x\.yaml"):
            settings.read_yaml(path)
    path.write_text("")
    assert settings.read_yaml(path) == {}


def test_changes_of_the_command_line_reach_their_key() -> None:
    raw: dict[str, Any] = {"name": "a", "step": {"on": True}}
    settings.change(raw, ["step.share=0.25", "tasks=[x, y]", "options.a.b=1"])
    assert raw == {"name": "a", "step": {"on": True, "share": 0.25}, "tasks": ["x", "y"], "options": {"a": {"b": 1}}}
    with pytest.raises(ItaMedError, match="expected KEY=VALUE"):
        settings.change(raw, ["step.share"])
    with pytest.raises(ItaMedError, match='"name" holds no keys'):
        settings.change(raw, ["name.first=x"])
