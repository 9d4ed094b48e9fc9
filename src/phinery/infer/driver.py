"""Whose thread does the work: nobody's when nobody asks, and one at a time otherwise.

Whoever waits for tokens drives the scheduler for all who wait. Streams of event loops share one
thread that lives while there are any.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from phinery.infer.completion import CompletionDelta
from phinery.infer.request import Ticket
from phinery.infer.scheduler import Scheduler


class Driver:
    """Takes tickets from any thread and event loop, and gives them their turns."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        # Guards what follows; held for moments only, never during a step.
        self._state = threading.Condition()
        self._stepping = False
        self._submitted: list[Ticket] = []
        self._cancelled: list[Ticket] = []
        self._followers: dict[Ticket, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
        self._pump: threading.Thread | None = None

    def finish(self, ticket: Ticket) -> None:
        """Carry a ticket out; raises its error. An interrupt cancels it."""
        self._submit(ticket)
        try:
            while not ticket.is_done:
                self._turn(lambda: ticket.is_done)
        finally:
            self._cancel(ticket)
        if ticket.error is not None:
            raise ticket.error

    def iterate(self, ticket: Ticket) -> Iterator[CompletionDelta]:
        """A ticket's deltas; the work is done between them."""
        self._submit(ticket)
        try:
            while True:
                while not ticket.deltas and not ticket.is_done:
                    self._turn(lambda: bool(ticket.deltas) or ticket.is_done)
                if not ticket.deltas:
                    break
                yield ticket.deltas.popleft()
        finally:
            self._cancel(ticket)
        if ticket.error is not None:
            raise ticket.error

    async def follow(self, ticket: Ticket) -> AsyncIterator[CompletionDelta]:
        """A ticket's deltas in an event loop, which stays free."""
        event = asyncio.Event()
        try:
            self._submit(ticket, (asyncio.get_running_loop(), event))
            while True:
                event.clear()
                # What is added after this look sets the event.
                if not ticket.deltas and not ticket.is_done:
                    await event.wait()
                while ticket.deltas:
                    yield ticket.deltas.popleft()
                if ticket.is_done and not ticket.deltas:
                    break
        finally:
            self._cancel(ticket)
        if ticket.error is not None:
            raise ticket.error

    def _submit(
        self,
        ticket: Ticket,
        follower: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None,
    ) -> None:
        with self._state:
            self._submitted.append(ticket)
            if follower is not None:
                self._followers[ticket] = follower
                if self._pump is None:
                    self._pump = threading.Thread(
                        target=self._run_pump, name="phinery-engine", daemon=True
                    )
                    self._pump.start()

    def _cancel(self, ticket: Ticket) -> None:
        """Drop what is unfinished: at once, or at the end of the step that is under way."""
        with self._state:
            self._followers.pop(ticket, None)
            if not ticket.unfinished:
                return
            self._cancelled.append(ticket)
            if not self._stepping:
                self._settle()

    def _settle(self) -> None:
        """Tell the scheduler what came in meanwhile. The state is held, and no step under way."""
        while self._submitted:
            self._scheduler.add(self._submitted.pop(0))
        while self._cancelled:
            self._scheduler.remove(self._cancelled.pop())

    def _turn(self, is_satisfied: Callable[[], bool]) -> None:
        """Make one step, or wait while another thread makes one; nothing once satisfied."""
        mine = False
        try:
            with self._state:
                if self._stepping:
                    self._state.wait()
                    return
                if is_satisfied():
                    return
                mine = self._stepping = True
                self._settle()
            self._scheduler.step()
        finally:
            if mine:
                self._end_turn()

    def _end_turn(self) -> None:
        with self._state:
            self._stepping = False
            self._settle()
            self._wake_followers()
            self._state.notify_all()

    def _wake_followers(self) -> None:
        """Set the events of all who have news, with one call a loop."""
        news: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
        for ticket, (loop, event) in self._followers.items():
            if ticket.deltas or ticket.is_done:
                news.setdefault(loop, []).append(event)
        for loop, events in news.items():
            # A loop that was closed has nobody left who listens; its tickets go below.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_set_all, events)
        for ticket, (loop, _) in list(self._followers.items()):
            if loop.is_closed():
                del self._followers[ticket]
                self._scheduler.remove(ticket)

    def _run_pump(self) -> None:
        try:
            while True:
                with self._state:
                    if all(ticket.is_done for ticket in self._followers):
                        self._pump = None
                        return
                self._turn(self._nobody_waits)
        except BaseException as error:  # noqa: BLE001 (all who wait get it)
            with self._state:
                self._pump = None
                for ticket in self._followers:
                    ticket.error = error
                    self._cancelled.append(ticket)
                if not self._stepping:
                    self._settle()
                self._wake_followers()

    def _nobody_waits(self) -> bool:
        return all(ticket.is_done for ticket in self._followers)


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()
