"""A network that breaks as the tests say at each moment: how much passes, each way by itself."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# With no time to linger a close is a reset, as where a network changes.
RESET = struct.pack("ii", 1, 0)


@dataclass
class Network:
    """Where phones connect to. `mean_bytes` is how much passes between cuts, on average: in each
    direction, and at any moment another number; `math.inf` cuts nothing."""

    target: int
    mean_bytes: dict[str, float]
    chance: random.Random
    port: int = 0
    cuts: dict[str, int] = field(default_factory=lambda: {"up": 0, "down": 0})

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            close(writer, reset=True)
            return
        direction = self.chance.choice(("up", "down"))
        reset = self.chance.random() < 0.5
        ways = [
            asyncio.ensure_future(self.pass_on("up", reader, there[1], direction)),
            asyncio.ensure_future(self.pass_on("down", there[0], writer, direction)),
        ]
        try:
            done, others = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The network itself ends, and what is connected with it.
            done, others = set(), set(ways)
        was_cut = any(one.exception() is None and one.result() for one in done)
        for one in others:
            one.cancel()
        for end in (writer, there[1]):
            close(end, reset=was_cut and reset)

    async def pass_on(
        self,
        direction: str,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        cut: str,
    ) -> bool:
        """Pass bytes on until there are no more; whether the connection was cut before that."""
        with suppress(OSError):
            while piece := await source.read(65536):
                if direction == cut:
                    # Where the next cut falls does not depend on what has passed before.
                    whole = self.mean_bytes[direction] * self.chance.expovariate(1.0)
                    if len(piece) > whole:
                        target.write(piece[: int(whole)])
                        await target.drain()
                        self.cuts[direction] += 1
                        return True
                target.write(piece)
                await target.drain()
        return False


def close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    with suppress(OSError):
        if reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.close()


@contextmanager
def network(target: int, *, mean_bytes: float, chance: random.Random) -> Iterator[Network]:
    """The proxy in a thread of its own, while the block lasts."""
    means = {"up": mean_bytes, "down": mean_bytes}
    made, ready = Network(target, means, chance), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(made.take, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for one in rest:
            one.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
