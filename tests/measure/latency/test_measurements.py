"""Files of measurements: what is read, and the sentence for everything that is not."""

import numpy as np
import pytest

from measure_networks import small_net
from supernet.errors import UsageError
from supernet.measure import read_measurements
from supernet.measure.latency.reading import read_latency

SPACE = small_net().space
ARCHS = list(SPACE.enumerate())


def written(path, *rows: str, header: str = "arch,ms"):
    file = path / "phone.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def row(arch, ms: object) -> str:
    return f'"{arch}",{ms}'


def test_architectures_and_milliseconds_are_read(tmp_path):
    found = read_measurements(
        written(tmp_path, *(row(a, n + 0.5) for n, a in enumerate(ARCHS)), row(ARCHS[0], 0.5)), SPACE
    )
    assert found.source == "phone.csv"
    assert np.array_equal(found.codes, SPACE.codes(ARCHS))
    assert found.measured_ms.tolist() == [n + 0.5 for n in range(len(ARCHS))]
    turned = written(tmp_path, *(f'{n + 1},"{a}"' for n, a in enumerate(ARCHS)), header="ms,arch")
    assert read_measurements(turned, SPACE).measured_ms.tolist() == list(range(1, len(ARCHS) + 1))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_separate_with_semicolons_or_tabs(tmp_path, mark):
    lines = [f"{arch}{mark}{n + 0.5}" for n, arch in enumerate(ARCHS)]
    found = read_measurements(written(tmp_path, *lines, header=f"Arch{mark}MS"), SPACE)
    assert np.array_equal(found.codes, SPACE.codes(ARCHS))
    assert found.measured_ms.tolist() == [n + 0.5 for n in range(len(ARCHS))]


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "fast", ""])
def test_what_is_no_duration_is_refused(tmp_path, value):
    with pytest.raises(UsageError, match=r"line 4: .* is no duration"):
        read_measurements(written(tmp_path, row(ARCHS[0], 1), row(ARCHS[1], 1), row(ARCHS[2], value)), SPACE)


@pytest.mark.parametrize(
    ("rows", "header", "sentence"),
    [
        ([row(ARCHS[0], 1), row(ARCHS[1], 2)], "arch,ms", "holds 2 architectures; give 3 or more"),
        ([row(ARCHS[0], 1), row(ARCHS[0], 2)], "arch,ms", "two latencies of .*: 1 ms in line 2, 2 ms in line 3"),
        ([row(ARCHS[0], 1)], "arch,seconds", "Convert 'seconds' to milliseconds"),
        ([row(ARCHS[0], 1)], "arch,latency_us", "Convert 'latency_us' to milliseconds"),
        ([row(ARCHS[0], 1)], "arch,time (s)", r"Convert 'time \(s\)' to milliseconds"),
        ([row(ARCHS[0], 1)], "arch,latency_ms", "Call 'latency_ms' `ms`"),
        ([row(ARCHS[0], "1.5 ms")], "arch,ms", "is no duration. Write it without the ms, as 1.5"),
        ([f"{ARCHS[0]};1,5"], "arch;ms", "'1,5' is no duration. Write it with a point, as 1.5"),
        ([row(ARCHS[1], 1)], row(ARCHS[0], 1), "no line that names its columns; write `arch,ms` above"),
        ([f"{row(ARCHS[0], 1)},3"], "arch,ms,energy", "`arch` and `ms` are needed, no others"),
        (["depth=7,1"], "arch,ms", "line 2 is no architecture of this space"),
        (["width=4,op=conv,1"], "arch,ms", "line 2 has 3 cells instead of 2. Put the architecture in quotes"),
        ([], "", "is empty"),
    ],
)
def test_other_files_are_refused(tmp_path, rows, header, sentence):
    with pytest.raises(UsageError, match=sentence):
        read_measurements(written(tmp_path, *rows, header=header), SPACE)


def test_a_file_in_another_coding_is_refused_in_words(tmp_path):
    (tmp_path / "m.csv").write_text("arch,ms\n", encoding="utf-16")
    with pytest.raises(UsageError, match=r"no text in UTF-8 .*; save it as CSV in UTF-8"):
        read_measurements(tmp_path / "m.csv", SPACE)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_measurements(tmp_path / "none.csv", SPACE)


def test_measurements_given_as_a_table_are_sent_to_fit(tmp_path):
    file = written(tmp_path, row(ARCHS[0], 1))
    with pytest.raises(UsageError, match=r"`supernet latency fit --measurements .*phone.csv` makes one"):
        read_latency(file, small_net())
