"""How one run takes the place of another in an explorer: made beside the page's own thread, all or nothing."""

import asyncio
from collections.abc import Callable

import param

from vaeviz.training import Run
from vaeviz.training.aside import aside
from vaeviz.views.runs import register_run
from vaeviz.views.state import ExplorerState

TOLD = (ValueError, OSError, RuntimeError, MemoryError)
"""What is told to the person in a sentence; anything else is a mistake of ours."""


QUICK = 0.15
"""Seconds: what takes longer is told while it is done."""


class Exchange(param.Parameterized):
    """Long work that a person has asked for, one at a time.

    What can't be done leaves all as it is, and is told.

    Parameters
    ----------
    state : ExplorerState
        Its run is replaced.
    """

    busy = param.String("", doc='What is being done, such as "Opening …", or nothing; quick work is not told.')

    def __init__(self, state: ExplorerState) -> None:
        super().__init__()
        self.state = state
        self._at_work = False

    async def put(
        self,
        make: Callable[[], Run],
        words: str,
        *,
        stop: bool = False,
        then: Callable[[], None] | None = None,
        refuse: Callable[[Exception], None] | None = None,
    ) -> None:
        """Put the run that `make` returns in the place of the present one.

        Parameters
        ----------
        make
            Called in a worker thread.
        words
            What the person reads meanwhile.
        stop
            Whether the present run is stopped; else it goes on, if it trains.
        then, refuse
            What to do on the page afterwards, or with the reason why not.
        """
        present = self.state.run

        def make_and_stop() -> Run:
            run = make()
            if stop and run is not present and hasattr(present, "stop"):
                present.stop()
            return run

        def replace(run: Run) -> None:
            if run is not self.state.run:  # else what the person has chosen would begin anew
                self.state.run = register_run(run)
            if then is not None:
                then()

        await self.do(make_and_stop, words, then=replace, refuse=refuse)

    async def do(
        self,
        work: Callable[[], object],
        words: str,
        *,
        then: Callable[[object], None],
        refuse: Callable[[Exception], None] | None = None,
    ) -> None:
        """Do some work in a worker thread, then something with its result on the page."""
        if self._at_work:
            return
        self._at_work = True
        task = asyncio.create_task(aside(work))
        # All changes are scheduled: two that went different ways could come to the browser in the wrong order.
        if not (await asyncio.wait({task}, timeout=QUICK))[0]:
            self.state.schedule(lambda: self._tell(words))
        try:
            result = await task
        except TOLD as error:
            self._end(lambda error=error: (refuse or self.refuse)(error))
        except BaseException:
            self._end(lambda: None)
            raise
        else:
            self._end(lambda: then(result))

    def refuse(self, error: Exception) -> None:
        """Tell why something was not done."""
        self.state.alert = str(error) or type(error).__name__

    def _tell(self, words: str) -> None:
        if self._at_work:
            self.busy = words

    def _end(self, action: Callable[[], None]) -> None:
        def act() -> None:
            self._at_work, self.busy = False, ""
            action()

        self.state.schedule(act)
