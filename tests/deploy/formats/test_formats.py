"""Formats as such: how they are found, what they refuse, and what is said of their files."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from measure_networks import blobs, small_net
from own_formats import Own, liar, rough
from supernet import catalog, deploy
from supernet.deploy.formats import Executorch, Format, Int8, Onnx, Subject, by_suffix, format_of, formats_of
from supernet.errors import RunError, UsageError
from supernet.measure import Calibration
from supernet.nn.program import traced

QUICK = Calibration(images=60, batch_size=20)
EXTRAS = {"openvino": "openvino", "executorch": "executorch", "int8": "torchao", "onnx": "onnx"}


def exported(path: Path, **options: Any) -> deploy.Exported:
    net = small_net()
    return deploy.export(
        net, net.space.arch({"width": 8, "op": "conv"}), path, **{"data": blobs(), "calibration": QUICK, **options}
    )


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if packages were not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in packages else find(name, *rest)
    )


def test_the_catalogue_knows_a_format_by_its_module() -> None:
    names = catalog.names("formats")
    assert names == ("executorch", "int8", "onnx", "openvino", "program")
    suffixes = {"executorch": ".pte", "int8": ".int8.pt2", "onnx": ".onnx", "openvino": ".xml", "program": ".pt2"}
    for name in names:
        found = format_of(name)
        assert isinstance(found, Format)
        assert (found.name, found.suffix) == (name, suffixes[name])
        assert by_suffix(Path(f"net.v2{found.suffix}")) == found
    assert by_suffix(Path("net.txt")) is None
    assert {name: format_of(name).tolerance for name in names} == dict.fromkeys(names, 1e-3) | {"int8": 0.5}


def test_settings_are_named_after_their_format() -> None:
    options = {"int8.images": 512, "executorch": {"largest_batch": 8}}
    expected = [Onnx(), Int8(images=512), Executorch(largest_batch=8)]
    assert formats_of(("onnx", "int8", "executorch"), options) == expected
    with pytest.raises(UsageError, match=r"int8\.images=512 is a setting of no format that is asked for \(onnx\)"):
        formats_of(("onnx",), {"int8.images": 512})
    with pytest.raises(UsageError, match="int8 has no setting 'picture'"):
        formats_of(("int8",), {"int8.picture": 1})
    with pytest.raises(UsageError, match="images=0"):
        formats_of(("int8",), {"int8.images": 0})


@pytest.mark.parametrize(("name", "package"), EXTRAS.items())
def test_what_is_not_installed_is_refused_with_what_to_install(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, package)
    extra = "export" if name == "onnx" else name
    words = (
        rf"needs the package '{package}', which is not installed. Install it with: pip install 'supernet\[{extra}\]'"
    )
    with pytest.raises(RunError, match=words):
        exported(tmp_path / "net", formats=(name,))
    assert list(tmp_path.iterdir()) == []
    with pytest.warns(UserWarning, match=words):
        done = exported(tmp_path / "net", formats=(name, "program"))
    assert ([file.name for file in done.files], list(done.failures)) == (["net.pt2"], [name])


@pytest.mark.parametrize("name", ["openvino", "executorch"])
def test_a_file_whose_runtime_is_not_installed_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = exported(tmp_path / "net.pt2")
    file = tmp_path / f"net{format_of(name).suffix}"
    file.write_bytes(b"")
    without(monkeypatch, name)
    with pytest.raises(RunError, match=rf"Verifying .* needs the package '{name}'.*supernet\[{name}\]"):
        deploy.verify(file, done.module, blobs().validation)


@pytest.mark.slow
def test_a_program_is_whole_whichever_format_is_written_first(tmp_path: Path) -> None:
    for number, formats in enumerate([("program", "onnx"), ("onnx", "program", Own())]):
        done = exported(tmp_path / str(number) / "net", formats=formats)
        assert (len(done.files), done.failures) == (len(formats), {})
        for file, each in zip(done.files, formats, strict=True):
            found = deploy.verify(file, done.module, blobs().validation, format=format_of(each))
            assert found.agreement == 1


def test_what_is_written_is_left_as_it_is(tmp_path: Path) -> None:
    subject = Subject(traced(torch.nn.Linear(3, 2).eval(), (3,), None))
    inputs = subject.traced.program.example_inputs
    assert inputs is not None
    format_of("program").write(subject, tmp_path / "net.pt2")
    assert subject.traced.program.example_inputs is inputs


class Larger(torch.nn.Module):
    """Scales by a size that is known when it runs, so that a function of torch stands in the program."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) * max(x.shape[0], 2)


