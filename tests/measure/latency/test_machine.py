import time

import pytest
import torch
from torch import nn

from measure_networks import small_net
from supernet.errors import UsageError
from supernet.measure import Latency, ThisMachine, latency, latency_ms

QUICK = ThisMachine(seconds=0, min_runs=5, warm_up=1)


class Sleeper(nn.Module):
    """Takes a known time; notes how it was called."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.notes = seconds, []

    def __deepcopy__(self, memo):
        copied = Sleeper(self.seconds)
        copied.notes = self.notes
        return copied

    def forward(self, x):
        self.notes.append((tuple(x.shape), torch.get_num_threads(), self.training))
        time.sleep(self.seconds[min(len(self.notes), len(self.seconds)) - 1])
        return x


def test_median_and_percentiles_of_known_times():
    module = Sleeper([0.2] * 2 + [0.01] * 6 + [0.02] * 4 + [0.06])
    found = ThisMachine(seconds=0, min_runs=11, warm_up=2, batch_size=3).measure(module, (1, 4, 4))
    assert len(module.notes) == 13
    assert found.runs == 11
    assert 10 <= found.p10_ms <= found.median_ms < 20 <= found.p90_ms < 60
    assert {shape for shape, _, _ in module.notes} == {(3, 1, 4, 4)}
    assert not any(training for _, _, training in module.notes)


def test_threads_are_set_and_put_back():
    before = torch.get_num_threads()
    module = Sleeper([0.0])
    ThisMachine(seconds=0, threads=before + 1).measure(module, (1,))
    assert {threads for _, threads, _ in module.notes} == {before + 1}
    assert torch.get_num_threads() == before


def test_runs_end_with_the_time_or_the_number():
    assert ThisMachine(seconds=0.1, min_runs=1, warm_up=0).measure(Sleeper([0.02]), (1,)).runs in range(2, 7)
    assert ThisMachine(seconds=9, min_runs=1, max_runs=3).measure(Sleeper([0.0]), (1,)).runs == 3


def test_the_extracted_subnet_is_given_to_the_device():
    net = small_net()

    class Elsewhere:
        def measure(self, module, input_shape):
            self.given = module, input_shape
            return Latency(1.5, 1.0, 2.0, 7)

    device = Elsewhere()
    assert latency_ms(net, net.space.smallest(), device=device, input_shape=(1, 8, 8)) == 1.5
    module, shape = device.given
    assert shape == (1, 8, 8)
    assert str(module) == str(net.extract(net.space.smallest()))
    assert latency(net, net.space.smallest(), device=QUICK).runs == 5  # the input shape is remembered
    assert latency(nn.Conv2d(1, 1, 1), device=QUICK, input_shape=(1, 4, 4)).median_ms > 0


def test_the_module_is_left_alone():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    QUICK.measure(module, (1, 8, 8))
    assert module.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


def test_requests_without_a_subnet_are_refused():
    net = small_net()
    with pytest.raises(UsageError, match="pass an architecture"):
        latency(net, input_shape=(1, 8, 8))
    with pytest.raises(UsageError, match="no Supernet"):
        latency(nn.Identity(), net.space.largest(), input_shape=(1, 8, 8))
    with pytest.raises(UsageError, match=r"machine\.threads is 0; it must be a whole number of at least 1"):
        ThisMachine(threads=0)
    with pytest.raises(UsageError, match=r"machine\.seconds is inf; it must be a finite number"):
        ThisMachine(seconds=float("inf"))
    with pytest.raises(UsageError, match="below min_runs"):
        ThisMachine(max_runs=2)


def test_threads_are_at_most_the_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert ThisMachine(threads=4).threads == 4
    with pytest.raises(UsageError, match="threads=3000, but this machine has 4 cores"):
        ThisMachine(threads=3000)
