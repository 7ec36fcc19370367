"""Keeps a training from leaving anything on the screen or in memory."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def tidy() -> Iterator[None]:
    """No progress bars, since progress goes to the log; and GPU memory is freed at the end."""
    import datasets
    import torch
    from transformers.utils import logging

    bars: Any = logging
    datasets_bars, transformers_bars = not datasets.are_progress_bars_disabled(), bars.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if datasets_bars:
            datasets.enable_progress_bars()
        if transformers_bars:
            bars.enable_progress_bar()
        gc.collect()  # the trainer and its model refer to each other
        torch.cuda.empty_cache()
