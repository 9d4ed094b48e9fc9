from __future__ import annotations

import signal
import threading

import pytest

from phinery.train.interruption import Interrupted, noticed_interruption


def test_one_signal_is_remembered_and_its_echo_too(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 100.1, 100.2])
    monkeypatch.setattr("phinery.train.interruption.time.monotonic", lambda: next(times))
    with noticed_interruption() as interruption:
        assert interruption.received is None
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert interruption.received is signal.SIGINT


def test_a_second_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 103.0])
    monkeypatch.setattr("phinery.train.interruption.time.monotonic", lambda: next(times))
    before = signal.getsignal(signal.SIGINT)

    def press_twice() -> None:
        with noticed_interruption():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        press_twice()
    assert not isinstance(caught.value, Interrupted)
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_nothing_is_caught() -> None:
    before = signal.getsignal(signal.SIGINT)
    inside: list[object] = []

    def work() -> None:
        with noticed_interruption() as interruption:
            inside.extend([signal.getsignal(signal.SIGINT), interruption.received])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before, None]
