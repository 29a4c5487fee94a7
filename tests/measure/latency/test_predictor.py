"""The learned predictor: it sees what the table cannot, and says honestly how well."""

import numpy as np
import pytest
import torch
from torch import nn

from latency_devices import Additive
from measure_networks import small_net
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.measure import Latency, LatencyPredictor, LatencyTable, Subject, read_latency

torch.set_num_threads(1)
KERNELS = (1, 3, 5)


def chain(length: int = 5) -> Supernet:
    ops = [{str(k): nn.Conv2d(2, 2, k, padding=k // 2) for k in KERNELS} for _ in range(length)]
    return Supernet(nn.Sequential(*(OpChoice(f"op{n}", op) for n, op in enumerate(ops))), input_shape=(2, 6, 6))


class Cached(Additive):
    """In a network (not alone) the second and the fourth layer take longer: a table of blocks cannot know."""

    def measure(self, module, input_shape):
        value = super().measure(module, input_shape).median_ms
        kernels = [m.kernel_size[0] for m in module.modules() if isinstance(m, nn.Conv2d)]
        if len(kernels) > 1:
            value += 2.0 * (kernels[1] == 1) + 1.0 * (kernels[3] == 5)
        return Latency(value, value, value, 1)


def test_it_learns_what_the_table_misses():
    net, device = chain(), Cached()
    table = LatencyTable.build(net, device, max_settings=3, repeats=1)
    found = LatencyPredictor.build(net, device, n=60, table=table)
    assert found.table_errors.mape > 0.1
    assert found.errors.mape < 0.01 < found.table_errors.mape
    assert found.errors.tau > 0.95 > found.table_errors.tau
    checked = found.check(net, device, n=20)
    assert checked.mape < 0.01
    assert not set(checked.codes) & set(map(tuple, found.codes.tolist()))
    assert not set(map(tuple, table.anchors.tolist())) & set(map(tuple, found.codes.tolist()))
    expected = np.abs(table.predict_ms(found.codes) - found.measured_ms).mean()
    assert found.table_errors.mae_ms == pytest.approx(expected)
    assert "the table alone" in found.sentences()[1]


def test_it_needs_no_table():
    net, device = chain(), Cached()
    for macs in (True, False):
        found = LatencyPredictor.build(net, device, n=60, macs=macs)
        assert found.table_errors is None
        assert found.errors.mape < 0.02
        assert len(found.sentences()) == 1


def test_errors_are_those_of_networks_left_out():
    """What is noise cannot be known: the fit comes nearer to it than any prediction of other networks would."""
    net = chain()
    rng = np.random.default_rng(0)
    codes = np.unique(net.space.population(rng, 40), axis=0)
    noise = rng.uniform(-0.5, 0.5, len(codes))
    true = 5.0 + codes.sum(axis=1)
    found = LatencyPredictor.fit(net, codes, true + noise, subject=Subject.of(net, Additive()), macs=False)
    fitted = np.abs(found.predict_ms(codes) - true - noise).mean()
    assert found.errors.mae_ms > 1.2 * fitted
    others = net.space.population(rng, 500)
    real = np.abs(found.predict_ms(others) - 5.0 - others.sum(axis=1) - rng.uniform(-0.5, 0.5, 500)).mean()
    assert found.errors.mae_ms == pytest.approx(real, rel=0.25)


def test_the_table_spares_it_networks():
    """With 20 networks 24 options cannot be told apart, but the table has measured them."""
    net, device = chain(12), Additive(start_ms=3.0)
    table = LatencyTable.build(net, device, max_settings=3, repeats=1)
    alone = LatencyPredictor.build(net, device, n=20, macs=False)
    helped = LatencyPredictor.build(net, device, n=20, macs=False, table=table)
    assert helped.errors.mape < 0.2 * alone.errors.mape


def test_latencies_that_multiply_are_learned_in_logarithms():
    net = chain()
    codes = np.unique(net.space.population(np.random.default_rng(0), 100), axis=0)
    factors = np.asarray([1.0, 1.5, 4.0])
    measured = factors[codes].prod(axis=1)
    found = LatencyPredictor.fit(net, codes, measured, subject=Subject.of(net, Additive()), macs=False)
    assert found.errors.mape < 0.01
    others = net.space.population(np.random.default_rng(9), 50)
    assert found.predict_ms(others) == pytest.approx(factors[others].prod(axis=1), rel=0.02)


def test_saved_and_read_is_the_same(tmp_path):
    net, device = chain(), Cached()
    table = LatencyTable.build(net, device, max_settings=3, repeats=1)
    codes = net.space.population(np.random.default_rng(7), 30)
    for held in (None, table):
        found = LatencyPredictor.build(net, device, n=30, table=held, out=tmp_path / "built.json")
        found.save(tmp_path / "saved.json")
        for file in ("built.json", "saved.json"):
            again = read_latency(tmp_path / file, chain())
            assert isinstance(again, LatencyPredictor)
            assert again.predict_ms(codes) == pytest.approx(found.predict_ms(codes), rel=1e-12)
            assert (again.errors, again.table_errors) == (found.errors, found.table_errors)
            assert again.sentences() == found.sentences()
    with pytest.raises(UsageError, match="but this network's space is"):
        LatencyPredictor.read(tmp_path / "built.json", small_net(), input_shape=(2, 6, 6))
    with pytest.raises(UsageError, match="is no supernet latency table 1;"):
        LatencyTable.read(tmp_path / "built.json", net)


def test_measurements_are_kept(tmp_path):
    net, first, second = chain(), Additive(), Additive()
    LatencyPredictor.build(net, first, n=25, out=tmp_path / "p.json")
    LatencyPredictor.build(net, second, n=25, out=tmp_path / "p.json")
    assert (len(first.asked), len(second.asked)) == (25, 0)
    with pytest.raises(UsageError, match="made with n=25, not 26"):
        LatencyPredictor.build(net, second, n=26, out=tmp_path / "p.json")


def test_requests_that_make_no_sense_are_refused():
    net = chain()
    subject = Subject.of(net, Additive())
    codes = net.space.population(np.random.default_rng(0), 30)
    with pytest.raises(UsageError, match="20 or more architectures"):
        LatencyPredictor.fit(net, codes[:19], np.ones(19), subject=subject)
    with pytest.raises(UsageError, match=r"latencies of shape \(29,\)"):
        LatencyPredictor.fit(net, codes, np.ones(29), subject=subject)
    with pytest.raises(UsageError, match="above 0 ms"):
        LatencyPredictor.fit(net, codes, np.zeros(30), subject=subject)
    table = LatencyTable.build(net, Additive(), max_settings=3, repeats=1)
    with pytest.raises(UsageError, match=r"start_ms=0\.0, but this one has start_ms=1\.0"):
        LatencyPredictor.build(net, Additive(start_ms=1.0), table=table)
