"""Low-rank updates of a frozen model, whose ranks are choices, and one of their subnets as an adapter of peft."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.input_shape import InputShape
from supernet.nn.lora import LoraLinear
from supernet.nn.supernet import Supernet
from supernet.pretrained.patterns import Patterns
from supernet.space import Arch, Choice

_FILES = ("adapter_config.json", "adapter_model.safetensors")


def elastic_lora(
    model: nn.Module,
    *,
    ranks: Sequence[int] = (4, 8, 16),
    alpha: float = 16.0,
    include: Sequence[str] | str = ("*",),
    exclude: Sequence[str] | str = (),
    dropout: float = 0.0,
    input_shape: InputShape | None = None,
) -> Supernet:
    """A frozen model whose linear layers have low-rank updates, the rank of each a choice.

    The model computes what it did until it is trained, by any method (`methods.sandwich`, `methods.spos`); only the
    updates learn. `net.extract(arch)` is the model with the updates worked in, and `save_adapter` writes a subnet as an
    adapter of peft.

    Args:
        model: The model, of any library. It is copied.
        ranks: What the rank of a layer may be, at most its smaller side; 0: it has no update.
        alpha: The updates are scaled by α / rank, as in peft.
        include: Patterns, as a shell has them, of the names of linear layers with an update; or one pattern.
        exclude: Patterns of the names of those without; or one.
        dropout: Share of the entries that updates do not see in training.
        input_shape: The shape of one input, for costs.

    Raises:
        UsageError: no linear layer has such a name, a pattern names none, or no rank is above 0.

    >>> import torch
    >>> net = elastic_lora(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)), ranks=(0, 2, 4))
    >>> net.space.names, sum(p.numel() for p in net.parameters() if p.requires_grad)
    (('0.rank', '2.rank'), 112)
    """
    if not ranks or max(ranks) < 1:
        raise UsageError(f"The ranks are {tuple(ranks)}; give at least one above 0, such as (4, 8, 16).")
    made = copy.deepcopy(model).requires_grad_(False)
    names = Patterns.of(include, exclude)
    linear = [name for name, module in made.named_modules() if type(module) is nn.Linear]
    names.check(linear, f"linear layers of {type(model).__name__}")
    asked = [name for name in linear if names.wants(name)]
    if not asked:
        raise UsageError(
            f"No linear layer of {type(model).__name__} is named by include={names.include}, exclude="
            f"{names.exclude}; it has {', '.join(linear[:8]) or 'none'}{', …' if len(linear) > 8 else ''}."
        )
    for name in asked:
        layer = made.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        most = min(layer.weight.shape)
        rank = Choice(f"{name}.rank", sorted({min(rank, most) for rank in ranks}))
        update = LoraLinear(layer, rank, alpha=alpha, dropout=dropout)
        parent, _, key = name.rpartition(".")
        made.get_submodule(parent)._modules[key] = update.train(layer.training)
    return Supernet(made, input_shape=input_shape)


def adapter_params(net: Supernet, arch: Arch) -> int:
    """Number of parameters of the updates of a subnet, which the adapter holds."""
    with net.active(arch):
        return sum(tensor.numel() for _, layer in _updated(net) for tensor in layer.active_update())


def save_adapter(
    net: Supernet, arch: Arch, folder: Path | str, *, base: str = "", task_type: str | None = None
) -> None:
    """Write a subnet of `elastic_lora` as an adapter of peft: `PeftModel.from_pretrained(model, folder)` loads it.

    Args:
        net: The supernet that `elastic_lora` made.
        arch: The subnet.
        folder: The folder; a new one, or an empty one.
        base: Name or folder of the model that the adapter is for.
        task_type: What peft calls the task, such as `"CAUSAL_LM"`; None: not said.

    Raises:
        UsageError: the folder holds something, or no layer of the subnet has an update.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds files already. Give a new folder.")
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    alphas = set()
    with net.active(arch):
        for name, layer in _updated(net):
            down, up = layer.active_update()
            if len(down):
                ranks[name] = len(down)
                alphas.add(layer.alpha)
                tensors[f"base_model.model.{name}.lora_A.weight"] = down.detach().cpu().clone().contiguous()
                tensors[f"base_model.model.{name}.lora_B.weight"] = up.detach().cpu().clone().contiguous()
    if not ranks:
        raise UsageError("No layer of this subnet has an update: all its ranks are 0. Choose another subnet.")
    usual = max(set(ranks.values()), key=list(ranks.values()).count)
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": task_type,
        "base_model_name_or_path": base,
        "r": usual,
        "lora_alpha": alphas.pop(),
        # Patterns of whole names: a plain name would also match every longer one that ends with it.
        "rank_pattern": {f"^{re.escape(name)}": rank for name, rank in ranks.items() if rank != usual},
        "target_modules": "|".join(map(re.escape, sorted(ranks))),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(folder / _FILES[1]))
    (folder / _FILES[0]).write_text(json.dumps(config, indent=2))


def _updated(net: Supernet) -> list[tuple[str, LoraLinear]]:
    found = [(name, layer) for name, layer in net.module.named_modules() if isinstance(layer, LoraLinear)]
    if not found:
        raise UsageError("The network has no low-rank updates; make one with supernet.pretrained.elastic_lora(model).")
    return found
