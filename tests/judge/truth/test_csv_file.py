import csv
import json

import numpy as np
import pytest

from supernet import Choice, Space, zoo
from supernet.errors import RunError, UsageError
from supernet.judge.truth.csv_file import read_csv, write_csv
from supernet.judge.truth.spelling import SIZE_SPACE, read_arch
from supernet.judge.truth.truth import Truth
from supernet.quantity import Quantity

depth = Choice("depth", (1, 2))
SPACE = Space([depth, Choice("op", ("conv 3", "skip")), Choice("k2", (3, 5), when=depth > 1)])
AWKWARD = Space([Choice("a;b", ("x=1", "y")), Choice("c", (1, 2))])
ALL = list(SPACE.enumerate())
METRIC = Quantity("error", "%", goal="min")
SPACES = {
    "own": lambda: SPACE,
    "awkward": lambda: AWKWARD,
    "201": lambda: zoo.nasbench201(channels=1, cells=1).space,
    "macro": lambda: zoo.nasbench_macro(channels=1, head_channels=1).space,
    "size": lambda: SIZE_SPACE,
    "mbconv": lambda: zoo.mbconv().space,
}


@pytest.mark.parametrize("name", SPACES)
def test_texts_lead_back(name):
    space = SPACES[name]()
    for arch in space.wrap(space.population(np.random.default_rng(0), 20)):
        assert read_arch(space, str(arch)) == arch
        assert read_arch(space, json.dumps(arch.options())) == arch
        assert read_arch(space, json.dumps(arch.to_json())) == arch


def test_a_table_holds_the_one_text_of_an_architecture(tmp_path):
    """What stands in a table is what `Space.parse` reads, with quotation marks as CSV needs them."""
    for name, text in (("own", '"depth=1,op=conv%203",0.0'), ("awkward", '"a%3Bb=x%3D1,c=1",0.0')):
        space = SPACES[name]()
        write_csv(Truth.of([space.smallest()], [0.0]), tmp_path / "t.csv")
        assert (tmp_path / "t.csv").read_text().splitlines()[2].startswith(text)
        (row,) = list(csv.reader((tmp_path / "t.csv").read_text().splitlines()))[-1:]
        assert space.parse(row[0]) == space.smallest()


def test_semicolons_may_stand_for_commas():
    assert read_arch(SPACE, "depth=2; op=conv 3;k2=5") == SPACE.arch({"depth": 2, "op": "conv 3", "k2": 5})
    edges = ";".join(f"{edge}=none" for edge in SPACES["201"]().names)
    assert read_arch(SPACES["201"](), edges) == SPACES["201"]().smallest()
    assert read_arch(AWKWARD, "a;b=y,c=2") == AWKWARD.arch({"a;b": "y", "c": 2})


def test_the_spellings_of_benchmarks_are_read():
    cell = SPACES["201"]()
    assert read_arch(cell, " |none~0|+|none~0|none~1|+|none~0|none~1|none~2| ") == cell.smallest()
    assert read_arch(SPACES["macro"](), "22222222") == SPACES["macro"]().largest()
    assert read_arch(SPACES["size"](), "64:64:64:64:64") == SPACES["size"]().largest()


@pytest.mark.parametrize(
    ("space", "text", "words"),
    [
        ("own", "depth=1;kernel=3", "no choice named 'kernel'"),
        ("own", "depth=3;op=skip", "'depth' has no option '3'; it allows 1, 2"),
        ("own", "depth=1", "does not decide op"),
        ("own", "22212220", "is not an architecture"),
        ("own", '{"depth": 1', "not valid JSON"),
        ("own", '{"decisions": 3}', "no choice named 'decisions'"),
        pytest.param("own", '{"a":' * 100_000, "not valid JSON", id="deep"),
        ("201", "|none~0|", "not an architecture of NAS-Bench-201"),
        ("size", "8:16:24:32:65", "five widths out of 8, 16"),
        ("size", "8:16", "five widths"),
    ],
)
def test_texts_that_are_no_architecture(space, text, words):
    with pytest.raises(UsageError, match=words):
        read_arch(SPACES[space](), text)


@pytest.mark.parametrize("name", SPACES)
def test_written_and_read_bit_for_bit(name, tmp_path):
    space, rng = SPACES[name](), np.random.default_rng(0)
    archs = list(dict.fromkeys(space.wrap(space.population(rng, 5))))
    values = rng.random((len(archs), 3))
    values[0, 1] = np.nan
    table = Truth.of(archs, values, metric=METRIC, source='a, "b" – c', seeds=["777", "888", "999"])
    write_csv(table, tmp_path / "t.csv")
    read = read_csv(tmp_path / "t.csv", space)
    np.testing.assert_array_equal(read.values, table.values)
    assert read.archs == archs
    assert (read.metric, read.source, read.seeds) == (METRIC, 'a, "b" – c', ("777", "888", "999"))


def read(tmp_path, text, **options):
    path = tmp_path / "t.csv"
    path.write_text(text)
    return read_csv(path, SPACE, **options)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_separate_with_semicolons_or_tabs(tmp_path, mark):
    lines = (("Arch", "acc"), ("depth=1,op=skip", "0.5"), ("depth=2,op=skip,k2=3", "0.25"))
    table = read(tmp_path, "\n".join(mark.join(cells) for cells in lines))
    assert table.mean.tolist() == [0.5, 0.25]
    assert [arch.options()["depth"] for arch in table.archs] == [1, 2]


