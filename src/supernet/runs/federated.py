"""Train a run together with devices that hold the images: a server and its clients, over Flower."""

from __future__ import annotations

import time
from typing import Any

from supernet.errors import RunError, SupernetError, UsageError
from supernet.io.config import Named
from supernet.runs.federation.client import Device
from supernet.runs.federation.server import Devices, Server
from supernet.runs.federation.transport import quiet
from supernet.runs.fitting import fitted
from supernet.runs.run import Run, Say, silent
from supernet.train import Recipe
from supernet.train.programs._remote_rounds import of_server, rounds_of

_SAVED_EVERY = 10  # steps, all but one of a round's being over at once: a round that has come in is soon on disk


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
    quiet()
    from flwr.server import ServerConfig, start_server

    settings = run.config.train
    asked = (settings.devices != 1, settings.strategy != "auto", settings.micro_batch, settings.average)
    if any(asked):
        raise UsageError(
            "A server trains nothing itself: leave --devices, --strategy, --micro-batch and --average out."
        )
    rounds_of(run.recipe)
    clients = _clients_of(run.recipe) if clients is None else clients
    devices = Devices(run, clients, wait=wait, patience=patience, timeout=timeout)
    recipe = of_server(run.recipe, clients, devices)
    kept: dict[str, Any] = {}

    def work() -> None:
        kept["net"] = fitted(run, recipe, resume=resume, checkpoint_every=settings.checkpoint_every or _SAVED_EVERY).net

    server = Server(work, devices)
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

    Raises:
        UsageError: the server refuses this client; says why.
        RunError: the server cannot be reached, or Flower is not installed.
    """
    quiet()
    import grpc
    from flwr.client import start_client

    device = Device(data, client, space, method, say)
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


def _clients_of(recipe: Recipe) -> int:
    divide: Any = getattr(recipe.data, "divide", None)
    count = getattr(divide, "clients", None) or len(getattr(divide, "lists", ()))
    if not count:
        raise UsageError(f"{recipe.name} does not say how many clients there are. Give --clients.")
    return int(count)
