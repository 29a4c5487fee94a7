"""Low-rank updates whose ranks are choices."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from small_nets import images
from supernet import Choice, Supernet, fit, measure, methods
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law, inactive_gets_no_gradient, training_commutes
from supernet.nn.lora import LoraLinear
from supernet.pretrained import adapter_params, elastic_lora, save_adapter
from supernet.space import Arch

HOLD = [law for law in LAWS if law not in (training_commutes, inactive_gets_no_gradient)]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Sequential(nn.Linear(12, 12)), nn.Linear(12, 10)
    )


def moved(net: Supernet) -> Supernet:
    """Updates that are none at first, moved away from zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("lora_B"):
                parameter.normal_()
    return net


def vectors(arch: Arch) -> Tensor:
    return torch.randn(3, 64)


@pytest.mark.parametrize("law", HOLD)
def test_laws(law: Law) -> None:
    law(moved(elastic_lora(model(), ranks=(0, 2, 4))), vectors)


def test_the_update_is_the_formula_of_the_paper() -> None:
    linear = nn.Linear(6, 5)
    net = moved(Supernet(LoraLinear(linear, Choice("rank", (1, 3)), alpha=6)))
    x, layer = torch.randn(2, 6), net.module
    for rank in (1, 3):
        by_hand = linear.weight + 6 / rank * layer.lora_B[:, :rank] @ layer.lora_A[:rank]
        torch.testing.assert_close(net(x, {"rank": rank}), x @ by_hand.T + linear.bias)
        torch.testing.assert_close(net.extract(net.space.arch({"rank": rank})).weight, by_hand)


def test_untrained_updates_change_nothing_and_the_model_stays_as_it_is() -> None:
    given = model()
    net = elastic_lora(given, ranks=(0, 4))
    x = torch.randn(2, 1, 8, 8)
    for arch in (net.space.smallest(), net.space.largest()):
        assert torch.equal(net(x, arch), given(x))
    assert all(parameter.requires_grad for parameter in given.parameters())


def test_only_updates_learn() -> None:
    net = elastic_lora(model(), ranks=(0, 2, 4))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    fit(net, methods.sandwich(), images(), steps=3, batch_size=16, progress=False)
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(re.search(r"lora_[AB]$", name) for name in changed)


def test_costs_are_those_of_the_model_and_the_adapter_is_counted_apart() -> None:
    net = elastic_lora(model(), ranks=(0, 2, 4), input_shape=(1, 8, 8))
    plain = sum(parameter.numel() for parameter in model().parameters())
    for arch in (net.space.smallest(), net.space.largest()):
        assert measure.params(net, arch) == plain
        assert measure.macs(net, arch) == 64 * 12 + 12 * 12 + 12 * 10
    assert adapter_params(net, net.space.smallest()) == 0
    assert adapter_params(net, net.space.largest()) == 4 * (64 + 12 + 12 + 12 + 12 + 10)


def test_an_adapter_has_peft_s_names_and_whole_names_as_patterns(tmp_path: Path) -> None:
    net = moved(elastic_lora(model(), ranks=(0, 2, 4)))
    arch = net.space.arch({"1.rank": 4, "3.0.rank": 2, "4.rank": 0})
    save_adapter(net, arch, tmp_path / "adapter", base="my/model")
    tensors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {name: tuple(t.shape) for name, t in tensors.items()} == {
        "base_model.model.1.lora_A.weight": (4, 64),
        "base_model.model.1.lora_B.weight": (12, 4),
        "base_model.model.3.0.lora_A.weight": (2, 12),
        "base_model.model.3.0.lora_B.weight": (12, 2),
    }
    told = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert {told["r"], *told["rank_pattern"].values()} == {2, 4}
    assert [name for name in ("1", "3.0", "4", "3.1", "13.0") if re.fullmatch(told["target_modules"], name)] == [
        "1",
        "3.0",
    ]
    assert (told["lora_alpha"], told["base_model_name_or_path"], told["peft_type"]) == (16.0, "my/model", "LORA")


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one above 0"):
        elastic_lora(model(), ranks=(0,))
    with pytest.raises(
        UsageError, match=r"include has .q_proj., .* none of the linear layers of .*: there are 1, 3\.0, 4"
    ):
        elastic_lora(model(), include=["q_proj"])
    with pytest.raises(UsageError, match="do not fit a layer of 5 x 6"):
        LoraLinear(nn.Linear(6, 5), 8)
    net = elastic_lora(model(), ranks=(0, 2))
    with pytest.raises(UsageError, match="all its ranks are 0"):
        save_adapter(net, net.space.smallest(), tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "mine").write_text("")
    with pytest.raises(UsageError, match="holds files already"):
        save_adapter(net, net.space.largest(), tmp_path)
