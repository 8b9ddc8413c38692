"""How fast a training goes, and how often it may stop for a snapshot."""

import time

SNAPSHOT_SHARE = 0.05
"""Snapshots may take this share of the training time."""

SHORTEST_INTERVAL = 0.25
"""Seconds between two live snapshots, at least."""


class Speed:
    """Examples a second, over about the last two seconds."""

    WINDOW = 2.0

    def __init__(self) -> None:
        self.value = 0.0
        self._marks: list[tuple[float, int]] = []

    def begin(self, examples: int = 0) -> None:
        """Begin to count, from so many examples on."""
        self._marks = [(time.perf_counter(), examples)]

    def add(self, examples: int) -> None:
        """Take note of the number of examples seen by now."""
        now = time.perf_counter()
        if now - self._marks[-1][0] < 0.1:
            return
        self._marks.append((now, examples))
        while len(self._marks) > 2 and now - self._marks[0][0] > self.WINDOW:
            self._marks.pop(0)
        begun, first = self._marks[0]
        self.value = (examples - first) / (now - begun)


class SnapshotBudget:
    """Keeps live snapshots within their share of the training time, by their measured cost."""

    def __init__(self) -> None:
        self.interval = SHORTEST_INTERVAL
        self._begun = self._last = time.perf_counter()
        self._spent = 0.0

    @property
    def share(self) -> float:
        """Share of the time since the beginning that snapshots took."""
        return self._spent / max(self._last - self._begun, self._spent) if self._spent else 0.0

    def begin(self) -> None:
        """Begin to count."""
        self._begun = self._last = time.perf_counter()

    def due(self) -> bool:
        """Whether the next live snapshot may be taken."""
        return time.perf_counter() - self._last >= self.interval

    def spend(self, seconds: float) -> None:
        """Take note of what a snapshot cost; the next one comes after its share's time."""
        self._last = time.perf_counter()
        self._spent += seconds
        self.interval = max(SHORTEST_INTERVAL, seconds / SNAPSHOT_SHARE)

    def add(self, seconds: float) -> None:
        """Take note of what the last snapshot cost beside what was told."""
        self._spent += seconds
        self.interval = max(self.interval, SHORTEST_INTERVAL + seconds / SNAPSHOT_SHARE)

    def skip(self, seconds: float) -> None:
        """Do not count so many seconds: the training was halted."""
        self._begun += seconds
        self._last += seconds


class SaveClock:
    """Tells when the next regular save is due, and counts what they took.

    Raises
    ------
    ValueError
        If `every` is not a number of seconds above 0.
    """

    def __init__(self, every: float) -> None:
        if isinstance(every, bool) or not isinstance(every, int | float) or not every > 0:
            raise ValueError(f"save_every={every!r}: must be a number of seconds above 0")
        self.every = every
        self._begun = self._last = time.perf_counter()
        self._spent = 0.0

    @property
    def share(self) -> float:
        """Share of the time since the beginning that saves took."""
        return self._spent / max(self._last - self._begun, self._spent) if self._spent else 0.0

    def begin(self) -> None:
        """Begin to count."""
        self._begun = self._last = time.perf_counter()

    def due(self) -> bool:
        """Whether the next save is due."""
        return time.perf_counter() - self._last >= self.every

    def spend(self, seconds: float) -> None:
        """Take note of what a save cost."""
        self._last = time.perf_counter()
        self._spent += seconds
