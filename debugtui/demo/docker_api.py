"""The simulated engine's HTTP API on a UNIX socket: what aiodocker, and the docker command, need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from debugtui.demo import docker_about as about
from debugtui.demo import docker_views as views
from debugtui.demo.docker_container import SimContainer
from debugtui.demo.docker_engine import API_VERSION, VERSION, SimEngine, json_line, labels
from debugtui.demo.docker_streams import event_lines, has_label, log_frames, read_filters, truth

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS = {
    "Api-Version": API_VERSION,
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Docker/{VERSION} (linux)",
}


class NoSuchContainerError(Exception):
    """A request names a container that is not there."""


def _answer(value: object, status: int = 200) -> web.Response:
    # The docker command wants the content type without a charset, else it shows an error's JSON instead of its message.
    return web.Response(body=json_line(value), status=status, content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    return _answer({"message": message}, status)


@web.middleware
async def _manners(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NoSuchContainerError as error:
        return _error(404, str(error))
    except web.HTTPNotFound:
        return _error(404, "page not found")
    except web.HTTPMethodNotAllowed:
        return _error(405, "method not allowed")
    except ValueError as error:
        return _error(400, f"invalid parameter: {error}")


async def _sign(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


class DockerApi:
    """Serves one engine. `start` listens, `stop` ends every stream and the engine's clock."""

    def __init__(self, engine: SimEngine, path: Path) -> None:
        self.engine, self._path = engine, path
        self._runner: web.AppRunner | None = None
        self._clockwork: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen on the socket."""
        app = web.Application(middlewares=[_manners])
        app.on_response_prepare.append(_sign)
        for prefix in ("", r"/v{version:\d+\.\d+}"):
            self._routes(app, prefix)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()
        self._clockwork = asyncio.create_task(self.engine.run(), name=f"engine of {self.engine.host.name}")

    async def stop(self) -> None:
        """Stop listening."""
        if self._clockwork is not None:
            self._clockwork.cancel()
            await asyncio.gather(self._clockwork, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def _routes(self, app: web.Application, prefix: str) -> None:
        gets = {
            "/_ping": self._ping,
            "/version": self._version,
            "/info": self._info,
            "/events": self._events,
            "/containers/json": self._list,
            "/containers/{id}/json": self._inspect,
            "/containers/{id}/stats": self._stats,
            "/containers/{id}/logs": self._logs,
            "/containers/{id}/top": self._top,
            "/images/json": self._images,
            "/networks": self._networks,
            "/volumes": self._volumes,
            "/system/df": self._disk_use,
        }
        for path, handler in gets.items():
            app.router.add_get(prefix + path, handler)
        posts = dict.fromkeys(("start", "stop", "restart", "kill", "pause", "unpause"), self._act)
        for word, action in (posts | {"rename": self._rename, "update": self._update}).items():
            app.router.add_post(f"{prefix}/containers/{{id}}/{word}", action)
        app.router.add_post(f"{prefix}/containers/create", self._create)
        app.router.add_delete(f"{prefix}/containers/{{id}}", self._remove)
        app.router.add_get(f"{prefix}/images/{{name:.+}}/json", self._image)

    # Reading

    async def _ping(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="OK", headers={"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"})

    async def _version(self, _: web.Request) -> web.StreamResponse:
        return _answer(about.version())

    async def _info(self, _: web.Request) -> web.StreamResponse:
        return _answer(about.info(self.engine, self.engine.clock()))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.engine.tick()
        now = self.engine.clock()
        filters = read_filters(request.query.get("filters"))
        everything = truth(request.query.get("all")) or "status" in filters
        found = [
            views.summary(container, now)
            for container in self.engine.containers.values()
            if (everything or container.state in ("running", "paused", "restarting")) and _fits(container, filters)
        ]
        limit = request.query.get("limit", "")
        return _answer(found[: int(limit)] if limit.isdigit() and int(limit) else found)

    def _container(self, request: web.Request) -> SimContainer:
        reference = request.match_info["id"]
        container = self.engine.find(reference)
        if container is None:
            raise NoSuchContainerError(f"No such container: {reference}")
        return container

    async def _inspect(self, request: web.Request) -> web.StreamResponse:
        self.engine.tick()
        return _answer(views.inspect(self._container(request)))

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        once = not truth(request.query.get("stream", "1"))
        self.engine.tick()
        if once and truth(request.query.get("one-shot")):
            return _answer(views.stats(self.engine, container, self.engine.clock(), None))
        samples = self._samples(container)
        if once:
            await anext(samples)
            return _answer(await anext(samples))
        return await _stream(request, "application/json", _lines(samples))

    async def _samples(self, container: SimContainer) -> AsyncIterator[dict[str, Any]]:
        before: tuple[float, float] | None = None
        while True:
            self.engine.tick()
            now = self.engine.clock()
            yield views.stats(self.engine, container, now, before)
            before = (now, container.cpu_s)
            await asyncio.sleep(1)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        if not (truth(request.query.get("stdout")) or truth(request.query.get("stderr"))):
            return _error(400, "Bad parameters: you must choose at least one stream")
        self.engine.tick()
        kind = "application/vnd.docker.multiplexed-stream"
        return await _stream(request, kind, log_frames(self.engine, container, request.query))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, "application/json", event_lines(self.engine, request.query))

    async def _top(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        if not container.running:
            return _error(409, f"container {container.id} is not running")
        titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        rows = [
            [
                "root",
                str(container.pid + n),
                str(container.pid if n else 1),
                "0",
                "09:12",
                "?",
                "00:00:07",
                container.part.command,
            ]
            for n in range(container.pids())
        ]
        return _answer({"Titles": titles, "Processes": rows})

    async def _images(self, _: web.Request) -> web.StreamResponse:
        return _answer(list(self.engine.images()))

    async def _image(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        for image in self.engine.images():
            if name in (image["Id"], image["Id"].removeprefix("sha256:"), *image["RepoTags"], *image["RepoDigests"]):
                return _answer({**image, "Config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "WorkingDir": "/app"}})
        return _error(404, f"No such image: {name}")

    async def _networks(self, _: web.Request) -> web.StreamResponse:
        return _answer(list(self.engine.networks()))

    async def _volumes(self, _: web.Request) -> web.StreamResponse:
        return _answer({"Volumes": list(self.engine.volumes()), "Warnings": None})

    async def _disk_use(self, _: web.Request) -> web.StreamResponse:
        return _answer(about.disk_use(self.engine, self.engine.clock()))

    # Changing

    async def _act(self, request: web.Request) -> web.StreamResponse:
        container, now = self._container(request), self.engine.clock()
        word = request.path.rpartition("/")[2]
        if word in ("pause", "unpause"):
            done = container.pause(word == "pause")
            says = (
                "is already paused"
                if container.state == "paused"
                else "is not paused"
                if container.running
                else "is not running"
            )
            return web.Response(status=204) if done else _error(409, f"Container {container.id} {says}")
        if word == "kill":
            if not container.running:
                return _error(409, f"Cannot kill container: {container.id}: is not running")
            container.stop(now, signal=9)
            return web.Response(status=204)
        action = {"start": container.start, "stop": container.stop, "restart": container.restart}[word]
        return web.Response(status=204 if action(now) else 304)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        if not isinstance(wanted, dict) or not request.query.get("name"):
            return _error(400, "a name and an object are expected")
        if not any(wanted.get("Image") in (image["Id"], *image["RepoTags"]) for image in self.engine.images()):
            return _error(404, f"No such image: {wanted.get('Image')}")
        try:
            made = self.engine.create(request.query["name"], wanted)
        except ValueError as error:
            return _error(409, str(error))
        return _answer({"Id": made.id, "Warnings": []}, 201)

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        if container.state in ("running", "paused", "restarting"):
            if not truth(request.query.get("force")):
                return _error(409, f"cannot remove container {container.id}: container is running: stop it or force")
            container.stop(self.engine.clock(), signal=9)
        self.engine.remove(container)
        return web.Response(status=204)

    async def _rename(self, request: web.Request) -> web.StreamResponse:
        container, name = self._container(request), request.query.get("name", "").lstrip("/")
        if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            return _error(400, f"Invalid container name ({name})")
        if self.engine.find(name) not in (None, container):
            return _error(409, f'Conflict. The container name "/{name}" is already in use')
        container.name = name
        self.engine.tell(
            "container", "rename", container.id, {"image": container.part.image, "name": name, **labels(container)}
        )
        return web.Response(status=204)

    async def _update(self, request: web.Request) -> web.StreamResponse:
        container, wanted = self._container(request), await request.json()
        if not isinstance(wanted, dict):
            return _error(400, "an object is expected")
        if memory := int(wanted.get("Memory") or 0):
            if memory < 6 << 20:
                return _error(400, "Minimum memory limit allowed is 6MB")
            container.memory_limit = memory
        container.nano_cpus = int(wanted.get("NanoCpus") or container.nano_cpus)
        policy = wanted.get("RestartPolicy") or {}
        if name := str(policy.get("Name") or ""):
            if name not in ("no", "always", "unless-stopped", "on-failure"):
                return _error(400, f"invalid restart policy '{name}'")
            container.restart_policy, container.restart_limit = name, int(policy.get("MaximumRetryCount") or 0)
        self.engine.tell(
            "container", "update", container.id, {"image": container.part.image, "name": container.name, **labels(container)}
        )
        return _answer({"Warnings": None})


def _fits(container: SimContainer, filters: dict[str, list[str]]) -> bool:
    texts = {"name": container.name, "id": container.id, "status": container.state, "health": container.health}
    for key, values in filters.items():
        if key == "label":
            fits = all(has_label(labels(container), value) for value in values)
        elif key in texts:
            text = texts[key]
            fits = any(value in text if key == "name" else text.startswith(value) for value in values)
        else:
            raise ValueError(f"invalid filter '{key}'")
        if not fits:
            return False
    return True


async def _lines(samples: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    async for sample in samples:
        yield json_line(sample)


async def _stream(request: web.Request, kind: str, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(request)
    try:
        async for chunk in chunks:
            if chunk:
                await response.write(chunk)
    except ConnectionError:
        return response  # the reader left
    await response.write_eof()
    return response
