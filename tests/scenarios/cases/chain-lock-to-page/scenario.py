"""A session that idles in its transaction holds a row; the API waits for it, nginx answers 504, the page stays empty."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> dict[str, object]:
    root = await lab.database.client("shop-admin")
    await root.execute("BEGIN")
    await root.execute("UPDATE orders SET title = title WHERE id = 1")
    assert lab.site.status("/api/orders") == 504
    await lab.database.waited_long()
    return {"pid": root.get_server_pid()}


async def heal(lab: Lab) -> None:
    await lab.database.release()
