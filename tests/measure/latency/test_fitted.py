"""Latencies from elsewhere: few are no worse than MACs, many are better, and other devices help."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from measure_networks import blobs, small_net
from supernet.errors import UsageError
from supernet.measure import FittedLatency, Measurements, NetEvaluator, cost_model, read_latency
from supernet.measure.latency.relative_fit import Known, RelativeFit, _line, _Ridge, fit, held_out, relative_errors
from supernet.zoo import mbconv

NET, SHAPE = mbconv(), (1, 8, 8)
COSTS = cost_model(NET, SHAPE)


def population(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.permutation(np.unique(NET.space.population(rng, 2 * n), axis=0))[:n]


CODES = population(300)
OPTIONS = NET.space.encode(CODES).astype(float)
KNOWN = Known(np.stack([COSTS.macs(CODES), COSTS.params(CODES)], axis=1), OPTIONS)


def device(seed: int, *, macs: float, start: float = 0.1, own: float = 0.0) -> np.ndarray:
    """Milliseconds of each network: MACs, what each option takes on every device, and on this one alone."""
    options = np.random.default_rng(99).gamma(1.0, 0.03, OPTIONS.shape[1])
    special = np.random.default_rng(seed).gamma(1.0, 0.03, OPTIONS.shape[1])
    return start + macs * KNOWN.sizes[:, 0] * 1e-6 + OPTIONS @ (options + own * special)


FROM_ZERO = 0.002 + 3e-9 * (KNOWN.sizes[:, 0] - KNOWN.sizes[:, 0].min()) ** 1.5
MACS_BOUND, MIXED, OTHER = device(1, macs=2.0), device(2, macs=0.1, own=0.3), device(3, macs=0.2, own=0.3)


def tau(a, b) -> float:
    return float(kendalltau(a, b).statistic)


def drawn(y: np.ndarray, n: int, seed: int, known: Known = KNOWN):
    """The fit to n networks, measured to 3 %, and the places of the others."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    measured = y * np.exp(0.03 * rng.standard_normal(len(y)))
    train, rest = order[:n], order[n:]
    return fit(known.rows(train), measured[train]), measured[train], train, rest


@pytest.mark.parametrize(("n", "lost"), [(10, 0.03), (20, 0.03), (50, 0.005)])
@pytest.mark.parametrize("y", [MACS_BOUND, MIXED, FROM_ZERO], ids=["bound by MACs", "mixed", "from zero"])
def test_few_samples_order_networks_no_worse_than_macs(n, lost, y):
    """On the mean of five draws, up to what noise makes of few; what a single draw loses is bounded too."""
    ours, theirs = [], []
    for seed in range(5):
        found, _, _, rest = drawn(y, n, seed)
        ours.append(tau(found(KNOWN.rows(rest)), y[rest]))
        theirs.append(tau(KNOWN.sizes[rest, 0], y[rest]))
    assert np.mean(ours) >= np.mean(theirs) - lost - 1e-9
    assert min(np.subtract(ours, theirs)) > -0.15


def test_more_samples_learn_what_macs_do_not_know():
    found, _, _, rest = drawn(MIXED, 150, 0)
    assert any(found.weights)
    assert tau(found(KNOWN.rows(rest)), MIXED[rest]) > tau(KNOWN.sizes[rest, 0], MIXED[rest]) + 0.1
    assert relative_errors(found(KNOWN.rows(rest)), MIXED[rest]).mean() < 0.06


def test_ten_samples_and_another_device_beat_ten_samples():
    """As one proxy: what the other device takes tells what this one takes."""
    other = fit(KNOWN, OTHER)
    both = Known(np.concatenate([KNOWN.sizes, other(KNOWN)[:, None]], axis=1), OPTIONS)
    alone, helped = [], []
    for seed in range(5):
        found, _, _, rest = drawn(MIXED, 10, seed)
        alone.append(tau(found(KNOWN.rows(rest)), MIXED[rest]))
        found, _, _, rest = drawn(MIXED, 10, seed, both)
        helped.append(tau(found(both.rows(rest)), MIXED[rest]))
    assert np.mean(helped) > np.mean(alone) + 0.1


