"""The sources of what keeps state beside the databases: queues, the journal, backups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from debugtui.config.ask import Asker
from debugtui.config.hosts import HostConfig
from debugtui.config.secrets import SecretRef, resolve
from debugtui.hosts.link import Link
from debugtui.sources.base import Source

if TYPE_CHECKING:
    from debugtui.sources.docker.source import DockerSource


def state_sources(
    host: HostConfig, link: Link, asker: Asker, docker: DockerSource | None, rpo_s: float
) -> Iterator[tuple[Source, bool]]:
    """Yield these sources of one host, each with whether the configuration names it.

    Args:
        host: its configuration.
        link: its link.
        asker: who asks the operator.
        docker: the host's Docker source, which knows the names of containers.
        rpo_s: the greatest age of a backup that is allowed, in seconds.
    """
    for redis in host.redis:
        from debugtui.sources.redis.source import RedisSource

        what = f"{host.name}/redis/{redis.name}"
        yield RedisSource(link, redis, _password(what, redis.password, asker)), True
    for rabbitmq in host.rabbitmq:
        from debugtui.sources.rabbitmq.source import RabbitmqSource

        what = f"{host.name}/rabbitmq/{rabbitmq.name}"
        yield RabbitmqSource(link, rabbitmq, _password(what, rabbitmq.password, asker)), True
    if host.journal is not False:
        from debugtui.sources.journal.source import JournalSource

        directory = host.journal if isinstance(host.journal, str) else ""
        named = host.journal is not None
        yield JournalSource(link, directory, configured=named, containers=_containers(docker)), named
    for database in host.postgres:
        if database.backups:
            from debugtui.sources.backup.source import BackupSource

            yield BackupSource(link, database.name, [place.path for place in database.backups], rpo_s), True


def _containers(docker: DockerSource | None) -> Callable[[], Mapping[str, str]]:
    def names() -> Mapping[str, str]:
        return docker.container_names() if docker is not None else {}

    return names


def _password(what: str, ref: SecretRef | None, asker: Asker) -> Callable[[], Awaitable[str | None]]:
    async def password() -> str | None:
        if ref is None:
            return None
        return await resolve(ref, name=f"password of {what}", purpose=f"to watch {what}", asker=asker)

    return password
