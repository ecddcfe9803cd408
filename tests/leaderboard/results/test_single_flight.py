"""Work is done once for all who want it meanwhile, again for who comes later, and goes on without those who left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ita_med.leaderboard.results.single_flight import SingleFlight


class Gate:
    """A call that waits until it is let go, and counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.calls, self.error = 0, error

    def __call__(self) -> int:
        self.calls += 1
        self.begun.set()
        assert self.go.wait(30)
        if self.error:
            raise self.error
        return self.calls


@pytest.mark.parametrize("way", ["do", "within"])
def test_who_comes_meanwhile_gets_the_same_result_and_who_comes_later_a_new_one(way: str) -> None:
    flights, gate = SingleFlight("test"), Gate()

    def late() -> int:
        assert gate.go.is_set(), "while the first is under way, no second one begins"
        return 2

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(flights.do, "key", gate) if way == "do" else pool.submit(flights.within, 30, "key", gate)
        assert gate.begun.wait(30)
        others = [pool.submit(flights.do, "key", late) for _ in range(4)]
        others += [pool.submit(flights.within, 30, "key", late) for _ in range(4)]
        assert flights.do("another", lambda: 7) == 7, "other keys do not wait"
        with pytest.raises(TimeoutError):
            flights.within(0.1, "key", late)
        gate.go.set()
        assert first.result(30) == 1
        assert {one.result(30) for one in others} <= {1, 2}
    assert flights.within(30, "key", late) == flights.do("key", late) == 2
    flights.close()


def test_an_error_is_that_of_all_who_waited_and_of_nobody_afterwards() -> None:
    flights, gate = SingleFlight("test"), Gate(ValueError("no"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do, "key", gate)
        assert gate.begun.wait(30)
        second = pool.submit(flights.within, 30, "key", lambda: 1)
        gate.go.set()
        with pytest.raises(ValueError, match="no"):
            first.result(30)
        assert second.exception(30) in (None, gate.error), "it may have come after the end"
    assert flights.do("key", lambda: 2) == 2
    flights.close()


def test_a_call_goes_on_without_those_who_left() -> None:
    flights, gate = SingleFlight("test"), Gate()
    with pytest.raises(TimeoutError):
        flights.within(0.0, "key", gate)
    gate.go.set()
    flights.within(30, "after it", lambda: None)
    assert gate.calls == 1
    flights.close()