def test_an_onnx_file_is_the_same_every_time_and_says_nothing_of_where_it_was_made(tmp_path: Path) -> None:
    """What torch notes of each operation has paths of source files, and addresses that differ between processes."""
    subject, files = Subject(traced(Larger().eval(), (3, 2), None)), [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    assert "sym_max" in str(subject.traced.program.graph)
    for file in files:
        Onnx().write(subject, file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert not [part for part in (b"pkg.torch", b"0x", b".py", b"Larger") if part in first]


def test_a_format_of_ones_own_is_run_in_its_own_runtime(tmp_path: Path) -> None:
    own = Own(most=7)  # runs at most seven at a time, and says so
    done = exported(tmp_path / "net.own", formats=(own,))
    assert [file.name for file in done.files] == ["net.own"]
    found = deploy.verify(done.files[0], done.module, blobs().validation, format=own)
    assert (found.runtime, found.images, found.max_difference) == ("own runtime 1", 48, pytest.approx(0, abs=1e-6))
    with pytest.raises(UsageError, match=r"'net.own' cannot be verified: files that end in"):
        deploy.verify(done.files[0], done.module, blobs().validation)


def test_a_file_that_lies_is_refused_and_its_score_is_its_own(tmp_path: Path) -> None:
    done = exported(tmp_path / "net", formats=(liar(),))
    with pytest.raises(
        RunError, match=r"net.lie does not compute .* differ by up to 100 .* on 48 examples. Do not use"
    ):
        deploy.verify(done.files[0], done.module, blobs().validation, format=liar())
    found = deploy.verify(done.files[0], done.module, blobs().validation, format=replace(liar(), tolerance=1e9))
    labels = next(blobs().validation.batches(48)).labels
    assert found.max_difference == pytest.approx(100, rel=1e-4)
    assert found.accuracy_file == pytest.approx((labels == 0).double().mean().item())
    x = next(blobs().validation.batches(48)).x
    with torch.no_grad():
        assert found.accuracy_module == pytest.approx((done.module(x).argmax(1) == labels).double().mean().item())
    assert found.scores_file["loss"] > 10 * found.scores_module["loss"]


def test_the_tolerance_of_a_format_is_its_own_unless_another_is_given(tmp_path: Path) -> None:
    done = exported(tmp_path / "net", formats=(rough(),))
    assert deploy.verify(done.files[0], done.module, blobs().validation, format=rough()).max_difference > 99
    with pytest.raises(RunError, match="does not compute"):
        deploy.verify(done.files[0], done.module, blobs().validation, format=rough(), tolerance=1e-3)


def test_what_is_no_format_is_refused(tmp_path: Path) -> None:
    for wrong, words in (
        (("tflite",), "There is no format named 'tflite'"),
        (("own_formats:replace",), "replace"),
        ((Own,), r"Own is no format; give a name such as 'onnx', or a value"),
        ((3,), "int is no format"),
        ((), "is no list of formats"),
        ("onnx", "is no list of formats"),
    ):
        with pytest.raises(UsageError, match=words):
            exported(tmp_path / "net", formats=wrong)
    for settings in ({"images": 0}, {"tolerance": 0.0}, {"tolerance": float("nan")}):
        with pytest.raises(UsageError, match="at least one image, and a tolerance above 0"):
            Int8(**settings)
    with pytest.raises(UsageError, match="give 2 or more"):
        Executorch(largest_batch=1)
