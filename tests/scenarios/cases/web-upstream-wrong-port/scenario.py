"""nginx was reloaded with a wrong port of the API: it answers 502, and the container is healthy."""

from __future__ import annotations

from tests.scenarios.lab.containers import API
from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import lasting_port


async def break_(lab: Lab) -> dict[str, object]:
    wrong = lasting_port()
    lab.site.write_site(api_port=wrong)
    lab.site.reload()
    assert lab.site.status("/api/orders") == 502
    assert lab.containers.serves(API)
    return {"wrong": wrong}


async def heal(lab: Lab) -> None:
    lab.site.write_site()
    lab.site.age()
    lab.site.reload()
