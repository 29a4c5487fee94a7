import pytest
import torch
import torch.nn.functional as F
from torch import nn

from supernet.errors import UsageError
from supernet.measure import count_macs, count_params
from supernet.measure.costs.input_shape import input_shape_of


class Dot(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize(
    ("module", "shape", "macs"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 9, 9), 8 * 3 * 9 * 25),
        (nn.Conv2d(6, 6, 5, padding=2, groups=6), (6, 4, 4), 6 * 25 * 16),
        (nn.Conv2d(6, 4, 1, groups=2, bias=False), (6, 4, 4), 4 * 3 * 16),
        (nn.Conv1d(3, 4, 3), (3, 10), 4 * 3 * 3 * 8),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (4, 5, 5), 4 * 6 * 9 * 25),
        (nn.Linear(5, 7), (5,), 35),
        (nn.Linear(5, 7), (4, 5), 4 * 35),
        (Dot(), (2, 4, 3), 2 * (4 * 4 * 3) * 2),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (4, 8), 4 * 8 * 24 + 4 * 64 + 2 * 4 * 4 * 8 + 4 * 256),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2)), (3, 4, 4), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_macs_of_one_image_equal_the_formula(module, shape, macs):
    assert count_macs(module, shape) == macs


def test_macs_of_recurrent_layers_are_seen():
    class Last(nn.LSTM):
        def forward(self, x):
            return super().forward(x)[0]

    assert count_macs(Last(4, 5, batch_first=True), (3, 4)) == 3 * 4 * 5 * (4 + 5)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Linear(120, 84),
        nn.Linear(84, 10),
    )


def test_lenet5_has_its_well_known_size():
    assert count_params(lenet()) == 61_706
    assert count_macs(lenet(), (1, 28, 28)) == 6 * 25 * 784 + 16 * 6 * 25 * 100 + 400 * 120 + 120 * 84 + 840


def test_counting_leaves_the_module_and_torch_alone():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    buffers = list(module.buffers())
    before = [(id(b), b._version, b.clone()) for b in buffers]
    random_state = torch.get_rng_state()
    count_macs(module, (3, 8, 8))
    assert [(id(b), b._version) for b in module.buffers()] == [(i, v) for i, v, _ in before]
    assert all(torch.equal(b, old) for b, (_, _, old) in zip(module.buffers(), before, strict=True))
    assert all(m.training for m in module.modules())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.backends.mha.get_fastpath_enabled()


def test_parameters_with_and_without_norms():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.Linear(2, 2))
    assert count_params(module) == 4 * 27 + 4 + 8 + 8 + 6
    assert count_params(module, norm=False) == 4 * 27 + 4 + 6
    assert count_params(module, norm=False, bias=False) == 4 * 27 + 4
    assert count_params(module, bias=False) == count_params(module) - 4 - 2


def test_a_shared_parameter_counts_once():
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    assert count_params(nn.Sequential(first, second, first)) == 16


def test_the_input_shape_is_remembered_per_network():
    class Declared(nn.Linear):
        input_shape = (7,)

    net, other = nn.Linear(1, 1), Declared(7, 7)
    with pytest.raises(UsageError, match="Pass input_shape once"):
        input_shape_of(net, None)
    assert input_shape_of(net, (1, 2, 3)) == input_shape_of(net, None) == (1, 2, 3)
    assert input_shape_of(other, None) == (7,)
    with pytest.raises(UsageError, match="all 1 or more"):
        input_shape_of(net, (0, 2, 3))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(7, 2), r"\(7,\)"),
        (nn.Conv1d(4, 4, 3, groups=2), r"\(4, 128\)"),
        (nn.Conv2d(3, 4, 3), r"\(3, 32, 32\)"),
        (nn.Conv3d(2, 4, 3), r"\(2, 16, 32, 32\)"),
    ],
)
def test_the_input_shape_that_is_shown_has_the_dimensions_of_the_network(layer, shape):
    with pytest.raises(UsageError, match=rf"for example input_shape={shape}"):
        input_shape_of(nn.Sequential(nn.BatchNorm1d(4), layer, nn.Linear(9, 9)), None)
