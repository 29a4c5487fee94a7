"""The server of a federation: who its clients are, and how they are asked for work."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from supernet.errors import RunError
from supernet.runs.federation.agreement import PROTOCOL, differs, facts
from supernet.runs.federation.transport import packed, unpacked
from supernet.runs.run import Run
from supernet.train.federation.federated_average import Tensors
from supernet.train.programs._remote_rounds import Answer, Order

_POLL_SECONDS = 0.1


class Server:
    """What Flower calls a server: it runs the training, and says goodbye to the clients."""

    def __init__(self, work: Callable[[], None], devices: Devices) -> None:
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


class Devices:
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
        self._expected = facts(run.recipe, run.net)

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
            "protocol": PROTOCOL,
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
                return differs(key, told.get(key), expected)
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
        weights = ndarrays_to_parameters([packed(server)])
        with ThreadPoolExecutor(max(1, len(asked))) as pool:
            for order, answer in zip(asked, pool.map(lambda order: self._visit(order, weights), asked), strict=True):
                found[order.client] = answer
        return found

    def _visit(self, order: Order, weights: Any) -> Answer | str:
        from flwr.common import FitIns, parameters_to_ndarrays

        proxy = self._known[order.client][0]
        asked = FitIns(weights, {"order": json.dumps(order._asdict())})
        try:
            given = proxy.fit(asked, self.timeout, order.round)
        except Exception as error:  # Flower has no class of its own for all of them
            return f"its connection ended, or it took more than {self.timeout:g} seconds ({type(error).__name__})"
        if reason := given.metrics.get("reason"):
            return str(reason)
        try:
            told = json.loads(str(given.metrics["answer"]))
            passed = {key: int(told["passed"][key]) for key in ("forward", "backward", "drawn")}
            tensors = unpacked(parameters_to_ndarrays(given.parameters)[0])
            return Answer(tensors, told["trained"], int(told["drawn"]), float(told["loss"]), passed)
        except Exception as error:  # whatever it has sent
            return f"its answer is none ({type(error).__name__}: {error})"
