"""The API was made anew with another port in its environment: it is healthy, and nginx reaches nobody."""

from __future__ import annotations

from tests.scenarios.lab.containers import API, python_look
from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import lasting_port, status_of, until


async def break_(lab: Lab) -> dict[str, object]:
    box, other = lab.containers.boxes[API], lasting_port()
    options = [python_look(other) if "create_connection" in one else one for one in box.options]
    lab.containers.put(API, wait=False, env={**box.env, "PORT": str(other)}, options=options)
    until(lambda: status_of(f"http://127.0.0.1:{other}/healthz") == 200, 20, "the API to listen at the other port")
    lab.containers.wait_for(API, 'eq .State.Health.Status "healthy"')
    assert lab.site.status("/api/orders") == 502
    return {"other": other}


async def heal(lab: Lab) -> None:
    lab.containers.put(API)
