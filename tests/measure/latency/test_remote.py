"""A machine behind ssh, played by a script of that name on PATH."""

import sys
import time

import pytest
from torch import nn

from supernet.errors import RunError, UsageError
from supernet.measure import RemoteMachine, latency

NETWORK = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """Makes an `ssh` that runs Python: `sent` is what it gets, `args` how it was called."""

    def make(code: str) -> None:
        file = tmp_path / "ssh"
        file.write_text(
            f"#!{sys.executable}\nimport sys, time\nargs, sent = sys.argv[1:], sys.stdin.buffer.read()\n{code}\n"
        )
        file.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return make


def machine(**settings) -> RemoteMachine:
    return RemoteMachine(**({"host": "pi@board", "command": "time it", "format": "program"} | settings))


def test_every_line_that_is_a_number_is_a_run(ssh, tmp_path):
    ssh(
        f"open({str(tmp_path / 'sent')!r}, 'wb').write(sent)\n"
        f"open({str(tmp_path / 'args')!r}, 'w').write(repr(args))\n"
        "print('warming up 3')\nfor ms in (1, 2.5, 9): print(ms)"
    )
    found = latency(NETWORK, device=machine(), input_shape=(1, 6, 6))
    assert (found.median_ms, found.runs) == (2.5, 3)
    assert found.p10_ms < 2.5 < found.p90_ms
    assert (tmp_path / "sent").read_bytes()[:2] == b"PK"  # a .pt2 file is a zip
    args = eval((tmp_path / "args").read_text())
    assert args[-3:] == ["--", "pi@board", "time it"]
    assert "BatchMode=yes" in args


def test_a_pattern_and_a_unit_read_other_programs(ssh):
    ssh("print('run 1 avg=1500 us'); print('run 2 avg=2500 us')")
    found = machine(pattern=r"avg=([0-9.]+)", unit="us").measure(NETWORK, (1, 6, 6))
    assert (found.median_ms, found.runs) == (2.0, 2)


@pytest.mark.slow
def test_an_onnx_file_is_sent_by_default(ssh):
    ssh("print(1.0 if b'Conv' in sent and sent[:2] != b'PK' else -1)")
    assert RemoteMachine(host="board", command="x").measure(NETWORK, (1, 6, 6)).median_ms == 1.0


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("sys.stderr.write('no route to host\\n'); sys.exit(255)", "failed with exit code 255: no route to host"),
        ("sys.exit(3)", "failed with exit code 3: it said nothing"),
        ("print('Segmentation fault')", "printed no durations above 0 that .*'Segmentation fault'"),
        ("print(0)", "printed no durations above 0"),
        ("print(-1)", "printed no durations above 0"),
        ("print('1e999')", "printed no durations above 0"),
        ("sys.stdout.buffer.write(bytes(range(256)) * 20000)", "printed no durations above 0"),
        ("", "printed no durations above 0"),
    ],
)
def test_a_failure_is_a_sentence(ssh, code, sentence):
    ssh(code)
    with pytest.raises(RunError, match=sentence):
        machine().measure(NETWORK, (1, 6, 6))


def test_a_command_that_hangs_is_given_up(ssh):
    ssh("time.sleep(600)")
    start = time.monotonic()
    with pytest.raises(RunError, match=r"given up after 0\.5 seconds"):
        machine(timeout=0.5).measure(NETWORK, (1, 6, 6))
    assert time.monotonic() - start < 60


def test_without_ssh_it_says_so(ssh):
    with pytest.raises(RunError, match="no `ssh` on this machine"):
        machine().measure(NETWORK, (1, 6, 6))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="nothing that ssh can run"):
        machine(host="-oProxyCommand=x")
    with pytest.raises(UsageError, match="is no regular expression"):
        machine(pattern="(")
    with pytest.raises(UsageError, match="has 2 groups; one tells"):
        machine(pattern="(a)(b)")
