"""A release serves a page without the words that make it the shop's: a placeholder was deployed."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab

PLACEHOLDER = "<html><head><title>{title}</title></head><body><h1>It works!</h1></body></html>"


async def break_(lab: Lab) -> None:
    lab.site.release("2024-11-20", page=PLACEHOLDER)
    assert lab.site.status("/", tls=True) == 200


async def heal(lab: Lab) -> None:
    lab.site.take_back("2024-11-20")
