"""What the host itself runs when nobody tells it that the new container is up: the old one comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from debugtui.remediation.catalogue.docker.common import policy_text
from debugtui.remediation.catalogue.docker.likeness import PLAN_LABEL
from debugtui.remediation.eyes import Eyes

# Argument: the socket. Says by which program the host can talk to the engine: docker, curl or none.
PROBE = r"""
if docker -H "unix://$1" version -f '{{.Server.Version}}' > /dev/null 2>&1; then echo docker
elif [ "$(curl -sS --max-time 5 --unix-socket "$1" http://localhost/_ping 2> /dev/null)" = OK ]; then echo curl
else echo none
fi
"""

# Arguments: socket, label of the new container, id of the old one, its name, its restart policy in words and as JSON (empty: as
# it is), 1 to start it. Harmless where there is nothing to revert.
BY_DOCKER = r"""
d() { docker -H "unix://$socket" "$@"; }
socket=$1 label=$2 old=$3 name=$4 policy=$5 up=$7
for id in $(d ps -aq --no-trunc --filter "label=$label"); do
  [ "$id" = "$old" ] || d rm -f "$id"
done
[ "$(d inspect -f '{{.Name}}' "$old")" = "/$name" ] || d rename "$old" "$name"
[ -z "$policy" ] || d update --restart "$policy" "$old"
[ "$up" != 1 ] || d start "$old"
"""

BY_CURL = r"""
c() { curl -sS --max-time 40 --unix-socket "$socket" "$@"; }
socket=$1 label=$2 old=$3 name=$4 policy=$6 up=$7
at=http://localhost/containers
for id in $(c -G "$at/json" -d all=1 --data-urlencode "filters={\"label\":[\"$label\"]}" \
  | grep -o '"Id":"[0-9a-f]*"' | cut -d '"' -f 4); do
  [ "$id" = "$old" ] || c -X DELETE "$at/$id?force=1"
done
c -X POST "$at/$old/rename?name=$name" > /dev/null
[ -z "$policy" ] || c -X POST -H "Content-Type: application/json" -d "$policy" "$at/$old/update"
[ "$up" != 1 ] || c -f -X POST "$at/$old/start"
"""

_SCRIPTS = {"docker": BY_DOCKER, "curl": BY_CURL}


async def reverter(eyes: Eyes) -> str:
    """Return the program by which the host can revert: `docker`, `curl`, or empty where there is none."""
    done = await eyes.run(["sh", "-c", PROBE, "debugtui", eyes.docker_socket])
    found = done.stdout.decode("ascii", "replace").strip()
    return found if found in _SCRIPTS else ""


def revert(
    program: str, socket: str, plan: str, old: str, name: str, policy: Mapping[str, Any] | None, *, up: bool
) -> tuple[str, ...]:
    """Return the command that brings the old container back.

    Args:
        program: as `reverter` found it.
        socket: the engine's, on the host.
        plan: id of the plan, which the new container's label holds.
        old: id of the old container.
        name: its name.
        policy: its restart policy, where it was changed.
        up: whether it ran.
    """
    words = policy_text(dict(policy)) if policy else ""
    body = json.dumps({"RestartPolicy": dict(policy)}, sort_keys=True) if policy else ""
    label = f"{PLAN_LABEL}={plan}"
    return ("sh", "-c", _SCRIPTS[program], "debugtui", socket, label, old, name, words, body, "1" if up else "0")
