"""A prepared transaction that nobody ends holds a row, and a session waits for it."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    client = await lab.database.client("shop-payments")
    await client.execute("BEGIN")
    await client.execute("UPDATE orders SET title = title WHERE id = 3")
    await client.execute("PREPARE TRANSACTION 'payment-4711'")
    await client.close()
    await lab.database.waiting("shop-report", "UPDATE orders SET title = 'x' WHERE id = 3")
    await lab.database.waited_long(idle=False)


async def heal(lab: Lab) -> None:
    await lab.database.release()
    if await lab.database.value("SELECT count(*) FROM pg_prepared_xacts"):
        await lab.database.execute("ROLLBACK PREPARED 'payment-4711'", user="postgres")
