"""The arithmetic that networks run in, by name; apart from the networks, so that a configuration needs no PyTorch."""

from __future__ import annotations

from typing import Literal, TypeAlias

Precision: TypeAlias = Literal["32-true", "bf16-mixed"]
"""`"32-true"`: float32. `"bf16-mixed"`: bfloat16 where it is safe, with float32 weights."""
