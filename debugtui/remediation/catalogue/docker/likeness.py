"""What a new container is made of, so that it is like the old one but for what is to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from debugtui.model.text import line
from debugtui.remediation.catalogue.docker.common import Box
from debugtui.remediation.catalogue.docker.environment import merged, shown
from debugtui.remediation.catalogue.docker.seal import ENDPOINT_FIELDS
from debugtui.sources.docker.secrets import redact_arguments

PLAN_LABEL, REPLACES_LABEL = "debugtui.plan", "debugtui.replaces"

#: What an image gives a container that does not say otherwise; kept only where it differs from the old image's.
_FROM_IMAGE = ("User", "WorkingDir", "Healthcheck", "StopSignal", "Shell", "OnBuild", "ExposedPorts", "Volumes")

#: Since this version of the API a container's fixed MAC address belongs to its endpoint.
_MAC_IN_ENDPOINT = (1, 44)


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the engine is told.

    Attributes:
        body: of `POST /containers/create`; holds secrets.
        networks: further networks to connect it to, with their settings.
    """

    body: dict[str, Any]
    networks: dict[str, dict[str, Any]]

    def __repr__(self) -> str:
        return "Likeness(...)"


def likeness(
    box: Box,
    image_config: Mapping[str, Any],
    image: str,
    env: Mapping[str, str],
    labels: Mapping[str, str],
    api: tuple[int, int] = (1, 41),
) -> Likeness:
    """Return what makes a container like `box`.

    Args:
        box: the old one.
        image_config: `Config` of the image that the old one was made from.
        image: what the new one is made from.
        env: variables that are set.
        labels: labels that are added.
        api: the version of the API that is spoken.
    """
    config = _config(box, image_config)
    config["Image"] = image
    config["Env"] = merged(_own_env(box, image_config), env)
    config["Labels"] = {**_own_labels(box, image_config), **labels}
    host = _host_config(box)
    first, rest = _networks(box, str(host.get("NetworkMode") or ""), api)
    return Likeness({**config, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": first}}, rest)


def _config(box: Box, image_config: Mapping[str, Any]) -> dict[str, Any]:
    config = {name: value for name, value in box.table("Config").items() if name not in ("Image", "Env", "Labels")}
    for name in _FROM_IMAGE:
        if name in config and _same(config[name], image_config.get(name)):
            del config[name]
    for name in ("ExposedPorts", "Volumes"):
        if isinstance(config.get(name), dict):
            ours = image_config.get(name)
            config[name] = {part: one for part, one in config[name].items() if part not in (ours or {})}
    _command(config, image_config)
    mode = str(box.table("HostConfig").get("NetworkMode") or "")
    if config.get("Hostname") == box.id[:12] or mode.startswith("container:") or box.text("HostConfig", "UTSMode") == "host":
        config.pop("Hostname", None)  # made by the engine, or not allowed to be said
    if mode.startswith("container:"):
        config.pop("ExposedPorts", None)
    return config


def _command(config: dict[str, Any], image_config: Mapping[str, Any]) -> None:
    """Leave out what the image gave. An entrypoint that is said makes the engine forget the image's command."""
    entry = _same(config.get("Entrypoint"), image_config.get("Entrypoint"))
    command = _same(config.get("Cmd"), image_config.get("Cmd"))
    if entry and command:
        config.pop("Entrypoint", None)
        config.pop("Cmd", None)
    elif entry and config.get("Cmd"):
        config.pop("Entrypoint", None)


def _same(one: Any, other: Any) -> bool:
    return (one or None) == (other or None)


def _own_env(box: Box, image_config: Mapping[str, Any]) -> list[str]:
    given = set(image_config.get("Env") or ())
    return [str(entry) for entry in box.rows("Config", "Env") if entry not in given]


def _own_labels(box: Box, image_config: Mapping[str, Any]) -> dict[str, str]:
    given = image_config.get("Labels") or {}
    return {
        str(name): str(value) for name, value in box.table("Config", "Labels").items() if given.get(name, object()) != value
    }


def _host_config(box: Box) -> dict[str, Any]:
    host = dict(box.table("HostConfig"))
    binds = [str(bind) for bind in host.get("Binds") or ()]
    mounts = [dict(one) for one in host.get("Mounts") or () if isinstance(one, dict)]
    said = {bind.split(":")[1] for bind in binds if ":" in bind}
    for mount in sorted(
        (one for one in box.rows("Mounts") if isinstance(one, dict)), key=lambda one: str(one.get("Destination"))
    ):
        where, name = str(mount.get("Destination") or ""), str(mount.get("Name") or "")
        if mount.get("Type") != "volume" or not name or where in said:
            continue
        wanted = next((one for one in mounts if one.get("Target") == where), None)
        if wanted is not None:
            wanted["Source"] = name  # a volume without a name has one by now
            continue
        modes = [part for part in str(mount.get("Mode") or "").split(",") if part]
        if mount.get("RW") is False and "ro" not in modes:
            modes.append("ro")
        binds.append(":".join([name, where, *([",".join(modes)] if modes else [])]))
    host["Binds"] = binds or None
    if mounts:
        host["Mounts"] = mounts
    host["Links"] = [_link(str(one)) for one in host.get("Links") or ()] or None
    return host


def _link(text: str) -> str:
    """`/db:/api/store`, as inspect tells it, is `db:store` when it is asked for."""
    name, _, alias = text.partition(":")
    return f"{name.removeprefix('/')}:{alias.rpartition('/')[2]}"


def _networks(box: Box, mode: str, api: tuple[int, int]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the endpoint that is made with the container, and those that are connected after: old engines take only one."""
    if mode in ("host", "none") or mode.startswith("container:"):
        return {}, {}
    main = "bridge" if mode in ("", "default") else mode
    found: dict[str, dict[str, Any]] = {}
    for name, network in sorted(box.table("NetworkSettings", "Networks").items()):
        endpoint = {part: network.get(part) for part in ENDPOINT_FIELDS if network.get(part)}
        if "Aliases" in endpoint:
            endpoint["Aliases"] = [alias for alias in endpoint["Aliases"] if alias != box.id[:12]] or None
        if api >= _MAC_IN_ENDPOINT and network.get("MacAddress"):
            endpoint["MacAddress"] = network["MacAddress"]
        found[name] = endpoint
    first = {main: found.pop(main)} if main in found else {}
    return first, found


def described(box: Box, key: bytes) -> str:
    """Return what a container is made of, to show; secrets are masked."""
    image = f"{line(box.text('Config', 'Image'), 200)} ({box.text('Image')[:19]})"
    return _text(box.table("Config"), image, [str(entry) for entry in box.rows("Config", "Env")], box, key)


def described_after(box: Box, new: Likeness, image_config: Mapping[str, Any], image: str, key: bytes) -> str:
    """Return what the new one will be made of, what its image gives it included.

    Args:
        box: the old one.
        new: what the engine is told.
        image_config: `Config` of the new image.
        image: name and id of the new image.
        key: of the keyed hash.
    """
    config = dict(image_config) | {name: value for name, value in new.body.items() if value}
    if new.body.get("Entrypoint") and not new.body.get("Cmd"):
        config["Cmd"] = None
    own = [str(entry) for entry in new.body.get("Env") or ()]
    names = {entry.partition("=")[0] for entry in own}
    given = [str(entry) for entry in image_config.get("Env") or () if str(entry).partition("=")[0] not in names]
    return _text(config, image, [*own, *given], box, key)


def _words(value: Any) -> str:
    return " ".join(redact_arguments([str(part) for part in value or ()]))


def _text(config: Mapping[str, Any], image: str, env: list[str], box: Box, key: bytes) -> str:
    health = config.get("Healthcheck")
    lines = [
        f"image: {image}",
        *(f"{name.lower()}: {_words(config.get(name))}" for name in ("Entrypoint", "Cmd")),
        *(f"{name.lower()}: {line(str(config.get(name) or ''), 200)}" for name in ("User", "WorkingDir", "StopSignal")),
        f"healthcheck: {_words(health.get('Test') if isinstance(health, dict) else None)}",
        "env:",
        *(f"  {entry}" for entry in shown(env, key)),
    ]
    mounts = sorted(
        f"  {line(str(one.get('Name') or one.get('Source') or ''), 200)}:{line(str(one.get('Destination')), 200)}"
        for one in box.rows("Mounts")
        if isinstance(one, dict)
    )
    ports = sorted(line(str(port), 60) for port in box.table("HostConfig", "PortBindings"))
    networks = sorted(line(name, 80) for name in box.table("NetworkSettings", "Networks"))
    return "\n".join([*lines, "mounts:", *mounts, f"ports: {', '.join(ports)}", f"networks: {', '.join(networks)}"])
