"""Train a run together with devices that hold the images: a server and its clients, over Flower."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from supernet import catalog
from supernet.data import Data
from supernet.errors import RunError, SupernetError, UsageError, require
from supernet.io.config import Config, Named
from supernet.nn import Supernet
from supernet.runs.naming import build_data, build_method, build_net
from supernet.runs.run import Run, Say, silent
from supernet.runs.train import _monitors
from supernet.train import Recipe, fit
from supernet.train.federation.federated_average import Tensors
from supernet.train.programs._remote_rounds import Answer, Order, digest, of_server, rounds_of, visit

_PROTOCOL = 1
_POLL_SECONDS = 0.1
_SAVED_EVERY = 10  # steps, all but one of a round's being over at once: a round that has come in is soon on disk
_PURPOSE = "A federation of devices"


def serve(
    run: Run,
    address: str,
    *,
    clients: int | None = None,
    wait: float = 60.0,
    patience: float = 10.0,
    timeout: float = 600.0,
    resume: bool = False,
) -> Run:
    """Train the supernet of a run with clients that join over the network.

    Rounds, local work and average are those of the method in one process, and so are the results, to the last bit on
    machines that compute alike. A client that does not answer, or with what is no model, is left out of its round; it
    may join again.

    Args:
        run: The run that is trained.
        address: Host and port to listen on, such as `0.0.0.0:8080`.
        clients: How many there are; None: as many as the method divides the images among.
        wait: Seconds for which clients are waited for when the server has been started.
        patience: Seconds for which those of a later round are waited for that are not connected at its beginning.
        timeout: Seconds after which the work of a client is given up.
        resume: Whether to go on where a killed or interrupted training stopped.

    Returns:
        The run with the trained network.

    Raises:
        UsageError: the method has no clients that could be elsewhere, or as `supernet.train.fit`.
        RunError: clients do not come, Flower is not installed or cannot listen there, or as `supernet.train.fit`.
    """
    _quiet()
    from flwr.server import ServerConfig, start_server

    settings = run.config.train
    asked = (settings.devices != 1, settings.strategy != "auto", settings.micro_batch, settings.average)
    if any(asked):
        raise UsageError(
            "A server trains nothing itself: leave --devices, --strategy, --micro-batch and --average out."
        )
    rounds_of(run.recipe)
    clients = _clients_of(run.recipe) if clients is None else clients
    devices = _Devices(run, clients, wait=wait, patience=patience, timeout=timeout)
    recipe = of_server(run.recipe, clients, devices)
    kept: dict[str, Any] = {}

    def work() -> None:
        trained = fit(
            run.fresh,
            recipe,
            run.data.sealed(),
            steps=settings.steps,
            batch_size=settings.batch_size,
            seed=run.config.seed,
            out=run.directory,
            resume=resume,
            accelerator=settings.accelerator,
            precision=settings.precision,
            monitors=_monitors(run),
            checkpoint_every=_SAVED_EVERY,
        )
        kept["net"] = trained.net

    server = _Server(work, devices)
    run.say(f"waiting for {clients} clients at {address}: supernet federated join {address} --data …")
    try:
        start_server(server_address=address, server=server, config=ServerConfig(num_rounds=1))
    except SystemExit as error:
        raise UsageError(f"{address} is no address to listen on; give host:port, such as 0.0.0.0:8080.") from error
    except RuntimeError as error:
        if isinstance(error, SupernetError):
            raise
        raise RunError(f"Nothing can listen at {address}: {error}. Choose another port.") from error
    if server.failure is not None:
        raise server.failure
    return run.holding(kept["net"])


def join(
    address: str,
    data: Named,
    *,
    client: int | None = None,
    space: Named | None = None,
    method: Named | None = None,
    wait: float = 60.0,
    say: Say = silent,
    alter: Callable[[Answer], Answer] | None = None,
) -> None:
    """Take part in a training, as one of its clients, until it ends.

    Network and method are built by what the server says of them, by names of the catalogue alone; nothing that the
    server sends is run. Images stay here.

    Args:
        address: Host and port of the server.
        data: How to load the images. Where the method divides them among clients, as in a simulation, this client
            takes its part; else, with `-M clients=none` at the server, all training images are its own.
        client: Its number, from 0; None: the server gives it the next.
        space: What builds the network in place of what the server says.
        method: What makes the method in place of what the server says.
        wait: Seconds for which a server that does not answer is tried again.
        say: A function that is called with each sentence about the progress.
        alter: Changes what is returned, for tests.

    Raises:
        UsageError: the server refuses this client; says why.
        RunError: the server cannot be reached, or Flower is not installed.
    """
    _quiet()
    import grpc
    from flwr.client import start_client

    device = _Device(data, client, space, method, say, alter)
    until = time.monotonic() + wait
    while True:
        try:
            start_client(server_address=address, client=device.flower())
        except (grpc.RpcError, StopIteration, OSError) as error:
            if device.refused is not None:
                raise UsageError(device.refused) from error
            if device.seen:  # the server had answered: it may come back
                device.seen, until = False, time.monotonic() + wait
            if time.monotonic() > until:
                raise RunError(
                    f"The server at {address} does not answer. Start it (supernet federated serve), or look at the "
                    "address; joined again, a client goes on where the server stands."
                ) from error
            time.sleep(min(1.0, wait / 10))
            continue
        if device.refused is not None:
            raise UsageError(device.refused)
        if not device.seen:
            raise RunError(f"The server at {address} closed the connection before it said what is trained.")
        say("the training has ended")
        return


class _Server:
    """What Flower calls a server: it runs the training, and says goodbye to the clients."""

    def __init__(self, work: Callable[[], None], devices: _Devices) -> None:
        self.work, self.devices = work, devices
        self.failure: BaseException | None = None

    def client_manager(self) -> Any:
        return self.devices.manager

    def fit(self, num_rounds: int, timeout: float | None) -> tuple[Any, float]:
        from flwr.server import History

        began = time.monotonic()
        self.devices.open()
        try:
            self.work()
        except BaseException as error:  # raised anew once the connections are closed
            self.failure = error
        finally:
            self.devices.close()
        return History(), time.monotonic() - began

    def disconnect_all_clients(self, timeout: float | None) -> None:
        for proxy in list(self.devices.manager.all().values()):
            self.devices.dismiss(proxy)


class _Devices:
    """The clients of a server, by number, as they come and go."""

    def __init__(self, run: Run, clients: int, *, wait: float, patience: float, timeout: float) -> None:
        from flwr.server import SimpleClientManager

        self.run, self.clients, self.wait, self.timeout = run, clients, wait, timeout
        self.patience = patience
        self.manager = SimpleClientManager()
        self._known: dict[int, tuple[Any, int]] = {}  # proxy and number of examples
        self._met: set[str] = set()
        self._coming: set[int] = set()  # numbers that are given, to clients that have not been told yet
        self._lock, self._open = threading.Lock(), False
        self._expected = facts(run.recipe, run.net, clients)

    # -- who is there ----------------------------------------------------------------------------------------

    def open(self) -> None:
        self._open = True
        threading.Thread(target=self._meet, daemon=True).start()

    def close(self) -> None:
        self._open = False

    def _meet(self) -> None:
        """Ask every new connection who it is."""
        while self._open:
            for cid, proxy in list(self.manager.all().items()):
                if cid not in self._met:
                    self._met.add(cid)
                    threading.Thread(target=self._greet, args=(proxy,), daemon=True).start()
            time.sleep(_POLL_SECONDS)

    def _greet(self, proxy: Any) -> None:
        hello = {
            "protocol": _PROTOCOL,
            "clients": self.clients,
            "config": self.run.config.to_json(),
        }
        number = -1
        try:
            told = json.loads(self._ask(proxy, {"hello": json.dumps(hello)})["told"])
            with self._lock:
                reason = self._refusal(told)
                if reason is None:
                    number = self._free() if told.get("client") is None else int(told["client"])
                    self._coming.add(number)
            if reason is not None:
                self.run.say(f"a client is refused: {reason}")
                self._ask(proxy, {"refused": reason})
                self.dismiss(proxy)
                return
            self._ask(proxy, {"client": str(number)})
            self._known[number] = (proxy, int(told["examples"]))  # from now on it may be asked for work
            self.run.say(f"client/{number} has joined with {told['examples']} examples")
        except Exception as error:  # of a connection that ends, or of what is no answer
            self.run.say(f"a client left before it had said who it is ({type(error).__name__})")
            self.dismiss(proxy)
        finally:
            self._coming.discard(number)

    def _ask(self, proxy: Any, config: Mapping[str, str]) -> Mapping[str, Any]:
        from flwr.common import GetPropertiesIns

        answer: Mapping[str, Any] = proxy.get_properties(GetPropertiesIns(dict(config)), self.timeout, 0).properties
        return answer

    def dismiss(self, proxy: Any) -> None:
        from flwr.common import ReconnectIns

        with suppress(Exception):  # it may have gone
            proxy.reconnect(ReconnectIns(seconds=None), 5.0, 0)
        self.manager.unregister(proxy)

    def _refusal(self, told: Mapping[str, Any]) -> str | None:
        """Why a client cannot take part."""
        if told.get("error"):
            return str(told["error"])
        for key, expected in self._expected.items():
            if told.get(key) != expected:
                return _differs(key, told.get(key), expected)
        number = told.get("client")
        if number is None:
            return None if self._free() >= 0 else f"all {self.clients} clients are there already"
        if not 0 <= int(number) < self.clients:
            return f"it says that it is client {number}, and there are {self.clients}, from 0"
        if self._taken(int(number)):
            return f"client {number} is there already; give another number, or none"
        if not int(told["examples"]) >= 1:
            return f"client {number} has no training examples"
        return None

    def _present(self, number: int) -> bool:
        return number in self._known and self._known[number][0].cid in self.manager.all()

    def _taken(self, number: int) -> bool:
        return number in self._coming or self._present(number)

    def _free(self) -> int:
        """The first number that nobody has; -1: there is none."""
        return next((number for number in range(self.clients) if not self._taken(number)), -1)

    def _await(self, numbers: Sequence[int]) -> list[int]:
        """Wait for clients; those that have not come."""
        until = time.monotonic() + self.wait
        while missing := [number for number in numbers if not self._present(number)]:
            if time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
        return missing

    # -- Peers -----------------------------------------------------------------------------------------------

    def examples(self, clients: int) -> Sequence[int]:
        if missing := self._await(range(clients)):
            raise RunError(
                f"{clients} clients were waited for during {self.wait:g} seconds, and {len(missing)} have not come: "
                f"{', '.join(map(str, missing[:10]))}. Start them, give the server more time (--wait) or fewer "
                "clients (--clients), and start it again."
            )
        return [self._known[number][1] for number in range(clients)]

    def visit(self, orders: Sequence[Order], server: Tensors) -> Mapping[int, Answer | str]:
        from flwr.common import ndarrays_to_parameters

        missing, waited = self._await([order.client for order in orders]), self.wait
        self.wait = self.patience
        found: dict[int, Answer | str] = dict.fromkeys(missing, f"it is not connected, after {waited:g} seconds")
        asked = [order for order in orders if order.client not in found]
        packed = ndarrays_to_parameters([_packed(server)])
        with ThreadPoolExecutor(max(1, len(asked))) as pool:
            for order, answer in zip(asked, pool.map(lambda order: self._visit(order, packed), asked), strict=True):
                found[order.client] = answer
        return found

    def _visit(self, order: Order, packed: Any) -> Answer | str:
        from flwr.common import FitIns, parameters_to_ndarrays

        proxy = self._known[order.client][0]
        asked = FitIns(packed, {"order": json.dumps(order._asdict())})
        try:
            given = proxy.fit(asked, self.timeout, order.round)
        except Exception as error:  # Flower has no class of its own for all of them
            return f"its connection ended, or it took more than {self.timeout:g} seconds ({type(error).__name__})"
        if reason := given.metrics.get("reason"):
            return str(reason)
        try:
            told = json.loads(str(given.metrics["answer"]))
            passed = {key: int(told["passed"][key]) for key in ("forward", "backward", "drawn")}
            tensors = _unpacked(parameters_to_ndarrays(given.parameters)[0])
            return Answer(tensors, told["trained"], int(told["drawn"]), float(told["loss"]), passed)
        except Exception as error:  # whatever it has sent
            return f"its answer is none ({type(error).__name__}: {error})"


class _Device:
    """A client: it builds what the server names, and trains when it is asked to."""

    def __init__(
        self,
        data: Named,
        client: int | None,
        space: Named | None,
        method: Named | None,
        say: Say,
        alter: Callable[[Answer], Answer] | None,
    ) -> None:
        self.asked, self.client, self.space, self.method, self.say = data, client, space, method, say
        self.alter: Callable[[Answer], Answer] = (lambda answer: answer) if alter is None else alter
        self.refused: str | None = None
        self.seen = False
        self.net: Supernet | None = None
        self.recipe: Recipe | None = None
        self.data: Data | None = None

    def flower(self) -> Any:
        """What Flower calls a client."""
        from flwr.client import NumPyClient

        own = {
            "get_properties": lambda _, config: self.told(config),
            "fit": lambda _, tensors, config: self.fit(tensors, config),
        }
        return type("Device", (NumPyClient,), own)().to_client()

    def told(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Hear what is trained, which number this client has, or why it is refused."""
        if "refused" in config:
            self.refused = f"The server refuses this client: {config['refused']}."
        elif "client" in config:
            self.client, self.seen = int(config["client"]), True
            self.say(f"joined as client/{self.client}")
        else:
            return {"told": json.dumps(self._introduced(json.loads(config["hello"])))}
        return {}

    def _introduced(self, hello: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if hello["protocol"] != _PROTOCOL:
                return {"error": f"it speaks version {_PROTOCOL} of the protocol, and the server {hello['protocol']}"}
            config = Config.from_json(hello["config"])
            for named, own in ((config.space, self.space), (config.method, self.method)):
                if own is None and (foreign := next(_foreign([named.name, named.options]), None)):
                    return {
                        "error": f"the server names {foreign!r}, which is not in the catalogue; a client that has "
                        "it names it itself (--space, --method)"
                    }
            config = replace(
                config, data=self.asked, space=self.space or config.space, method=self.method or config.method
            )
            self.recipe = build_method(config.method.name, config.method.options)
            data = build_data(config)
            self.net = build_net(config, data)
            divided = data if self.recipe.data is None else self.recipe.data(data)
            split = f"client/{self.client}"
            if self.recipe.data is not None and split not in divided.more:
                return {
                    "error": "the method divides the images among clients; say which part is this client's "
                    f"(--client, from 0), or give the server -M clients=none; got {self.client}"
                }
            images: Any = divided.more.get(split, data.train)
            images = getattr(images, "split", images)
            self.data = replace(data, train=images)
            known = facts(self.recipe, self.net, hello["clients"])
            return {"client": self.client, "examples": len(images), **known}
        except SupernetError as error:
            return {"error": str(error).rstrip(".")}

    def fit(self, tensors: Sequence[Any], config: Mapping[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
        """Train what is asked for; a sentence in place of weights where that fails."""
        assert self.net is not None
        assert self.recipe is not None
        assert self.data is not None
        try:
            order = Order(**json.loads(config["order"]))
            server = _unpacked(tensors[0])
            answer = self.alter(visit(self.net, self.recipe, self.data, order, server))
        except SupernetError as error:
            self.say(f"warning: {error}")
            return [], 0, {"reason": str(error)}
        self.say(f"round {order.round + 1} of {order.rounds}: loss {answer.loss:.3f}")
        told = {"trained": answer.trained, "drawn": answer.drawn, "loss": answer.loss, "passed": answer.passed}
        return [_packed(answer.tensors)], len(self.data.train), {"answer": json.dumps(told)}


def facts(recipe: Recipe, net: Supernet, clients: int) -> dict[str, str]:
    """What server and client must agree on."""

    def short(value: Any) -> str:
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

    described = recipe.on(net.space).describe()
    return {"space": net.space.fingerprint, "network": short(digest(net)), "method": short({**described, "data": None})}


def _differs(key: str, found: Any, expected: str) -> str:
    what = {
        "space": "it spans another space of architectures",
        "network": "its network has weights of other shapes over the same space",
        "method": "its method or its settings are others",
    }[key]
    return f"{what} (fingerprint {str(found)[:16]}, and the server's {expected[:16]}); build it by the server's options"


def _foreign(value: Any) -> Any:
    """The names in settings that are `module:name` of somebody's own."""
    if isinstance(value, str):
        if catalog.is_own(value):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _foreign(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _foreign(item)


def _clients_of(recipe: Recipe) -> int:
    divide: Any = getattr(recipe.data, "divide", None)
    count = getattr(divide, "clients", None) or len(getattr(divide, "lists", ()))
    if not count:
        raise UsageError(f"{recipe.name} does not say how many clients there are. Give --clients.")
    return int(count)


def _packed(tensors: Tensors) -> Any:
    """Tensors as an array of the bytes of a safetensors file: Flower sends arrays, and nothing is pickled."""
    import numpy as np
    import safetensors.torch

    raw = safetensors.torch.save({name: tensor.contiguous().clone() for name, tensor in tensors.items()})
    return np.frombuffer(raw, dtype=np.uint8)


def _unpacked(packed: Any) -> dict[str, Any]:
    import safetensors.torch

    found: dict[str, Any] = safetensors.torch.load(packed.tobytes())
    return found


def _quiet() -> None:
    """Flower without its telemetry and its log, which says of this interface in every line that it is deprecated."""
    require("flwr", "federated", _PURPOSE)
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    import flwr  # noqa: F401 - it sets its log up

    usual = threading.excepthook

    def told(args: threading.ExceptHookArgs) -> None:
        if "Channel closed" not in str(args.exc_value):  # a thread of gRPC, of every connection that has ended
            usual(args)

    threading.excepthook = told
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