def test_latencies_near_zero_have_bounded_relative_errors():
    """From 2 µs to milliseconds: plain least squares tell some fast ones below zero."""
    found, _, train, rest = drawn(FROM_ZERO, 60, 0)
    x = np.concatenate([np.ones((len(FROM_ZERO), 1)), KNOWN.sizes], axis=1)
    plain = x @ np.linalg.lstsq(x[train], FROM_ZERO[train], rcond=None)[0]
    ours = relative_errors(found(KNOWN.rows(rest)), FROM_ZERO[rest])
    assert (found(KNOWN) > 0).all()
    assert (plain < 0).any()
    assert ours.max() < 1.5
    assert ours.mean() < 0.1 < relative_errors(plain, FROM_ZERO)[rest].mean()
    for seed in range(5):
        few, _, _, rest = drawn(FROM_ZERO, 10, seed)
        assert relative_errors(few(KNOWN.rows(rest)), FROM_ZERO[rest]).max() < 5


def test_relative_errors_are_what_is_minimised():
    """The unit changes nothing, and it is ratios that balance, not differences."""
    one, thousand = fit(KNOWN, MIXED), fit(KNOWN, 1000 * MIXED)
    assert thousand(KNOWN) == pytest.approx(1000 * one(KNOWN), rel=1e-9)
    bare = Known(KNOWN.sizes, np.zeros((300, 1)))
    missed = np.log(MIXED) - np.log(fit(bare, MIXED)(bare))
    assert abs(missed.mean()) < 1e-9


def test_latencies_below_a_tenth_of_the_median_count_as_that():
    y = np.asarray([1.0, 10.0, 10.0, 12.0])
    assert relative_errors(np.asarray([3.0, 11.0, 9.0, 12.0]), y).tolist() == pytest.approx([2.0, 0.1, 0.1, 0.0])
    tiny = np.asarray([0.001, 10.0, 10.0, 12.0])
    assert relative_errors(np.asarray([1.001, 10.0, 10.0, 12.0]), tiny)[0] == pytest.approx(1.0)


def test_a_size_never_makes_a_network_faster():
    """Where latency falls with MACs the fit is constant, but for the order of what nothing tells apart."""
    bare = Known(KNOWN.sizes, np.zeros((300, 1)))
    found = fit(bare, 5.0 - 4.0 * KNOWN.sizes[:, 0] / KNOWN.sizes[:, 0].max())
    assert min(found.powers) >= 0
    order = np.argsort(KNOWN.sizes[:, 0])
    told = found(bare)[order]
    assert (np.diff(told)[np.diff(KNOWN.sizes[order, 0]) > 0] > 0).all()
    assert np.ptp(told) < 0.01 * told.mean()


def test_networks_smaller_and_faster_than_any_measured_keep_their_order():
    big = np.argsort(KNOWN.sizes[:, 0])[150:]
    bare = Known(KNOWN.sizes, np.zeros((300, 1)))
    found = fit(bare.rows(big), FROM_ZERO[big])
    assert tau(found(bare), KNOWN.sizes[:, 0]) == pytest.approx(1.0)
    assert found(bare).min() > 0.4 * FROM_ZERO[big].min()


@pytest.mark.parametrize("share", [-0.5, 0.0, 2.0])
def test_a_power_of_shifted_macs_is_found_exactly(share):
    """A start that all networks take, none, or MACs that take nothing."""
    shift = share * KNOWN.sizes[:, 0].min()
    found = fit(KNOWN, 2e-6 * (KNOWN.sizes[:, 0] + shift) ** 0.75)
    assert found.shift == pytest.approx(shift)
    assert (found.powers, np.exp(found.log_ms)) == (pytest.approx([0.75, 0.0]), pytest.approx(2e-6))
    assert not any(found.weights)


def test_networks_left_out_have_no_part_in_what_is_predicted_of_them():
    wrong = MIXED[:40].copy()
    wrong[7] *= 100
    told = held_out(KNOWN.rows(np.arange(40)), wrong, np.random.default_rng(0))
    plain = held_out(KNOWN.rows(np.arange(40)), MIXED[:40], np.random.default_rng(0))
    assert told[7] == plain[7] > 0
    assert (told != plain).sum() >= 30, "all but its fold have seen it"


