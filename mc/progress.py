"""Progress of long work: a bar on a terminal, plain lines in a log elsewhere."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10

# Its own lock is one of several processes, which Python reports as leaked where one is killed.
tqdm.set_lock(threading.RLock())


class Progress:
    """Counts the steps of one piece of work and shows how far it is.

    Args:
        total: number of steps, or None where it is not known.
        label: what is being done.
        done: steps done before, by an earlier process.
    """

    def __init__(self, total: int | None, label: str, done: int = 0):
        self.total, self.label, self.done = total, label, done
        # Straight to stderr's terminal; in a file a bar would be one endless line.
        self.bar = tqdm(total=total, desc=label, initial=done, leave=False, disable=None)
        self.last_line = time.monotonic()

    def step(self, note: str = "") -> None:
        """One more step is done; `note`: what to say of it."""
        self.done += 1
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.update()
        late = time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES
        if late or (note and self.done == self.total):
            self.last_line = time.monotonic()
            line = f"{self.label} {self.done}/{self.total or '?'}  {note}".rstrip()
            (log.info if self.bar.disable else log.debug)(line)

    def close(self) -> None:
        """The work is over."""
        self.bar.close()
        sys.stderr.flush()


def shown(batches: Any, label: str) -> Iterator:
    """The items of an iterable, one by one, with progress shown."""
    total = int(batches.cardinality()) if hasattr(batches, "cardinality") else len(batches)
    progress = Progress(total if total >= 0 else None, label)
    try:
        for batch in batches:
            yield batch
            progress.step()
    finally:
        progress.close()
