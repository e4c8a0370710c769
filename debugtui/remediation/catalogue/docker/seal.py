"""Says whether two settings of a container are the same without telling them: a keyed hash.

The key is made, slowly, of what only somebody who can inspect the container knows anyway: its whole environment, the moment of
its creation to the nanosecond, and the random names of its layers. None of them is in a plan, so a plan alone does not serve to
guess a short secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

from debugtui.model.canonical import canonical
from debugtui.remediation.catalogue.docker.common import Box

#: Cost of the key: about 30 ms and 8 MB (RFC 7914).
_COST, _BLOCK = 1 << 13, 8

#: Characters of a keyed hash that are kept.
_KEPT = 32

#: What the engine tells of an endpoint that was configured, not found out.
ENDPOINT_FIELDS = ("IPAMConfig", "Links", "Aliases", "DriverOpts")


async def key_of(box: Box) -> bytes:
    """Return the key of a container; the same as long as it is the same container."""
    known = {name: box.document.get(name) for name in ("Created", "GraphDriver")} | {"Env": box.rows("Config", "Env")}
    secret, salt = canonical(known).encode("utf-8", "surrogatepass"), box.id.encode()
    return await asyncio.to_thread(hashlib.scrypt, secret, salt=salt, n=_COST, r=_BLOCK, p=1, dklen=32)


def sealed(key: bytes, value: object) -> str:
    """Return the keyed hash of a plain value."""
    return hmac.new(key, canonical(value).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_KEPT]


def settings(box: Box) -> dict[str, Any]:
    """Return everything about a container that was configured: what has to be the same again after a rollback."""
    networks = box.table("NetworkSettings", "Networks")
    return {
        "Name": box.name,
        "Image": box.text("Image"),
        "Config": box.table("Config"),
        "HostConfig": box.table("HostConfig"),
        "Mounts": sorted((one for one in box.rows("Mounts") if isinstance(one, dict)), key=canonical),
        "Networks": {
            name: {part: one.get(part) for part in ENDPOINT_FIELDS} for name, one in networks.items() if isinstance(one, dict)
        },
    }


async def seal_of(box: Box) -> str:
    """Return the keyed hash of all settings of a container."""
    return sealed(await key_of(box), settings(box))
