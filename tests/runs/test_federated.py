"""A server and its clients as processes on this machine; skipped without Flower."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from supernet import zoo
from supernet.errors import RunError
from supernet.io.config import Config, Named
from supernet.runs.federated import join as take_part
from supernet.runs.federation.agreement import differs
from supernet.runs.federation.client import Device
from supernet.runs.run import silent
from supernet.train.checkpoint import latest, load

needs_flower = pytest.mark.skipif(find_spec("flwr") is None, reason="needs flwr (the extra federated)")

RUN = shlex.split(
    "--space fedsup -S width_multiplier=0.125 --method fedsup -M clients=DirichletClients -M clients.clients=3 "
    "-M clients.beta=0.5 -M fraction=1.0 -M local_epochs=1 -M weights.lr=0.05 --data digits --steps 42 "
    "--batch-size 64 --monitor-every 0 --accelerator cpu"
)
JOIN = """
import os, sys
from supernet.io.config import Named
from supernet.runs.federated import join
from supernet.runs.federation import client

visit = client.visit

def changed(answer, change):
    return answer._replace(tensors={name: change(tensor) for name, tensor in answer.tensors.items()})

alter = {
    "nan": lambda answer: changed(answer, lambda t: t * float("nan") if t.is_floating_point() else t),
    "shapes": lambda answer: changed(answer, lambda t: t[None]),
    "dies": lambda answer: os._exit(9),
}[sys.argv[3]]
client.visit = lambda *given: alter(visit(*given))
join(sys.argv[1], Named("digits"), client=int(sys.argv[2]), wait=400)
"""


CONFIG = replace(
    Config(),
    space=Named("fedsup", {"width_multiplier": 0.125}),
    method=Named("fedsup", {"clients": "IIDClients", "clients.clients": 4}),
)


def introduced(config: Config, client: int | None = 1, protocol: int = 1, **named: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"space": None, "method": None} | named
    device = Device(Named("digits"), client, asked["space"], asked["method"], silent)
    return device._introduced({"protocol": protocol, "clients": 4, "config": config.to_json()})


def test_a_client_says_what_it_has_or_why_it_cannot_take_part() -> None:
    found = introduced(CONFIG)
    assert found["examples"] == 288
    assert found["client"] == 1
    other = introduced(CONFIG, space=Named("fedsup", {"width_multiplier": 0.125, "num_classes": 7}))
    assert (other["space"], other["method"]) == (found["space"], found["method"])
    assert other["network"] != found["network"]
    assert "weights of other shapes over the same space" in differs("network", other["network"], found["network"])
    slower = introduced(CONFIG, method=Named("fedsup", {**CONFIG.method.options, "weights.lr": 0.2}))
    assert slower["network"] == found["network"]
    assert slower["method"] != found["method"]
    assert "which part is this client's" in introduced(CONFIG, client=None)["error"]
    assert "which part is this client's" in introduced(CONFIG, client=4)["error"]
    whole = replace(CONFIG, method=Named("fedsup", {"clients": None}))
    assert introduced(whole, client=None)["examples"] == 1150
    assert "version 1 of the protocol, and the server 2" in introduced(CONFIG, protocol=2)["error"]


def test_nothing_that_only_the_server_names_is_imported() -> None:
    for config in (
        replace(CONFIG, space=Named("os:getcwd")),
        replace(CONFIG, method=Named("fedsup", {"paths": "os:getcwd"})),
    ):
        assert "the server names 'os:getcwd'" in introduced(config)["error"]


@pytest.mark.skipif(find_spec("flwr") is not None, reason="flwr is there")
def test_without_flower_the_extra_is_named() -> None:
    with pytest.raises(RunError, match=r"pip install 'supernet\[federated\]'"):
        take_part("127.0.0.1:1", Named("digits"))


class Processes:
    def __init__(self, folder: Path) -> None:
        self.folder, self.all = folder, dict[str, subprocess.Popen[bytes]]()

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            made = subprocess.Popen([sys.executable, *command], stdout=log, stderr=log, env=environment)
        self.all[name] = made
        return made

    def said(self, name: str) -> str:
        return " ".join((self.folder / f"{name}.log").read_text().split())

    def until(self, name: str, text: str, seconds: float = 400) -> None:
        end = time.monotonic() + seconds
        while text not in self.said(name):
            assert time.monotonic() < end, f"{name} did not say {text!r}: {self.said(name)}"
            time.sleep(0.1)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    for process in made.all.values():
        process.kill()


@pytest.fixture
def address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def serve(out: Path, address: str, *more: str) -> list[str]:
    return [
        "-m",
        "supernet",
        "federated",
        "serve",
        "--out",
        str(out),
        "--address",
        address,
        "--wait",
        "90",
        "--patience",
        "1",
        *more,
    ]


def join(address: str, client: int, *more: str) -> list[str]:
    return [
        "-m",
        "supernet",
        "federated",
        "join",
        address,
        "--data",
        "digits",
        "--client",
        str(client),
        "--wait",
        "400",
        *more,
    ]


def net(run: Path) -> dict[str, torch.Tensor]:
    newest = latest(run / "checkpoints")
    assert newest is not None
    return {name: tensor for name, tensor in load(newest)[0].items() if name.startswith(("net/", "parts/"))}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@needs_flower
def test_processes_train_what_one_process_does_bitwise_also_after_a_kill(
    processes: Processes, address: str, tmp_path: Path
) -> None:
    """The server is killed in its second round; its clients wait for it, and another space is refused meanwhile.

    Both begin with the weights of a file.
    """
    first = zoo.fedsup(width_multiplier=0.125, in_channels=1, image_size=8)
    save_file(first.module.state_dict(), tmp_path / "first.safetensors")
    begin = [*RUN, "--init", str(tmp_path / "first.safetensors")]
    one = processes.start("one", "-m", "supernet", "train", "--out", str(tmp_path / "a"), *begin)
    server = processes.start("server", *serve(tmp_path / "b", address, *begin))
    processes.until("server", "waiting for 3 clients")
    processes.start("other", *join(address, 0, "--space", "mbconv"))
    for client in range(3):
        processes.start(f"client{client}", *join(address, client))
    processes.until("client0", "round 1 of")
    processes.until("client1", "round 2 of")
    server.send_signal(signal.SIGKILL)
    server.wait()
    resumed = processes.start("resumed", *serve(tmp_path / "b", address, "--resume"))
    assert resumed.wait(500) == 0, processes.said("resumed")
    assert [processes.all[f"client{client}"].wait(200) for client in range(3)] == [0, 0, 0]
    assert processes.all["other"].wait(200) == 2
    assert "it spans another space of architectures" in processes.said("other")
    assert one.wait(500) == 0
    assert "tensors were taken over" in processes.said("resumed")
    assert same(net(tmp_path / "a"), net(tmp_path / "b"))


@pytest.mark.slow
@needs_flower
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("nan", "holds numbers that are not finite"),
        ("shapes", "and the server's"),
        ("dies", "its connection ended"),
    ],
)
def test_a_client_that_fails_is_left_out_and_the_others_go_on(
    how: str, reason: str, processes: Processes, address: str, tmp_path: Path
) -> None:
    server = processes.start("server", *serve(tmp_path / "b", address, *RUN))
    processes.until("server", "waiting for 3 clients")
    for client in range(2):
        processes.start(f"client{client}", *join(address, client))
    processes.start("bad", "-c", JOIN, address, "2", how)
    assert server.wait(500) == 0, processes.said("server")
    said = processes.said("server")
    assert "What client/2 returned in round 0 is left out of the average" in said
    assert reason in said
    assert [processes.all[f"client{client}"].wait(200) for client in range(2)] == [0, 0]
    assert all(torch.isfinite(tensor.double()).all() for tensor in net(tmp_path / "b").values())
