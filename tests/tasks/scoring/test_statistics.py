"""Statistics: properties, scipy as the reference, and how often the tests err on systems that do not differ."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ita_med.tasks.benchmark.task_data import TaskData
from ita_med.tasks.scoring import comparison, metrics, statistics
from ita_med.tasks.scoring.metrics import Array

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counts(seed: int, documents: int, systems: int = 2, better: float = 0) -> Array:
    """2 TP and 2 TP + FP + FN; the first system finds a share of `better` more."""
    rng = np.random.default_rng(seed)
    gold = rng.poisson(4, documents)
    skill = 0.5 + better * (np.arange(systems) == 0)[:, None]
    tp = rng.binomial(gold, skill, (systems, documents))
    surplus = rng.poisson(1, (systems, documents))
    return np.stack([2 * tp, tp + gold + surplus], axis=-1).astype(float)


@st.composite
def pairs(draw: st.DrawFn, largest: int = 20) -> tuple[Array, Array]:
    """Two systems on 1 to `largest` documents, documents with nothing to find among them."""
    rows = draw(st.lists(st.tuples(*[st.integers(0, 3)] * 6), min_size=1, max_size=largest))
    a, b = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    return metrics.micro_f1_parts(a.astype(float)[:, None, :])[:, 0], metrics.micro_f1_parts(
        b.astype(float)[:, None, :]
    )[:, 0]


# --- the score as a ratio of sums


def test_the_headline_of_every_task_is_its_score(embedded: dict[str, TaskData]) -> None:
    for data in embedded.values():
        rng = np.random.default_rng(0)
        chosen = {e.id: data.gold(e) if rng.random() < 0.6 else None for e in data.examples}
        scores = data.score(chosen)
        assert 0 < scores.metrics["score"] < 1
        assert statistics.ratio(data.headline(scores.counts).sum(0)) == pytest.approx(
            scores.metrics["score"], abs=1e-15
        )


def test_nothing_to_find_and_nothing_found_is_1() -> None:
    assert statistics.ratio(np.array([[0.0, 0.0], [0.0, 2.0]])).tolist() == [1, 0]


# --- bootstrap


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 5))
def test_bootstrap_weights_draw_whole_samples(n: int, resamples: int, seed: int) -> None:
    weights = metrics.bootstrap_weights(n, resamples, seed)
    assert weights.shape == (resamples, n)
    assert (weights.sum(1) == n).all()
    assert (weights == metrics.bootstrap_weights(n, resamples, seed)).all()


def test_bootstrap_weights_are_multinomial() -> None:
    weights = metrics.bootstrap_weights(5, 20_000)
    assert weights.mean(0) == pytest.approx(np.ones(5), abs=0.03)
    assert np.cov(weights.T) == pytest.approx(np.eye(5) - 0.2, abs=0.04)


def test_intervals_agree_with_scipy() -> None:
    a, b = counts(1, 120, better=0.1)

    def difference(i: Array, axis: int = -1) -> Array:
        rows = i.astype(int)
        return statistics.ratio(a[rows].sum(-2)) - statistics.ratio(b[rows].sum(-2))

    found = statistics.paired_bootstrap(a, b, resamples=20_000)
    peer = scipy.stats.bootstrap(
        (np.arange(120),), difference, n_resamples=20_000, method="percentile", vectorized=True, rng=3
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=0.003)
    assert found.low < found.value < found.high


def test_the_p_of_the_bootstrap_is_the_level_at_which_its_interval_reaches_0() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(1.0, 1.0, 99_999)
    p = float(statistics.bootstrap_p(drawn))
    assert p == pytest.approx(2 * scipy.stats.norm.cdf(-1), abs=0.01)
    assert statistics.interval(drawn, 1 - p)[0] == pytest.approx(0, abs=0.01)


@settings(max_examples=50)
@given(pairs(), st.integers(0, 3))
def test_a_difference_turns_with_its_systems(pair: tuple[Array, Array], seed: int) -> None:
    a, b = pair
    one = statistics.paired_bootstrap(a, b, resamples=200, seed=seed)
    other = statistics.paired_bootstrap(b, a, resamples=200, seed=seed)
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))
    assert other.p == one.p
    assert statistics.paired_permutation(a, b, resamples=200) == statistics.paired_permutation(b, a, resamples=200)


@settings(max_examples=50)
@given(pairs())
def test_p_values_are_in_the_half_open_unit_interval(pair: tuple[Array, Array]) -> None:
    found = statistics.paired_bootstrap(*pair, resamples=100)
    assert 0 < found.p <= 1
    assert -1 <= found.low <= found.high <= 1
    assert 0 < statistics.paired_permutation(*pair, resamples=100) <= 1


@settings(max_examples=30)
@given(pairs(), st.integers(0, 99))
def test_the_order_and_the_names_of_documents_change_nothing(pair: tuple[Array, Array], seed: int) -> None:
    a, b = pair
    order = np.random.default_rng(seed).permutation(len(a))
    assert statistics.paired_bootstrap(a[order], b[order]).value == pytest.approx(
        statistics.paired_bootstrap(a, b).value
    )
    if len(a) <= 13:
        assert statistics.paired_permutation(a[order], b[order]) == statistics.paired_permutation(a, b)
    first = metrics.cluster_sums(a, [f"d{n // 2}" for n in range(len(a))])
    second = metrics.cluster_sums(a, [f"other {n // 2}" for n in range(len(a))])
    assert first.sum(0).tolist() == second.sum(0).tolist()
    assert sorted(map(tuple, first)) == sorted(map(tuple, second))


def test_identical_systems_do_not_differ() -> None:
    for documents in (1, 2, 5, 40):
        a = counts(3, documents)[0]
        found = statistics.paired_bootstrap(a, a)
        assert (found.value, found.p, statistics.paired_permutation(a, a)) == (0, 1, 1)
        if documents > 1:
            assert (found.low, found.high) == (0, 0)


def test_one_document_says_nothing() -> None:
    a, b = np.array([[2.0, 2.0]]), np.array([[0.0, 2.0]])
    assert statistics.paired_bootstrap(a, b) == statistics.Difference(1.0, -1.0, 1.0, 1.0)
    assert statistics.paired_permutation(a, b) == 1


def test_sentences_of_one_document_are_one_unit() -> None:
    """A hundred sentences of two documents are two units: their swaps prove nothing."""
    a, b = counts(5, 100, better=0.4)
    clusters = [f"d{n % 2}" for n in range(100)]
    assert statistics.paired_permutation(a, b) < 0.001
    by_document = [metrics.cluster_sums(x, clusters) for x in (a, b)]
    assert statistics.paired_permutation(*by_document) == 0.5
    assert len(by_document[0]) == 2


def test_rank_intervals() -> None:
    resampled = np.array([[0.9, 0.5, 0.5, 0.1]] * 90 + [[0.4, 0.5, 0.45, 0.1]] * 10)
    assert statistics.rank_intervals(resampled).tolist() == [[1, 1, 2, 4], [3, 2, 2, 4]]


# --- permutation


def peer_p(a: Array, b: Array, resamples: int, rng: int = 1) -> float:
    both, n = np.concatenate([a, b]), len(a)

    def difference(x: Array, y: Array, axis: int = -1) -> Array:
        return statistics.ratio(both[x.astype(int)].sum(-2)) - statistics.ratio(both[y.astype(int)].sum(-2))

    found = scipy.stats.permutation_test(
        (np.arange(n), np.arange(n, 2 * n)), difference, permutation_type="samples", vectorized=True,
        n_resamples=resamples, batch=1_000, rng=rng,
    )  # fmt: skip
    return float(found.pvalue)


@pytest.mark.parametrize("documents", [2, 3, 7, 10, 13])
def test_exact_permutation_equals_scipy(documents: int) -> None:
    for seed in range(5):
        a, b = counts(seed, documents, better=0.2)
        assert statistics.paired_permutation(a, b) == pytest.approx(peer_p(a, b, 10_000), abs=1e-12)


def test_drawn_permutation_agrees_with_scipy() -> None:
    for seed in range(4):
        a, b = counts(seed, 80, better=0.05)
        assert statistics.paired_permutation(a, b) == pytest.approx(peer_p(a, b, 9_999), abs=0.025)


def test_a_drawn_p_is_never_0() -> None:
    a, b = counts(0, 200, better=0.4)
    assert statistics.paired_permutation(a, b, resamples=999) == 1 / 1000


def test_swaps_enumerate_each_pattern_once_over_all_groups() -> None:
    drawn = statistics.swaps([2, 9, 1], seeds=[1, 2, 3])
    assert drawn.exact
    rows = np.concatenate([drawn.unpack(group, slice(None)) for group in range(3)], axis=1)
    assert len({tuple(row) for row in rows}) == len(rows) == 2**12
    more = statistics.swaps([14], resamples=50)
    assert not more.exact
    assert more.unpack(0, slice(None)).shape == (50, 14)


def test_swaps_are_fair_coins() -> None:
    rows = statistics.swaps([40], resamples=20_000).unpack(0, slice(None))
    assert rows.mean(0) == pytest.approx(np.full(40, 0.5), abs=0.02)
    assert np.cov(rows.T) == pytest.approx(np.eye(40) / 4, abs=0.02)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = counts(2, 60, better=0.05)
    whole = statistics.paired_permutation(a, b)
    monkeypatch.setattr(statistics, "CHUNK", 700)
    assert statistics.paired_permutation(a, b) == whole


def test_another_metric_of_the_sums() -> None:
    a, b = (np.column_stack([x, x[:, :1] ** 2]) for x in counts(4, 11, better=0.3))
    metric = lambda sums: sums[..., 2] / (1 + sums[..., 1])  # noqa: E731
    first, second = metric(a.sum(0)), metric(b.sum(0))
    swapped = []
    for signs in itertools.product([0, 1], repeat=11):
        keep = np.array(signs, bool)[:, None]
        swapped.append(metric(np.where(keep, b, a).sum(0)) - metric(np.where(keep, a, b).sum(0)))
    expected = np.mean(np.abs(swapped) >= abs(first - second) - 1e-12)
    assert statistics.paired_permutation(a, b, metric=metric) == pytest.approx(expected, abs=1e-15)
    assert statistics.paired_bootstrap(a, b, metric=metric).value == pytest.approx(first - second)


# --- corrections, tests over tasks


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_monotone_and_never_below_the_raw_p(raw: list[float]) -> None:
    adjusted = statistics.holm(raw)
    assert (adjusted >= np.array(raw)).all()
    assert (adjusted <= 1).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1.0, len(raw) * min(raw)))
    assert statistics.holm(raw[::-1]).tolist() == adjusted[::-1].tolist()


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([]).tolist() == []


def test_wilcoxon_is_that_of_scipy() -> None:
    a, b = np.random.default_rng(0).random((2, 16))
    assert statistics.wilcoxon(a, b) == pytest.approx(scipy.stats.wilcoxon(a, b).pvalue, abs=1e-15)
    tied = np.concatenate([a, [0.5, 0.7]]), np.concatenate([b, [0.5, 0.7]])
    assert statistics.wilcoxon(*tied) == statistics.wilcoxon(a, b), "exact on the tasks that differ"
    assert statistics.wilcoxon(a, a) == 1
    assert statistics.wilcoxon([0.3], [0.1]) == 1
    assert statistics.wilcoxon([0.1 + 0.2, 0.5], [0.3, 0.5]) == 1, "equal but for the last digit"


@pytest.mark.parametrize("n", [1, 2, 5, 9, 12, 13])
def test_wilcoxon_of_few_tasks_is_exact_as_in_scipy(n: int) -> None:
    """With and without ties; scipy enumerates the signs one by one."""
    rng = np.random.default_rng(n)
    for differences in (rng.normal(size=n), rng.integers(1, 4, n) * rng.choice([-1.0, 1.0], n)):
        expected = scipy.stats.wilcoxon(differences).pvalue
        assert statistics.wilcoxon(differences, np.zeros(n)) == pytest.approx(expected, abs=1e-12)


def test_stars() -> None:
    found = [statistics.stars(p, 0.1, 0.2) for p in (0.0009, 0.001, 0.0099, 0.01, 0.049, 0.05)]
    assert found == ["***", "**", "**", "*", "*", ""]
    assert statistics.stars(0.0001, -0.2, -0.1) == "***"
    assert (
        statistics.stars(0.0001, -0.1, 0.1)
        == statistics.stars(0.0001, 0.0, 0.1)
        == statistics.stars(None, 0.1, 0.2)
        == ""
    )


def test_one_right_answer_against_none_is_no_difference() -> None:
    """As measured on real data: 1 relation found of 255, against none found and 141 wrong ones in 50 documents."""
    a, b = np.zeros((50, 2)), np.zeros((50, 2))
    a[:, 1] = b[:, 1] = 5
    b[:, 1] += 3
    a[7] = [2, 6]
    p, found = statistics.paired_permutation(a, b), statistics.paired_bootstrap(a, b)
    assert p < 0.001, "the permutation test sees the wrong ones"
    assert statistics.stars(p, found.low, found.high) == ""


# --- over tasks


def table(name: str, values: Array, documents: str = "") -> comparison.TaskCounts:
    return comparison.TaskCounts(name, tuple(f"{documents or name}/{n}" for n in range(values.shape[1])), values)


def test_avg_is_the_mean_of_family_means() -> None:
    families = {"a": "ner", "b": "ner", "c": "qa"}
    weights = comparison.mean_weights(families)
    scores = {"a": 0.2, "b": 0.4, "c": 0.9}
    assert sum(weights[t] * scores[t] for t in scores) == pytest.approx(
        metrics.average(metrics.family_means(scores, families))
    )


def test_a_mean_of_tasks_is_tested_exactly_where_it_can_be() -> None:
    """Two tasks over the same six documents, one over four others: 2^10 swaps, by brute force."""
    one, two, three = counts(1, 6, better=0.3), counts(2, 6, better=0.3), counts(3, 4, better=0.3)
    tables = [table("one", one, "same"), table("two", two, "same"), table("three", three)]
    weights = np.array([0.25, 0.25, 0.5])
    by_task, by_sum = comparison.permutation_tests(tables, [(0, 1)], weights[None, None, :])

    def gap(values: Array, swapped: Array) -> float:
        a = np.where(swapped[:, None], values[1], values[0]).sum(0)
        b = np.where(swapped[:, None], values[0], values[1]).sum(0)
        return float(statistics.ratio(a) - statistics.ratio(b))

    found = []
    for signs in itertools.product([False, True], repeat=10):
        x, y = np.array(signs[:6]), np.array(signs[6:])
        found.append(weights @ [gap(one, x), gap(two, x), gap(three, y)])
    observed = found[0]
    assert by_sum[0, 0] == pytest.approx(np.mean(np.abs(found) >= abs(observed) - 1e-12), abs=1e-15)
    assert by_task[:, 0] == pytest.approx(
        [statistics.paired_permutation(*values) for values in (one, two, three)], abs=1e-15
    )


def test_a_small_task_among_large_ones_is_tested_exactly() -> None:
    small, large = counts(1, 7, better=0.3), counts(2, 60)
    by_task, _ = comparison.permutation_tests([table("s", small), table("l", large)], [(0, 1)], np.full((1, 1, 2), 0.5))
    assert by_task[0, 0] == statistics.paired_permutation(*small)


def test_tasks_over_the_same_documents_are_resampled_together() -> None:
    values = counts(1, 30)
    twice = comparison.resampled([table("a", values, "same"), table("b", values, "same"), table("c", values)], 50)
    assert (twice[0] == twice[1]).all()
    assert not np.allclose(twice[0], twice[2])
    alone = comparison.resampled([table("c", values)], 50)
    assert (alone[0] == twice[2]).all(), "a task's resamples do not depend on the other tasks"


def test_examples_are_summed_by_document_and_absent_systems_are_0() -> None:
    rows = np.arange(8.0).reshape(4, 2)
    found = comparison.task_counts("t", "e3c", ["b", "a", "b", "b"], [rows, None])
    assert found.documents == ("e3c/a", "e3c/b")
    assert found.counts[0].tolist() == [[2, 3], [10, 13]]
    assert not found.counts[1].any()


# --- calibration, a small version of benchmarks/calibration.py


@pytest.mark.slow
def test_systems_without_a_difference_are_called_different_in_five_percent() -> None:
    calibration = benchmark("calibration")
    simulate, documents = calibration.SIMULATIONS["mentions"]
    found = calibration.errors(simulate, documents, 1_000, permutations=599, resamples=400)
    assert 0.035 <= found[0] <= 0.065, "permutation"
    assert 0.04 <= found[1] <= 0.085, "the bootstrap errs a little too often with 50 documents"
    assert found[2] <= min(found[:2]), "a star needs both"
    by_chance = calibration.family_wise(simulate, documents, 100, systems=6, resamples=1_999)
    assert by_chance[0] <= 0.12, "Holm over all pairs"
    assert by_chance[1] >= 0.2, "without a correction"


def test_a_true_difference_is_found() -> None:
    found = [statistics.paired_permutation(*counts(seed, 50, better=0.25), resamples=599) < 0.05 for seed in range(40)]
    assert sum(found) >= 36
