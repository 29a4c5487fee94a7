"""A machine that is reached by ssh, on which a command of the user's times what it is sent."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import IO, Annotated, Literal

import numpy as np
import torch
from msgspec import Meta
from torch import nn

from supernet.errors import RunError, UsageError, require
from supernet.io.section import Positive, Section, Text
from supernet.measure.latency.machine import Latency
from supernet.nn.batch import called
from supernet.nn.input_shape import InputShape, example

_MOST_READ = 1_000_000
_OPSET = 20
_PER_MS = {"s": 1e3, "ms": 1.0, "us": 1e-3}


@dataclass(frozen=True, kw_only=True)
class RemoteMachine(Section, place="remote."):
    """Another machine: a network goes there as a file, and milliseconds come back.

    `ssh HOST COMMAND` is run once for each network. The command finds the file on its standard input, times it, and
    prints what single runs took, or one figure for all of them. ssh asks for nothing: the host needs a key.

    Args:
        host: The machine, as ssh knows it, such as `pi@board.local`.
        command: What is run there, such as `cat > net.onnx && ./time_onnx net.onnx`.
        pattern: Regular expression whose first group is a duration, such as `avg: ([0-9.]+)`; each match is a run. By
            default every line of the output that is a number, and nothing else, is one.
        unit: Unit of the durations that the command prints.
        batch_size: Number of images that the file takes at a time.
        format: What is sent: an ONNX model, or a program of `torch.export` (.pt2).
        timeout: Seconds after which a network is given up.

    Raises:
        UsageError: a host that looks like an option, or a pattern that is no expression with one group.
    """

    host: Text
    command: Text
    pattern: str = r"(?m)^\s*([0-9.eE+-]+)\s*$"
    unit: Literal["s", "ms", "us"] = "ms"
    batch_size: Positive = 1
    format: Literal["onnx", "program"] = "onnx"
    timeout: Annotated[float, Meta(gt=0, le=86_400)] = field(default=120.0, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.host.startswith("-") or not self.host.strip() or not self.command.strip():
            raise UsageError(f"The host {self.host!r} with the command {self.command!r} is nothing that ssh can run.")
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise UsageError(f"The pattern {self.pattern!r} is no regular expression: {error}.") from error
        if groups != 1:
            raise UsageError(f"The pattern {self.pattern!r} has {groups} groups; one tells where the duration is.")

    def measure(self, module: nn.Module, input_shape: InputShape) -> Latency:
        """Time a plain module on inputs of shape (C, H, W).

        Raises:
            RunError: the module cannot be exported, or the command fails, takes too long, or prints no durations.
        """
        with tempfile.TemporaryFile() as sent, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complained:
            sent.write(self._file(module, input_shape))
            sent.seek(0)
            code = self._run(sent, told, complained)
            output, reason = _read(told), _last_line(_read(complained))
        if code:
            raise RunError(
                f"`{self.command}` on {self.host} failed with exit code {code}: {reason or 'it said nothing'}. Try it "
                f"by hand: ssh {self.host}."
            )
        durations = [_number(text) * _PER_MS[self.unit] for text in re.findall(self.pattern, output)]
        if not durations or not all(math.isfinite(one) and one > 0 for one in durations):
            raise RunError(
                f"`{self.command}` on {self.host} printed no durations above 0 that {self.pattern!r} finds, but "
                f"{_last_line(output)[:80]!r}. Let it print one number a line, or give another pattern."
            )
        p10, median, p90 = np.percentile(durations, (10, 50, 90)).tolist()
        return Latency(median, p10, p90, len(durations))

    def _run(self, sent: IO[bytes], told: IO[bytes], complained: IO[bytes]) -> int:
        ssh = shutil.which("ssh")
        if ssh is None:
            raise RunError("There is no `ssh` on this machine; install an ssh client.")
        line = [ssh, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "--", self.host, self.command]
        running = subprocess.Popen(line, stdin=sent, stdout=told, stderr=complained, start_new_session=True)
        try:
            return running.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise RunError(
                f"`{self.command}` on {self.host} was given up after {self.timeout:g} seconds. Let it time fewer runs, "
                "or raise timeout."
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()

    def _file(self, module: nn.Module, input_shape: InputShape) -> bytes:
        """The module in the format that is sent, for inputs of this shape."""
        copied, x = copy.deepcopy(module).cpu().eval(), example(input_shape, self.batch_size)
        written = io.BytesIO()
        try:
            with torch.no_grad():
                called(copied, x)
                args, named = ((x,), {}) if isinstance(x, torch.Tensor) else ((), dict(x))
                program = torch.export.export(copied, args, named)
            if self.format == "program":
                torch.export.save(program, written)
                return written.getvalue()
            for package in ("onnx", "onnxscript"):
                require(package, "export", "Sending ONNX files")
            converted = torch.onnx.export(program, dynamo=True, opset_version=_OPSET, verbose=False)
            assert converted is not None
            return bytes(converted.model_proto.SerializeToString())
        except (UsageError, RunError):
            raise
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise RunError(
                f"A network cannot be written as {self.format} for {self.host}: {reason[0]}. Try the other format."
            ) from error


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_READ).decode(errors="replace")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
