"""A client of a federation: it builds what the server names, and trains when it is asked to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from supernet.data import Data
from supernet.errors import SupernetError
from supernet.io.config import Config, Named
from supernet.nn import Supernet
from supernet.runs.federation.agreement import PROTOCOL, facts, foreign_names
from supernet.runs.federation.transport import packed, unpacked
from supernet.runs.naming import build_data, build_method, build_net
from supernet.runs.run import Say
from supernet.train import Recipe
from supernet.train.programs._remote_rounds import Order, visit


class Device:
    """A client: it builds what the server names, and trains when it is asked to."""

    def __init__(
        self,
        data: Named,
        client: int | None,
        space: Named | None,
        method: Named | None,
        say: Say,
    ) -> None:
        self.asked, self.client, self.space, self.method, self.say = data, client, space, method, say
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
            if hello["protocol"] != PROTOCOL:
                return {"error": f"it speaks version {PROTOCOL} of the protocol, and the server {hello['protocol']}"}
            config = Config.from_json(hello["config"])
            for named, own in ((config.space, self.space), (config.method, self.method)):
                if own is None and (foreign := next(foreign_names([named.name, named.options]), None)):
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
            known = facts(self.recipe, self.net)
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
            server = unpacked(tensors[0])
            answer = visit(self.net, self.recipe, self.data, order, server)
        except SupernetError as error:
            self.say(f"warning: {error}")
            return [], 0, {"reason": str(error)}
        self.say(f"round {order.round + 1} of {order.rounds}: loss {answer.loss:.3f}")
        told = {"trained": answer.trained, "drawn": answer.drawn, "loss": answer.loss, "passed": answer.passed}
        return [packed(answer.tensors)], len(self.data.train), {"answer": json.dumps(told)}
