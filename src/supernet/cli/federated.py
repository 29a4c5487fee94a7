"""`supernet federated serve` and `join`: a supernet trained by devices that hold the images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from supernet.cli.asked import named
from supernet.cli.fields import ABOVE_0, NOTHING, at_least
from supernet.cli.opening import begun
from supernet.cli.options import (
    DEVICE,
    BuiltOptions,
    ConfigFile,
    JoinOptions,
    Out,
    Overwrite,
    Resume,
    SeedOptions,
    TrainOptions,
)
from supernet.cli.output import Json, Output
from supernet.io.config import Config


def federated_serve(
    *,
    out: Out = Path("runs/run"),
    address: Annotated[
        str, Parameter(group=DEVICE, help="Host and port to listen on; 0.0.0.0:8080 lets other machines join.")
    ] = "127.0.0.1:8080",
    clients: Annotated[
        int | None,
        at_least(1),
        Parameter(group=DEVICE, help="Number of clients; as many as the method divides images among by default."),
    ] = None,
    wait: Annotated[
        float, ABOVE_0, Parameter(group=DEVICE, help="Seconds for which clients are waited for at the start.")
    ] = 60.0,
    patience: Annotated[
        float,
        ABOVE_0,
        Parameter(group=DEVICE, help="Seconds for which those of a later round are waited for that are not there."),
    ] = 10.0,
    timeout: Annotated[
        float, ABOVE_0, Parameter(group=DEVICE, help="Seconds after which the work of a client is given up.")
    ] = 600.0,
    config: ConfigFile = None,
    built: BuiltOptions = NOTHING,
    seed: SeedOptions = NOTHING,
    training: TrainOptions = NOTHING,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train a supernet with clients that join over the network.

    Whoever reaches the address may join: listen on a network that you trust.

        supernet federated serve --out runs/a --space fedsup --method fedsup -M clients=none --clients 10

        supernet federated serve --out runs/a --resume
    """
    from supernet.io.lines import read_lines
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import federated
    from supernet.runs.run import Run

    output = Output(as_json)
    with RunDirectory(out).alone(output.say):
        settings = begun(config, out, resume=resume, built=built, seed=seed, train=training)
        job = Run.create(settings, out, overwrite=overwrite, resume=resume, say=output.say)
        federated.serve(job, address, clients=clients, wait=wait, patience=patience, timeout=timeout, resume=resume)
    rows = read_lines(job.directory.log, dict[str, Any]).rows
    output.result({"run": out, "log": rows[-1] if rows else {}}, f"trained: {out}")


def federated_join(
    address: Annotated[str, Parameter(help="Host and port of the server.")],
    /,
    *,
    client: Annotated[
        int | None,
        at_least(0),
        Parameter(group=DEVICE, help="Number of this client, from 0; the server gives one by default."),
    ] = None,
    wait: Annotated[
        float, ABOVE_0, Parameter(group=DEVICE, help="Seconds for which a server that does not answer is tried again.")
    ] = 60.0,
    built: JoinOptions = NOTHING,
    as_json: Json = False,
) -> None:
    """Take part in a training with the images of this machine, until it ends.

    Space, method and task are the server's; space and method may be named here where it cannot say them.

        supernet federated join server.local:8080 --data photographs/ -D size=64
    """
    from supernet.runs import federated

    output = Output(as_json)
    federated.join(
        address,
        named(built, "data") or Config().data,
        client=client,
        space=named(built, "space"),
        method=named(built, "method"),
        wait=wait,
        say=output.say,
    )
    output.result({"address": address}, f"took part: {address}")
