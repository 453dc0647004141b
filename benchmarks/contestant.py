"""A contestant: one library in a process of its own that stays alive and runs steps when told to."""

import gc
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

THREADS = 2

Step = Callable[[], float]
"""Does one whole training step and returns its loss."""


class Contestant:
    """Starts the process; `absence` is None, or says which module is missing."""

    def __init__(self, prepare: Callable[[], Step], collector: bool):
        # Libraries read these once, when the new interpreter imports them.
        os.environ.update(OMP_NUM_THREADS=str(THREADS), OPENBLAS_NUM_THREADS=str(THREADS))
        context = get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self.process = context.Process(target=serve, args=(far_end, prepare, collector), daemon=True)
        self.process.start()
        far_end.close()
        self.absence: str | None = self.answer()

    def run(self, steps: int) -> tuple[float, list[float]]:
        """Return the seconds per step and the loss of every step."""
        self.pipe.send(steps)
        return self.answer()

    def answer(self) -> Any:
        """Return what the process says; one that failed ends the run."""
        try:
            return self.pipe.recv()
        except EOFError:
            raise SystemExit("A contestant failed. Its traceback is above. Mend it and run again.") from None

    def stop(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join()


def serve(pipe: Connection, prepare: Callable[[], Step], collector: bool) -> None:
    """Inside the process: prepare, then time the steps that are asked for until asked for None."""
    try:
        step = prepare()
    except ModuleNotFoundError as absence:
        pipe.send(str(absence))
        return
    pipe.send(None)
    if not collector:
        gc.disable()
    for steps in iter(pipe.recv, None):
        if not collector:
            gc.collect()  # off the clock: cycles left by earlier rounds would fill the memory
        for _ in range(steps // 10):
            step()  # off the clock: threads and caches have gone cold while the others ran
        start = perf_counter()
        losses = [step() for _ in range(steps)]
        pipe.send(((perf_counter() - start) / steps, losses))
