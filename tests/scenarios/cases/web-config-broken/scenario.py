"""Somebody broke a file of nginx's configuration and did not reload: the next restart would fail."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.site.site_file.write_text(lab.site.site_file.read_text().replace("proxy_pass http://api;", "proxy_pass http://api"))
    assert lab.site.test().returncode != 0
    assert lab.site.status("/api/orders") == 200


async def heal(lab: Lab) -> None:
    lab.site.write_site()
    lab.site.age()
