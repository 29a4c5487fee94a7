import json
import os

import numpy as np
import pytest

from supernet import Choice, Space
from supernet.errors import RunError, UsageError
from supernet.judge.truth.growing import TruthFile, read_truth_file
from supernet.quantity import LOSS

SPACE = Space([Choice("kernel", (3, 5, 7)), Choice("width", (8, 16))])
ALL = list(SPACE.enumerate())
SETTINGS = {"steps": 100, "recipe": {"lr": 0.1}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "t.jsonl"


def filled(path, trainings=((0, 0, 0.5), (3, 1, 0.75), (0, 1, 0.25)), **options):
    with TruthFile(path, SPACE, **({"settings": SETTINGS} | options)) as file:
        for arch, seed, value in trainings:
            file.append(ALL[arch], seed, value, seconds=1.5)
    return path


def test_grows_and_goes_on(path):
    filled(path)
    filled(path, [(2, 0, 1.0)])
    with TruthFile(path, SPACE, settings=SETTINGS) as file:
        assert len(file) == 4
        assert [(ALL[0], 0) in file, (ALL[3], 0) in file, (ALL[2], 0) in file] == [True, False, True]
        table = file.truth()
    assert table.archs == [ALL[0], ALL[2], ALL[3]]
    np.testing.assert_array_equal(table.values, [[0.5, 0.25], [1.0, np.nan], [np.nan, 0.75]])
    assert table.seeds == ("0", "1")
    assert file.truth(seeds=[1]).archs == [ALL[0], ALL[3]]
    assert len(path.read_text().splitlines()) == 5


def test_every_line_is_on_the_disk_when_append_returns(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(path.read_text().count("\n")))
    filled(path)
    assert synced == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_cut_off(path, cut):
    whole = filled(path).read_bytes()
    path.write_bytes(whole[:-cut])
    read = read_truth_file(path, SPACE)  # reading leaves the file alone
    assert path.read_bytes() == whole[:-cut]
    assert len(read) == 2
    filled(path, [(0, 1, 0.25)])
    assert path.read_bytes() == whole


def test_a_torn_first_line_begins_anew(path):
    whole = filled(path).read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(UsageError, match="holds no training yet"):
        read_truth_file(path, SPACE)
    assert filled(path).read_bytes() == whole


def test_rows_do_not_depend_on_the_order_of_lines(path, tmp_path):
    first = read_truth_file(filled(path), SPACE)
    second = read_truth_file(filled(tmp_path / "other.jsonl", [(0, 1, 0.25), (0, 0, 0.5), (3, 1, 0.75)]), SPACE)
    np.testing.assert_array_equal(first.codes, second.codes)
    np.testing.assert_array_equal(first.values, second.values)


def test_nothing_is_kept_without_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TruthFile(None, SPACE) as file:
        with pytest.raises(UsageError, match="There is no training yet"):
            file.truth()
        file.append(ALL[1], 0, 0.5)
    assert file.truth().mean.tolist() == [0.5]
    assert not list(tmp_path.iterdir())


def test_figures_made_differently_are_refused(path):
    filled(path)
    with pytest.raises(UsageError, match=r"made with steps = 100, now it is 200; .* do not belong in one table"):
        TruthFile(path, SPACE, settings=SETTINGS | {"steps": 200})
    with pytest.raises(UsageError, match=r"made with recipe = .*, now it is None"):
        TruthFile(path, SPACE, settings={"steps": 100})
    with pytest.raises(UsageError, match="split = None, now it is test"):
        TruthFile(path, SPACE, settings=SETTINGS | {"split": "test"})
    with pytest.raises(UsageError, match=r"metric = .*accuracy.*now it is .*loss"):
        TruthFile(path, SPACE, settings=SETTINGS, metric=LOSS)
    other = Space([Choice("kernel", (3, 5))])
    with pytest.raises(UsageError, match=f"about the space {SPACE.fingerprint}, but this space is"):
        TruthFile(path, other, settings=SETTINGS)
    with pytest.raises(UsageError, match="about the space"):
        read_truth_file(path, other)
    with pytest.raises(UsageError, match="was asked for"):
        read_truth_file(path, SPACE, metric=LOSS)


def test_what_cannot_be_appended(path):
    with TruthFile(path, SPACE) as file:
        file.append(ALL[0], 0, 1.0)
        with pytest.raises(UsageError, match="is in it already"):
            file.append(ALL[0], 0, 1.0)
        for value in (float("nan"), float("inf")):
            with pytest.raises(UsageError, match="must be finite"):
                file.append(ALL[1], 0, value)
        with pytest.raises(UsageError, match="do not move between spaces"):
            file.append(Space([Choice("kernel", (3, 5))]).smallest(), 0, 1.0)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("number", "line", "words"),
    [
        (1, "{}", "is damaged: line 1 must be a table with 'space'"),
        (1, '{"format": "other"}', "line 1 format must be an allowed value"),
        (1, "[1]", "line 1 must be a table of names and values"),
        (2, "{", "is damaged: line 2"),
        (3, '{"arch": "kernel=9;width=8", "seed": 0, "accuracy": 1}', "line 3: .* 'kernel' has no option '9'"),
        (3, '{"arch": "kernel=3;width=8", "seed": 0, "accuracy": NaN}', "damaged: line 3"),
        (3, '{"arch": "kernel=3;width=8", "seed": 0}', "line 3 must be a training with 'arch', 'seed' and 'accuracy'"),
        (4, '{"arch": "kernel=3;width=8", "seed": 0, "accuracy": 0.9}', "line 4 .* an earlier line says 0.5"),
        (4, "\ufffd", "damaged: line 4"),
        pytest.param(1, '{"a":' * 100_000, "damaged: line 1", id="deep-1"),
        pytest.param(2, '{"a":' * 100_000, "damaged: line 2", id="deep-2"),
        pytest.param(3, "\udcff", "damaged: line 3", id="not UTF-8"),
    ],
)
def test_damaged_lines(path, number, line, words):
    lines = filled(path).read_text().splitlines()
    lines[number - 1] = line
    path.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    for open_ in (lambda: TruthFile(path, SPACE, settings=SETTINGS), lambda: read_truth_file(path, SPACE)):
        with pytest.raises(RunError, match=words):
            open_()


def test_a_full_disk(path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    with TruthFile(path, SPACE) as file:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match="could not be written: No space left on device"):
            file.append(ALL[0], 0, 1.0)


def test_lines_are_plain_json(path):
    lines = [json.loads(line) for line in filled(path).read_text().splitlines()]
    assert lines[0]["metric"] == {"name": "accuracy", "goal": "max", "unit": "", "share": True}
    assert lines[1] == {"arch": "kernel=3,width=8", "seed": 0, "accuracy": 0.5, "seconds": 1.5}
