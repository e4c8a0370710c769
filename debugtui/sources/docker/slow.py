"""The slow parts of an engine's reading: read in full reads only, kept until the next."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from debugtui.hosts.link import LinkError
from debugtui.model.clock import Clock
from debugtui.model.docker import DiskUse, DockerNetwork, Image, Volume
from debugtui.model.source import Gap, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import AnswerError, EngineClient, SlowAnswerError
from debugtui.sources.docker.stored import Info, Sizes, parse_images, parse_info, parse_networks, parse_sizes, parse_volumes

#: Seconds that the sizes may take: the engine walks through every volume.
SIZES_LIMIT = 10.0

#: Seconds that a full read waits for the sizes; later they come with the next read.
SIZES_PATIENCE = 3.0

#: The sizes are asked for again after this many times what they took, and at the earliest after `SIZES_REST` seconds: counting
#: them is hard work for the host.
SIZES_FACTOR = 100.0
SIZES_REST = 60.0

_FEATURES = {"info": "info", "images": "images/json", "volumes": "volumes", "networks": "networks"}
_SIZES = "disk use"

_Row = TypeVar("_Row", Image, Volume)


class SlowParts:
    """What is stored and how large it is; each part lives on when another cannot be read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._problems: dict[str, Problem] = {}
        self._sizes: Sizes | None = None
        self._sizes_rest_until = 0.0
        self._measuring: asyncio.Task[None] | None = None
        self._info = Info()
        self._networks: tuple[DockerNetwork, ...] = ()
        self._volumes: tuple[Volume, ...] = ()
        self._images: tuple[Image, ...] = ()

    async def read(self, client: EngineClient) -> None:
        """Read all parts.

        Raises:
            SourceError, LinkError: the engine, or the link, went away.
        """
        if self._measuring is None and self._clock.monotonic() >= self._sizes_rest_until:
            self._measuring = asyncio.create_task(self._measure(client), name="Docker disk use")
        async with asyncio.TaskGroup() as group:
            parts = {name: group.create_task(_attempt(client.get_json(path))) for name, path in _FEATURES.items()}
        for name, task in parts.items():
            answer = task.result()
            if isinstance(answer, AnswerError):
                self._problems[name] = Problem(f"the engine refuses: {answer.words}")
            elif isinstance(answer, (SourceError, LinkError)):
                raise answer
            else:
                self._problems.pop(name, None)
                self._take(name, answer)
        if self._measuring is not None:
            await asyncio.wait({self._measuring}, timeout=SIZES_PATIENCE)

    def _take(self, name: str, answer: Any) -> None:
        if name == "info":
            self._info = parse_info(answer)
        elif name == "images":
            self._images = parse_images(answer)
        elif name == "volumes":
            self._volumes = parse_volumes(answer)
        else:
            self._networks = parse_networks(answer)

    async def stop(self) -> None:
        """End what is under way. Safe to call twice."""
        task, self._measuring = self._measuring, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _measure(self, client: EngineClient) -> None:
        if self._sizes is None:
            self._problems.setdefault(_SIZES, Problem("the engine is still counting", "the next read may bring it"))
        started = self._clock.monotonic()
        try:
            self._sizes = parse_sizes(await client.get_json("system/df", timeout=SIZES_LIMIT))
            self._problems.pop(_SIZES, None)
        except AnswerError as error:
            self._problems[_SIZES] = Problem(f"the engine refuses: {error.words}")
        except SlowAnswerError:
            minutes = SIZES_LIMIT * SIZES_FACTOR / 60
            words = f"the engine did not count within {SIZES_LIMIT:g} s"
            self._problems[_SIZES] = Problem(words, f"asked again after {minutes:.0f} minutes")
        except (SourceError, LinkError) as error:
            self._problems[_SIZES] = error.problem
        finally:
            self._measuring = None
            ended = self._clock.monotonic()
            self._sizes_rest_until = ended + max(SIZES_REST, SIZES_FACTOR * (ended - started))

    # --- what was read -----------------------------------------------------------------------------------------------------

    @property
    def info(self) -> Info:
        """The engine and its host."""
        return self._info

    @property
    def networks(self) -> tuple[DockerNetwork, ...]:
        """All networks."""
        return self._networks

    @property
    def disk_use(self) -> DiskUse | None:
        """The sums, once they are known."""
        return self._sizes.use if self._sizes else None

    def images(self, users: Mapping[str, int]) -> tuple[Image, ...]:
        """Return all images; `users` counts the containers by image id."""
        self._images = tuple(_with(image, containers=users.get(image.id, 0)) for image in self._images)
        return self._images

    def volumes(self, users: Mapping[str, int]) -> tuple[Volume, ...]:
        """Return all volumes; `users` counts the containers by volume."""
        sizes = self._sizes.volumes if self._sizes else {}
        self._volumes = tuple(
            _with(volume, size_bytes=sizes.get(volume.name, (None, None))[0], users=users.get(volume.name, 0))
            for volume in self._volumes
        )
        return self._volumes

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read the last time it was tried."""
        return tuple(Gap(name, problem) for name, problem in self._problems.items())


def _with(row: _Row, **changes: Any) -> _Row:
    """Return the row with the changes; the same one where nothing changed, which is what almost always happens."""
    if all(getattr(row, name) == value for name, value in changes.items()):
        return row
    return dataclasses.replace(row, **changes)


async def _attempt(asking: Awaitable[Any]) -> Any:
    """Return the answer, or the error as a value."""
    try:
        return await asking
    except (AnswerError, SourceError, LinkError) as error:
        return error
