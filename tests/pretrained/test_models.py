"""Models by name, with weights from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import cut_model
from supernet.errors import UsageError
from supernet.pretrained.models import arguments_of, load_model


def test_weights_come_from_either_kind_of_file(tmp_path: Path) -> None:
    save_file(cut_model.trained(), tmp_path / "weights.safetensors")
    for file in (cut_model.saved(tmp_path), tmp_path / "weights.safetensors"):
        model = load_model("cut_model:build", weights=file)
        assert not model.training
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, cut_model.trained()[name])


def test_a_state_dict_inside_a_checkpoint_is_found(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": cut_model.trained()}, tmp_path / "checkpoint.pth")
    model = load_model("cut_model:build", weights=tmp_path / "checkpoint.pth")
    assert torch.equal(model[0].weight, cut_model.trained()["0.weight"])


@pytest.mark.parametrize("around", ["module.", "_orig_mod."])
def test_weights_saved_inside_a_wrapper_of_torch_are_those_of_the_model(around: str, tmp_path: Path) -> None:
    state = cut_model.build().state_dict()
    torch.save({around + name: tensor for name, tensor in state.items()}, tmp_path / "wrapped.pt")
    loaded = load_model("cut_model:build", weights=tmp_path / "wrapped.pt").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_classes_are_given_where_the_function_takes_them() -> None:
    assert arguments_of("cut_model:build", None, 7) == {"num_classes": 7}
    assert arguments_of("cut_model:build", {"num_classes": 3}, 7) == {"num_classes": 3}
    assert arguments_of("torch.nn:Linear", {"in_features": 2}, 7) == {"in_features": 2}
    assert load_model("torchvision.models:resnet18", num_classes=7).fc.out_features == 7


@pytest.mark.parametrize(
    ("model", "options", "named"),
    [
        ("resnet18", {}, "neither module:function"),
        ("cut_model:nothing", {}, "nothing"),
        ("cut_model:build", {"arguments": {"depth": 3}}, "called with depth=3, failed: TypeError: .*depth"),
        ("builtins:dict", {}, "gave a dict"),
        ("cut_model:build", {"weights": "nowhere.pt"}, "There is no file nowhere.pt"),
    ],
)
def test_what_cannot_be_built_is_told(model: str, options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        load_model(model, **options)  # type: ignore[arg-type]


class Harmful(nn.Module):
    """A module, as torch.save writes whole ones: to read it runs code."""


def test_a_file_that_is_no_state_dict_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save(Harmful(), tmp_path / "module.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "torn.safetensors").write_bytes(b"\x08\x00\x00")
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "text.pt").write_text("hi")
    for name, told in (
        ("module.pt", "more than tensors"),
        ("list.pt", "no state dict"),
        ("torn.safetensors", "cannot be read"),
        ("torn.pt", "cannot be read"),
        ("text.pt", "cannot be read as weights: it is no file of torch.save"),
    ):
        with pytest.raises(UsageError, match=told):
            load_model("cut_model:build", weights=tmp_path / name)


def test_weights_of_another_size_are_told_with_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"do not fit cut_model:build.*6\.weight.*num_classes"):
        load_model("cut_model:build", weights=cut_model.saved(tmp_path), num_classes=4)
