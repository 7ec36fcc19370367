"""The keys and values of a batch, kept from token to token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor


def new_cache(config: Any) -> tuple[Any, bool]:
    """An empty cache, and whether all of it is plain attention (no sliding window, no recurrent state)."""
    from transformers import DynamicCache
    from transformers.cache_utils import Cache, DynamicLayer

    class Buffer(DynamicLayer):  # type: ignore[no-untyped-call]
        """Keeps room for tokens to come: joining old and new at every step would copy everything every time."""

        def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
            old = self.get_seq_length()
            new = old + key_states.shape[2]
            if not old:
                self.lazy_initialization(key_states, value_states)
                self.rooms = [key_states[:, :, :0], value_states[:, :, :0]]
            for number, states in enumerate((key_states, value_states)):
                room = self.rooms[number]
                if room.shape[2] < new:
                    self.rooms[number] = room.new_empty(*room.shape[:2], new + 64, room.shape[3])
                    self.rooms[number][:, :, :old] = room[:, :, :old]
                self.rooms[number][:, :, old:new] = states
            self.keys, self.values = (room[:, :, :new] for room in self.rooms)
            return self.keys, self.values

        def reorder_cache(self, beam_idx: Tensor) -> None:
            self.rooms = [room.index_select(0, beam_idx) for room in self.rooms]
            self.keys, self.values = (room[:, :, : self.get_seq_length()] for room in self.rooms)

    cache = DynamicCache(config=config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        return Cache(layers=[cast(Any, Buffer)() for _ in cache.layers]), True
    return cache, False
