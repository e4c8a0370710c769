"""The shop's queue: a list in a real Redis, from which the worker takes."""

from __future__ import annotations

from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.scenarios.lab.programs import Program, lasting_port, program, until

#: The list that is the queue.
NAME = "shop:jobs"


class Queue(Program):
    """One Redis on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = lasting_port()
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder), "--save", ""]
        super().__init__([program("redis-server", "redis-server"), *options], folder / "redis.log", self._answers)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def length(self) -> int:
        with Redis.from_url(self.url) as client:
            return int(client.llen(NAME))

    def push(self, count: int) -> None:
        """Give the worker so much to do."""
        with Redis.from_url(self.url) as client:
            client.rpush(NAME, *(f"job {number}" for number in range(count)))

    def empty(self) -> None:
        with Redis.from_url(self.url) as client:
            client.delete(NAME)

    def assert_healthy(self) -> None:
        """Fail where it does not answer, or nobody takes from it."""
        until(lambda: self.length() == 0, 15, lambda: f"the queue to be empty: {self.length()} wait")