def test_files_written_by_hand(tmp_path):
    table = read(tmp_path, "\ufeffarch, acc\ndepth=1; op=skip,0.5\n\ndepth=2;op=skip;k2=3,0.25\ndepth=1;op=skip,0.5\n")
    assert table.mean.tolist() == [0.5, 0.25]
    assert (table.metric, table.source) == (Quantity("acc", goal="max"), "t.csv")
    table = read(tmp_path, 'arch,error,seed a,seed b\n"{""depth"": 1, ""op"": ""skip""}",2,1,3\n', metric=METRIC)
    assert (table.metric, table.seeds, table.values.tolist()) == (METRIC, ("a", "b"), [[1.0, 3.0]])


HEAD = "arch,acc,seed 0,seed 1\n"
FACTS = '# supernet table: {{"metric":{{"name":"acc",{}}},"source":"","architectures":1}}\n'


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", UsageError, "is empty"),
        ("arch,acc\n", UsageError, "no architecture below"),
        ("architecture,acc\n", UsageError, "the first is `arch`"),
        ("arch\n", UsageError, "second the metric"),
        ("arch,acc,params\ndepth=1;op=skip,1,2\n", UsageError, "column 'params' .* is not known"),
        ("arch,acc\ndepth=1;op=pool,1\n", UsageError, "line 2: The choice 'op' has no option 'pool'"),
        ("arch,acc\ndepth=1;op=skip,nan\n", UsageError, "line 2: acc is 'nan'; give a finite number"),
        ("arch,acc\ndepth=1;op=skip,1e999\n", UsageError, "line 2: acc is '1e999'"),
        ("arch,acc\ndepth=1;op=skip,high\n", UsageError, "line 2: acc is 'high'"),
        ("arch,acc\ndepth=1;op=skip,\n", UsageError, "line 2 has no value"),
        ("arch,acc\ndepth=1;op=skip,1\ndepth=1;op=s", RunError, "line 3 has 1 cells, but there are 2 columns"),
        (
            "arch,acc\ndepth=1;op=skip,1\ndepth=1;op=skip,2\n",
            UsageError,
            "t.csv has two values for .*: 1 in line 2, 2 in line 3",
        ),
        ("arch,acc\ndepth=1;op=skip,97%\n", UsageError, "'97%'; give a finite number, or delete .* the %, as 97"),
        ("arch;acc\ndepth=1,op=skip;0,5\n", UsageError, "'0,5'.* with a point, as 0.5"),
        (HEAD + "depth=1;op=skip,1,x,1\n", UsageError, "seed 0 is 'x'; give a finite number, or leave the cell empty"),
        ("depth=1;op=skip,1\n", UsageError, "no line that names its columns"),
        (HEAD + "depth=1;op=skip,1,,\n", UsageError, "line 2 has no value"),
        (HEAD + "depth=1;op=skip,1,2,3\n", UsageError, "is 1.0, but the mean of its seeds is 2.5"),
        ('arch,acc\n"depth=1;op=skip,1\n', RunError, "is not CSV"),
        ("# supernet table: {oops\narch,acc\n", RunError, "line 1 is damaged"),
        (FACTS.format('"goal":"sideways"') + "arch,acc\ndepth=1;op=skip,1\n", RunError, "line 1 is damaged .*sideways"),
        (FACTS.format('"goal":3') + "arch,acc\ndepth=1;op=skip,1\n", RunError, "line 1 is damaged"),
        ("# supernet table: " + "[" * 100_000 + "\narch,acc\n", RunError, "line 1 is damaged"),
        ("arch,acc\n" + '"' + '{""a"":' * 20_000 + '",1\n', UsageError, "line 2: .*not valid JSON"),
        ("\x00\xff", UsageError, "columns of"),
    ],
)
def test_what_is_no_table(tmp_path, text, error, words):
    with pytest.raises(error, match=words):
        read(tmp_path, text)


def test_files_of_something_else(tmp_path):
    table = Truth.of(ALL, np.arange(len(ALL)), metric=METRIC)
    write_csv(table, tmp_path / "t.csv")
    with pytest.raises(UsageError, match=r"table of 'error' .*but Quantity\(name='accuracy'.* was asked for"):
        read_csv(tmp_path / "t.csv", SPACE, metric=Quantity("accuracy", goal="max"))
    with pytest.raises(UsageError, match="line 3: The space has no choice named 'depth'"):
        read_csv(tmp_path / "t.csv", AWKWARD)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_csv(tmp_path / "none.csv", SPACE)
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00arch")
    with pytest.raises(RunError, match="not a text file"):
        read_csv(tmp_path / "t.csv", SPACE)


def test_missing_lines_are_noticed(tmp_path):
    write_csv(Truth.of(ALL, np.arange(len(ALL))), tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines(keepends=True)
    with pytest.raises(RunError, match=f"holds {len(ALL) - 2} of {len(ALL)} architectures: it is cut short"):
        read(tmp_path, "".join(lines[:-2]))