@pytest.mark.parametrize("n", [3, 4, 5])
def test_the_fewest_measurements_have_a_fit(n):
    found = fit(KNOWN.rows(np.arange(n)), MIXED[:n])
    assert np.isfinite(found(KNOWN)).all()
    assert found(KNOWN).min() > 0
    same = fit(KNOWN.rows(np.arange(n)), np.full(n, 2.0))
    assert same(KNOWN) == pytest.approx(np.full(300, 2.0), rel=0.02)


def test_a_fit_is_kept_and_read_and_told_to_a_search(tmp_path):
    measured = Measurements(CODES[:40], MIXED[:40], "phone.csv")
    other = Measurements(CODES[100:200], OTHER[100:200], "board.csv")
    found = FittedLatency.fit(NET, measured, others=[other], input_shape=SHAPE)
    found.save(tmp_path / "fit.json")
    again = read_latency(tmp_path / "fit.json", NET, input_shape=SHAPE)
    assert isinstance(again, FittedLatency)
    assert again.predict_ms(CODES) == pytest.approx(found.predict_ms(CODES), rel=1e-12)
    assert again.sentences() == found.sentences()
    assert again.subject.device == {"device": "phone", "measurements": "phone.csv"}
    assert "left out in turn: mean relative error" in found.sentences()[0]
    with pytest.raises(UsageError, match="but this network's space is"):
        read_latency(tmp_path / "fit.json", small_net(), input_shape=SHAPE)


def test_it_is_accepted_where_a_table_is():
    net = small_net()
    codes = net.space.codes(list(net.space.enumerate()))
    given = Measurements(codes, np.arange(1.0, len(codes) + 1), "phone.csv")
    found = FittedLatency.fit(net, given, input_shape=(1, 8, 8))
    evaluator = NetEvaluator(net, blobs(), latency=found)
    assert "latency_ms" in evaluator.cheap
    assert evaluator.costs(codes, "latency_ms").tolist() == found.predict_ms(codes).tolist()
    assert any("fewer than 20" in sentence for sentence in found.sentences())


def test_units_that_cannot_be_are_refused_and_doubtful_ones_told():
    macs = COSTS.macs(CODES[:30])
    with pytest.raises(UsageError, match=r"which no processor does\. If the file holds seconds"):
        FittedLatency.fit(NET, Measurements(CODES[:30], macs * 1e-13, "s.csv"), input_shape=SHAPE)
    found = FittedLatency.fit(NET, Measurements(CODES[:30], macs * 1e-9, "s.csv"), input_shape=SHAPE)
    assert any("if the file holds seconds" in sentence for sentence in found.sentences())


def test_errors_of_networks_left_out_are_those_of_fits_without_them():
    """The closed form against a line and a ridge that have not seen the network."""
    n, penalty = 12, 0.1
    x = np.log(KNOWN.sizes[:n, :1])
    options = OPTIONS[:n] - OPTIONS[:n].mean(axis=0)
    target = np.log(MIXED[:n])
    line = _line(x, target)
    base = np.concatenate([np.ones((n, 1)), x], axis=1)
    for row in (0, 5):
        rest = np.delete(np.arange(n), row)
        told = base[row] @ np.linalg.lstsq(base[rest], target[rest], rcond=None)[0]
        assert line.left_out[row] == pytest.approx(target[row] - told)
    ridge = _Ridge.of(options)
    weights = ridge.weights(line.missed, penalty)
    normal = options.T @ options + penalty * n * np.eye(options.shape[1])
    assert weights == pytest.approx(np.linalg.solve(normal, options.T @ line.missed))
    hat = options @ np.linalg.solve(normal, options.T)
    smoother = base @ np.linalg.pinv(base)
    whole = smoother + hat @ (np.eye(n) - smoother)
    expected = (target - whole @ target) / (1 - whole.diagonal())
    assert ridge.left_out(line, penalty) == pytest.approx(expected)


def test_options_correct_by_no_more_than_was_seen():
    found = RelativeFit(0.0, [1.0], [1.0], 0.0, [0.0], [5.0], np.log(2), 0.1)
    known = Known(np.full((3, 1), 8.0), np.asarray([[1.0], [0.0], [-1.0]]))
    assert found(known) == pytest.approx([16.0, 8.0, 4.0])
