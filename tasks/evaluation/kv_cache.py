"""Keys and values with room for the tokens to come: a new token costs its own columns, not a copy of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache, DynamicCache, DynamicLayer


class GrowingLayer(DynamicLayer):
    """A DynamicLayer whose keys and values (rows, heads, columns, size) are the leading columns of larger tensors."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, columns: int) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._keys, self._values = _with_room(keys, columns), _with_room(values, columns)
        self._show(keys.shape[2])

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        before, after = self._shown, self._shown + key_states.shape[2]
        if after > self._keys.shape[2]:
            self._keys, self._values = _with_room(self._keys, 2 * after), _with_room(self._values, 2 * after)
        self._keys[:, :, before:after] = key_states
        self._values[:, :, before:after] = value_states
        return self._show(after)

    def _show(self, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        self._shown = columns
        keys, values = self._keys[:, :, :columns], self._values[:, :, :columns]
        self.keys, self.values = keys, values
        return keys, values


def growing(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], columns: int) -> Cache:
    """A cache that begins with a layer's keys and values each and has room for so many columns; without any, one that
    transformers fills as usual."""
    layers: list[Any] = [GrowingLayer(keys, values, columns) for keys, values in pairs]
    return Cache(layers=layers) if layers else DynamicCache()


def _with_room(x: torch.Tensor, columns: int) -> torch.Tensor:
    wide = x.new_empty(x.shape[0], x.shape[1], max(columns, x.shape[2]), x.shape[3])
    wide[:, :, : x.shape[2]] = x
    return wide
