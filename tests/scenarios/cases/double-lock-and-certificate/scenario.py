"""A session holds a row that others wait for; and, for another reason, the certificate has ended."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> dict[str, object]:
    lab.site.certificate(days=-1)
    lab.site.reload()
    assert lab.site.status("/", tls=True) == 0
    root = await lab.database.client("shop-admin")
    await root.execute("BEGIN")
    await root.execute("UPDATE orders SET title = title WHERE id = 2")
    await lab.database.waiting("shop-report", "UPDATE orders SET title = 'x' WHERE id = 2")
    await lab.database.waited_long()
    return {"pid": root.get_server_pid()}


async def heal(lab: Lab) -> None:
    await lab.database.release()
    lab.site.certificate(days=80)
    lab.site.reload()
