"""The table: what is measured, how it is kept, when it is refused, and how its error is told."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from latency_devices import Additive, work
from measure_networks import small_net
from supernet import Choice, ElasticConv2d, OpChoice, Supernet, Zero
from supernet.errors import RunError, UsageError
from supernet.measure import Latency, LatencyTable, ThisMachine, count_macs, count_params, read_latency
from supernet.rank import kendall_tau

torch.set_num_threads(1)
SHAPE = (2, 6, 6)


def chain(length: int = 5, width: int = 2) -> Supernet:
    """Choice blocks in a row; equal ones, so that few forms stand for many blocks."""
    ops = [
        OpChoice(f"op{n}", {"conv1": nn.Conv2d(width, width, 1), "conv3": nn.Conv2d(width, width, 3, padding=1),
                            "pool": nn.AvgPool2d(3, 1, 1), "zero": Zero()})
        for n in range(length)
    ]  # fmt: skip
    return Supernet(nn.Sequential(*ops), input_shape=(width, 6, 6))


def build(net, device, **options):
    return LatencyTable.build(net, device, **({"max_settings": 4, "repeats": 1} | options))


def whole(net, codes, device):
    return np.asarray([device.measure(net.extract(arch), SHAPE).median_ms for arch in net.space.wrap(codes)])


def test_each_form_is_measured_once_per_repeat():
    device = Additive()
    table = build(chain(), device, repeats=3, anchors=4)
    assert table.forms == 4
    assert len(device.asked) == 3 * (4 + 4)
    ends = chain().space.smallest().code, chain().space.largest().code
    assert [tuple(code) for code in table.anchors.tolist()][:2] == list(ends)
    assert len(np.unique(table.anchors, axis=0)) == 4


def test_the_median_of_the_repeats_counts():
    class Disturbed(Additive):
        def measure(self, module, input_shape):
            found = super().measure(module, input_shape)
            slow = 50.0 if len(self.asked) <= 8 else 1.0  # everything of the first of three rounds
            return Latency(found.median_ms * slow, found.p10_ms, found.p90_ms, 1)

    net = chain()
    codes = net.space.population(np.random.default_rng(0), 20)
    table = build(net, Disturbed(), repeats=3, anchors=4)
    assert table.predict_ms(codes) == pytest.approx(whole(net, codes, Additive()))


def test_the_line_takes_in_what_comes_with_every_measurement():
    """Each measurement costs 2 ms more: five blocks count it five times, a network once."""
    net, device = chain(), Additive(start_ms=2.0)
    codes = net.space.population(np.random.default_rng(0), 20)
    plain, anchored = build(net, device, anchors=0), build(net, device, anchors=6)
    assert plain.predict_ms(codes) == pytest.approx(whole(net, codes, device) + 4 * 2.0)
    assert anchored.predict_ms(codes) == pytest.approx(whole(net, codes, device))
    assert (anchored.line.offset_ms, anchored.line.scale) == pytest.approx((-8.0, 1.0))


def test_the_line_withstands_disturbed_anchors_and_keeps_the_order():
    class TwoSlow(Additive):
        """Whole networks take twice as long as the sum says; two of them were disturbed."""

        def measure(self, module, input_shape):
            found = super().measure(module, input_shape)
            whole = sum(1 for _ in module.modules()) > 5
            factor = 30.0 if whole and len(self.asked) in (5, 9) else 2.0 if whole else 1.0
            return Latency(found.median_ms * factor, 0.0, 0.0, 1)

    net = chain()
    table = build(net, TwoSlow(), anchors=14)
    assert table.line.scale == pytest.approx(2.0, rel=0.1)
    codes = net.space.population(np.random.default_rng(0), 20)
    assert kendall_tau(table.predict_ms(codes), whole(net, codes, Additive())) == 1.0


def test_where_the_whole_does_not_rise_with_the_sum_only_the_offset_is_fitted():
    class Falling(Additive):
        def measure(self, module, input_shape):
            value = super().measure(module, input_shape).median_ms
            value = 20.0 - value if sum(1 for _ in module.modules()) > 5 else value
            return Latency(value, value, value, 1)

    assert build(chain(), Falling()).line.scale == 1.0


def test_the_figure_that_counts_is_chosen():
    net = chain()
    codes = net.space.population(np.random.default_rng(0), 5)
    tenth = build(net, Additive(), figure="p10_ms").predict_ms(codes)
    assert tenth == pytest.approx(whole(net, codes, Additive()) / 2)
    with pytest.raises(UsageError, match="no figure 'mean'"):
        build(net, Additive(), figure="mean")


def test_saved_and_read_is_the_same(tmp_path):
    net = chain()
    table = build(net, Additive(start_ms=1.0))
    table.save(tmp_path / "t.json")
    again = LatencyTable.read(tmp_path / "t.json", chain())
    codes = net.space.population(np.random.default_rng(0), 50)
    assert (again.predict_ms(codes) == table.predict_ms(codes)).all()
    assert again.subject == table.subject
    assert (again.anchors == table.anchors).all()
    assert isinstance(read_latency(tmp_path / "t.json", net), LatencyTable)


@dataclass(frozen=True)
class Stopping(Additive):
    """Is interrupted when it has measured so often."""

    after: int = field(default=10**6, compare=False)

    def measure(self, module, input_shape):
        if len(self.asked) == self.after:
            raise KeyboardInterrupt
        return super().measure(module, input_shape)


def test_an_interrupted_build_goes_on(tmp_path):
    out, options = tmp_path / "t.json", {"repeats": 3, "anchors": 3}
    with pytest.raises(KeyboardInterrupt):
        build(chain(), Stopping(after=9), out=out, **options)
    with pytest.raises(UsageError, match="unfinished; run the same build again"):
        LatencyTable.read(out, chain())
    rest, seen = Stopping(), []
    table = build(chain(), rest, out=out, progress=lambda done, total: seen.append((done, total)), **options)
    assert len(rest.asked) == 3 * (4 + 3) - 9
    assert seen == [(done, 21) for done in range(1, 22)]
    build(chain(), Stopping(), out=tmp_path / "whole.json", **options)
    assert json.loads(out.read_text()) == json.loads((tmp_path / "whole.json").read_text())
    assert build(chain(), Stopping(after=0), out=out, **options).line == table.line  # nothing left to measure
    with pytest.raises(KeyboardInterrupt):
        build(chain(), Stopping(after=0), out=out, resume=False, **options)


def test_a_build_with_other_settings_does_not_go_on(tmp_path):
    out = tmp_path / "t.json"
    build(chain(), Additive(), out=out)
    with pytest.raises(UsageError, match="holds figures made with repeats=1, not 2"):
        build(chain(), Additive(), out=out, repeats=2)
    with pytest.raises(UsageError, match=r"device=\{'device': 'Additive', 'start_ms': 0.0"):
        build(chain(), Additive(start_ms=1.0), out=out)
    again = Additive()
    build(chain(), again, out=out, repeats=2, resume=False)
    assert len(again.asked) == 2 * (4 + 10)


def test_another_network_is_refused(tmp_path):
    build(chain(), Additive()).save(tmp_path / "t.json")
    with pytest.raises(UsageError, match="but this network's space is"):
        LatencyTable.read(tmp_path / "t.json", small_net(), input_shape=SHAPE)
    with pytest.raises(UsageError, match=r"of inputs of shape \(2, 6, 6\), not \(2, 8, 8\)"):
        LatencyTable.read(tmp_path / "t.json", chain(), input_shape=(2, 8, 8))
    with pytest.raises(UsageError, match="same choices but other layers"):
        LatencyTable.read(tmp_path / "t.json", chain(width=3), input_shape=SHAPE)
    net = chain()
    with pytest.raises(UsageError, match=r"shape \(N, 5\)"):
        build(net, Additive()).predict_ms(np.zeros((3, 4), dtype=np.int16))


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "t.json"
    with pytest.raises(UsageError, match="There is no file"):
        read_latency(file, chain())
    file.write_text("{}")
    with pytest.raises(UsageError, match="is no supernet latency table 1 or supernet latency predictor 1"):
        read_latency(file, chain())
    file.write_text('{"format": "supernet latency table 1", "about": {}, "result": {}}')
    with pytest.raises(RunError, match=r"t\.json is damaged: about must be a table with 'space'"):
        LatencyTable.read(file, chain())
    build(chain(), Additive()).save(file)
    kept = json.loads(file.read_text())
    kept["result"]["anchors"] = ["1,x"]
    file.write_text(json.dumps(kept))
    with pytest.raises(RunError, match=r"t\.json is damaged: result anchors\[0\] must be a text"):
        LatencyTable.read(file, chain())
    file.write_text("{")
    with pytest.raises(RunError, match=r"t\.json is damaged: "):
        LatencyTable.read(file, chain())


def test_what_is_no_duration_is_refused():
    class Broken:
        def measure(self, module, input_shape):
            return Latency(float("nan"), 0.0, 0.0, 1)

    with pytest.raises(RunError, match="a latency of nan ms"):
        build(chain(), Broken())
    with pytest.raises(UsageError, match="repeats=0"):
        build(chain(), Additive(), repeats=0)


class Uneven(Additive):
    """Repeats do not agree: every second measurement takes 0.2 ms longer. Convolutions in a row take longer still."""

    def measure(self, module, input_shape):
        found = super().measure(module, input_shape)
        convs = sum(isinstance(m, nn.Conv2d) for m in module.modules())
        value = found.median_ms + 0.3 * convs**2 + 0.2 * (len(self.asked) % 2)
        return Latency(value, value, value, 1)


def test_the_check_tells_the_error_on_other_networks():
    net, device = chain(), Uneven()
    table = build(net, device, anchors=6)
    checked = table.check(net, device, n=21, seed=5)
    codes = np.asarray(checked.codes)
    assert len(np.unique(codes, axis=0)) == checked.n == 21
    assert not set(checked.codes) & set(map(tuple, table.anchors.tolist()))
    convs = (codes < 2).sum(axis=1)
    real = whole(net, codes, Additive()) + 0.3 * convs**2
    measured, predicted = np.asarray(checked.measured_ms), table.predict_ms(codes)
    assert np.abs(measured - real).max() <= 0.2 + 1e-9
    assert checked.predicted_ms == tuple(predicted)
    assert checked.mae_ms == pytest.approx(np.mean(np.abs(predicted - measured)))
    assert checked.mape == pytest.approx(np.mean(np.abs(predicted - measured) / measured))
    assert checked.bias_ms == pytest.approx(np.mean(predicted - measured))
    assert checked.tau == kendall_tau(predicted, measured)
    extracted = [net.extract(arch) for arch in net.space.wrap(codes.astype(np.int16))]
    assert checked.macs == tuple(count_macs(module, SHAPE) for module in extracted)
    assert checked.tau_macs == kendall_tau(checked.macs, measured) < checked.tau
    assert checked.params == tuple(count_params(module) for module in extracted)
    assert checked.tau_params == kendall_tau(checked.params, measured)
    assert 0 < checked.repeat_mae_ms <= 0.2 + 1e-9
    text = " ".join(checked.sentences())
    for part in (f"{checked.mae_ms:.3g} ms", f"{checked.mape:.1%}", f"MACs {checked.tau_macs:.2f}", "21 networks"):
        assert part in text
    json.dumps(checked.to_json(), allow_nan=False)


def test_no_network_is_checked_that_the_table_has_seen():
    net = chain(2)
    table = build(net, Additive(), anchors=6)
    checked = table.check(net, Additive(), n=100)
    assert checked.n == 16 - 6
    assert len({*checked.codes, *map(tuple, table.anchors.tolist())}) == 16


def test_repeats_that_agree_differ_by_nothing():
    net, device = chain(), Additive()
    checked = build(net, device).check(net, device, n=12)
    assert (checked.repeat_mae_ms, checked.repeat_tau, checked.tau) == (0.0, 1.0, 1.0)
    assert checked.mape < 1e-9


def test_measurements_that_do_not_repeat_are_said_to_be_so():
    class Busy(Additive):
        def measure(self, module, input_shape):
            noise = np.random.default_rng(len(self.asked)).uniform(0, 100)
            value = super().measure(module, input_shape).median_ms + noise
            return Latency(value, value, value, 1)

    net = chain()
    noisy, calm = (build(net, device).check(net, device, n=12) for device in (Busy(), Additive()))
    assert noisy.repeat_tau < 0.8
    assert "do not repeat" in noisy.sentences()[-1]
    assert len(calm.sentences()) == 3


def test_where_all_are_equal_no_order_is_claimed():
    net = Supernet(nn.Sequential(*(OpChoice(f"o{n}", {"a": nn.ReLU(), "b": nn.Tanh()}) for n in range(4))))
    table = LatencyTable.build(net, Additive(), input_shape=SHAPE, max_settings=2, repeats=1)
    checked = table.check(net, Additive(), n=5)
    assert (checked.tau, checked.tau_macs, checked.tau_params) == (None, None, None)
    assert "MACs undefined (all equal)" in checked.sentences()[2]


def test_a_check_elsewhere_is_refused():
    net = chain()
    table = build(net, ThisMachine(seconds=0, min_runs=1, warm_up=0), anchors=0)
    assert table.subject.device["threads"] == 1
    with pytest.raises(UsageError, match="device with batch_size=1, but this one has batch_size=2"):
        table.check(net, ThisMachine(batch_size=2))
    with pytest.raises(UsageError, match="device='ThisMachine', but this one has device='Additive'"):
        table.check(net, Additive())
    with pytest.raises(UsageError, match="but this network's space is"):
        table.check(chain(4), ThisMachine())
    quicker = ThisMachine(seconds=0.001, min_runs=1)  # how long it measures does not make it another device
    assert table.check(net, quicker, n=3).n == 3
    with pytest.raises(UsageError, match="3 or more architectures"):
        table.check(net, quicker, n=2)


def test_a_small_space_is_measured_whole():
    width = Choice("width", (4, 8))
    net = Supernet(nn.Sequential(ElasticConv2d(3, width), ElasticConv2d(width, 2, 1)))
    table = LatencyTable.build(net, Additive(start_ms=1.0), input_shape=(3, 8, 8), anchors=0)
    archs = [net.space.smallest(), net.space.largest()]
    assert table.forms == 2
    assert table.predict_ms(net.space.codes(archs)).tolist() == [1.0 + work(net.extract(a), (3, 8, 8)) for a in archs]


@dataclass(frozen=True)
class Board:
    host: str
    batch_size: int = 1

    def measure(self, module, input_shape):
        value = work(module, input_shape)
        return Latency(value, value, value, 1)


def test_a_device_of_ones_own_is_known_by_its_fields():
    net = chain()
    table = build(net, Board("rock"))
    assert table.subject.device == {"device": "Board", "host": "rock", "batch_size": 1}
    with pytest.raises(UsageError, match="host='rock', but this one has host='pi'"):
        table.check(net, Board("pi"))
