"""What the page says of files that score otherwise than the first."""

from __future__ import annotations

from pathlib import Path

from supernet.report.run_files import Network, RunFiles
from supernet.report.sections.exports import exports


def test_a_file_that_scores_otherwise_is_said_to(tmp_path: Path) -> None:
    files = {"program": "net.pt2", "onnx": "net.onnx", "int8": "net.int8.pt2"}
    for name in files.values():
        (tmp_path / name).write_bytes(b"x" * 1000)
    compared = {"program": {"accuracy": 0.9}, "onnx": {"accuracy": 0.9}, "int8": {"accuracy": 0.875}}
    network = Network("best", {}, {}, {}, files, None, compared)
    found = exports(RunFiles(tmp_path, exports=[network]))
    assert found is not None
    said = {name: text.replace("\u202f", " ") for _, name, text in found["files"][0]}
    assert said["net.pt2"] == said["net.onnx"] == "1 kB"
    assert said["net.int8.pt2"] == "1 kB, 87.5 % accuracy on validation examples"
    assert "'net.pt2'" in found["usage"]
    assert "int8" not in found["usage"]
