"""Which models may be published: by the licence and the access of everything they were trained on."""

from __future__ import annotations

import pytest

from ita_med import catalogue
from ita_med.errors import ItaMedError
from ita_med.licence_table import why_no_derivatives
from ita_med.training.record import licences

ALLOWED = ["CC BY 4.0", "CC-BY-NC", "CC BY-SA 4.0 and GFDL", "MIT (Hub card)", "Apache-2.0 (README)", "CC0 1.0",
           "not stated (main repository) / Apache-2.0 (twin repository)"]  # fmt: skip
REFUSED = {
    "not stated": "no licence is stated",
    "CC BY-NC-ND 4.0": "forbids derived works",
    "CC BY-NC-ND 4.0 (README) / CC BY-NC 4.0 (LICENSE file)": "forbids derived works",
    "CC BY 4.0 (inferred for the Italian files)": "does not clearly allow",
    "CC BY 4.0 (Hub) / to be decided (GitHub)": "does not clearly allow",
    "Copyright EU/ECDC, reuse with notice": "does not clearly allow",
    "all rights reserved": "does not clearly allow",
}


@pytest.mark.parametrize("licence", ALLOWED)
def test_licences_that_allow_derived_works(licence: str) -> None:
    assert why_no_derivatives(licence) == ""


@pytest.mark.parametrize("licence", REFUSED)
def test_licences_that_do_not(licence: str) -> None:
    assert REFUSED[licence] in why_no_derivatives(licence)


def test_every_licence_of_the_catalogue_is_decided() -> None:
    """Those of the training tasks by name: a change of the catalogue must not pass unseen."""
    trained = {task.dataset for task in catalogue.tasks() if task.distribution == "id"}
    allowed = {name for name in trained if not licences.why_not(catalogue.dataset(name))}
    assert allowed == {"e3c", "multicardioner", "psynit", "medexpqa", "abstrct", "casimedicos_arg"}
    assert licences.why_not(catalogue.dataset("pharmaer")) == "access to it is gated"
    assert licences.why_not(catalogue.dataset("dyspnea_crf")) == "no licence is stated"


def corpus(licence: str, *sources: str, commercial: bool = False) -> dict[str, object]:
    return {"dataset": "corpus", "licence": licence, "commercial": commercial, "sources": list(sources)}


def test_a_model_answers_for_all_that_it_was_trained_on() -> None:
    first = {"base": {"model": "a/b"}, "licences": [corpus("CC BY, CC BY-NC", "e3c:layer3")]}
    run = {
        "base": {"made_by": first},
        "licences": [{"dataset": "medexpqa", "licence": "old words", "commercial": False}],
    }
    found = licences.trained_on(run)
    assert [m.name for m in found] == ["corpus", "medexpqa"]
    assert found[1].licence == "CC BY 4.0", "the catalogue counts, not the manifest"
    licences.check(found, [])
    assert licences.of_model(found, "apache-2.0") == {"license": "other", "license_name": "non-commercial"}
    assert licences.of_model(found[1:], "apache-2.0") == {"license": "apache-2.0"}
    assert licences.of_model(found[1:], None) == {"license": "unknown"}


def test_what_may_not_be_published_is_named_with_a_way_out() -> None:
    run = {"base": {}, "licences": [{"dataset": "dyspnea_crf", "licence": "", "commercial": False}]}
    found = licences.trained_on(run)
    with pytest.raises(ItaMedError, match=r"dyspnea_crf may not .*no licence is stated; .*--permitted dyspnea_crf"):
        licences.check(found, [])
    licences.check(found, ["dyspnea_crf"])
    with pytest.raises(ItaMedError, match="--permitted e3c: the model was not trained on it"):
        licences.check(found, ["dyspnea_crf", "e3c"])
    for entry, why in ((corpus("CC BY 4.0", "imb_qa"), "source imb_qa is gated"),
                       (corpus("CC BY 4.0, not stated", "files"), "no licence is stated")):  # fmt: skip
        with pytest.raises(ItaMedError, match=why):
            licences.check(licences.trained_on({"base": {}, "licences": [entry]}), [])
