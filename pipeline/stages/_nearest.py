"""The seed tasks closest in meaning to a task, for prompts that show them."""

from collections.abc import Callable, Iterator, Sequence

from pipeline.novelty.encoder import BATCH, Encoder
from pipeline.task import Instance, Task
from pipeline.text import folded, mend


class Nearest:
    """Finds demos for tasks: the closest comes last, right before the task.

    Args:
        seeds: Tasks with instances; the first instance of each is compared, and shown.
        encoder: Turns texts into vectors.
        most: How many demos a task gets; a seed task is no demo of itself.
    """

    def __init__(self, seeds: Sequence[Task], encoder: Encoder, most: int) -> None:
        self.seeds = [one_instance(seed) for seed in seeds]
        self.encoder, self.most = encoder, most
        self.vectors = self.encoder.encode([_text(seed, seed.instances[0]) for seed in self.seeds])

    def of(
        self, tasks: Sequence[Task], instances: Callable[[Task], tuple[Instance, ...]], position: int
    ) -> Iterator[tuple[Task, tuple[tuple[Task, ...], ...]]]:
        """Yield each task with the demos of each of its instances.

        After an interruption, which starts again at `position`, batches end at the same tasks: each text is embedded in
        the same batch, and so to the same last bit.
        """
        start = 0
        while start < len(tasks):
            batch = list(tasks[start : start + BATCH - (position + start) % BATCH])
            texts = [_text(task, instance) for task in batch for instance in instances(task)]
            rows = iter(self.encoder.encode(texts) @ self.vectors.T)
            for task in batch:
                yield task, tuple(self._closest(task, next(rows).tolist()) for _ in instances(task))
            start += len(batch)

    def _closest(self, task: Task, cosines: Sequence[float]) -> tuple[Task, ...]:
        """By cosine, in four places; of two that are as close, the earlier one is taken."""
        order = sorted(range(len(self.seeds)), key=lambda row: (-round(cosines[row], 4), row))
        others = (self.seeds[row] for row in order if not is_itself(self.seeds[row], task))
        return tuple(reversed([demo for _, demo in zip(range(self.most), others, strict=False)]))


def one_instance(demo: Task) -> Task:
    return demo.update(instances=demo.instances[:1])


def is_itself(demo: Task, task: Task) -> bool:
    """Whether a task is the demo itself, which would show it its own output."""
    return demo.id == task.id or folded(demo.instruction) == folded(task.instruction)


def _text(task: Task, instance: Instance) -> str:
    return mend(f"{task.instruction}\n{instance.input}" if instance.input else task.instruction)
