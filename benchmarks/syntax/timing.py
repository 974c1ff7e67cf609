"""How seconds are taken: batch by batch, all subjects in turn, the least of several runs of each batch.

Noise only adds, so for each batch the least of its runs counts; and since the subjects take turns batch by batch, what
disturbs the machine for longer disturbs all of them. The collector is off while a batch runs and has nothing to do
when it starts, for everybody alike.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

__all__ = ["BATCH", "measure"]

BATCH = 500
"""Messages between two looks at the clock: about 2 ms of the fastest subject."""

Item = TypeVar("Item")

Task = Callable[[Item], object]


def measure(
    tasks: Mapping[str, Task[Item]],
    items: Sequence[Item],
    *,
    runs: int,
    prepare: Mapping[str, Callable[[Item], Item]] | None = None,
    forget: Mapping[str, Sequence[Callable[[], None]]] | None = None,
) -> dict[str, float]:
    """Seconds of CPU for one item, by the name of the task.

    `prepare` makes a task's own items, one for each run, outside the measured time; `forget` has what is called
    before each item, inside it.
    """
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    least = {name: [float("inf")] * len(batches) for name in tasks}
    for _ in range(runs):
        for number, batch in enumerate(batches):
            for name, task in tasks.items():
                own = batch if prepare is None else [prepare[name](item) for item in batch]
                seconds = _once(task, own, () if forget is None else forget.get(name, ()))
                least[name][number] = min(least[name][number], seconds)
    return {name: sum(seconds) / len(items) for name, seconds in least.items()}


def _once(task: Task[Item], items: Sequence[Item], forget: Sequence[Callable[[], None]]) -> float:
    gc.collect()
    gc.disable()
    try:
        if forget:
            began = time.process_time()
            for item in items:
                for clear in forget:
                    clear()
                task(item)
            return time.process_time() - began
        began = time.process_time()
        for item in items:
            task(item)
        return time.process_time() - began
    finally:
        gc.enable()
