"""Starts the server that drives the browser: its command line, its environment, its private folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from debugtui.model.source import Problem
from debugtui.model.text import decode, line
from debugtui.sources.base import SourceError
from debugtui.sources.chrome.install import Programs

if TYPE_CHECKING:
    from mcp import Client

#: Seconds until the server has answered the first time.
START_S = 20.0

#: The window of the page, in pixels.
WIDTH, HEIGHT = 1280, 720

# The browser's own wishes are switched off as far as it lets itself be told; what is left of them ends at the gateway.
_BROWSER = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disk-cache-size=16777216",
    "--js-flags=--max-old-space-size=512",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # names are for the gateway
    "--proxy-bypass-list=<-loopback>",  # the far side's loopback is not ours
)

# The process that is started writes its pid and then becomes Node.js, so that it can be found and ended by that pid.
_SHELL = 'echo $$ >"$0" && exec "$@"'


def arguments(programs: Programs, port: int) -> list[str]:
    """Return Node.js, the server and its options. An option that it does not know it ignores in silence."""
    browser = (*_BROWSER, *(("--no-sandbox",) if os.geteuid() == 0 else ()))  # root has no sandbox; everybody else does
    return [
        programs.node,
        "--max-old-space-size=512",
        programs.server,
        "--headless",
        "--isolated",
        f"--executablePath={programs.browser}",
        f"--viewport={WIDTH}x{HEIGHT}",
        "--no-usage-statistics",
        "--no-performance-crux",
        "--experimentalStructuredContent",
        "--redactNetworkHeaders",
        "--no-file-navigations",
        "--acceptInsecureCerts",  # certificates are judged by the TLS source
        f"--proxyServer=socks5://127.0.0.1:{port}",
        *(f"--chromeArg={option}" for option in browser),
    ]


def environment(folder: Path) -> dict[str, str]:
    """Return what differs from this process's environment: nothing is read from or written to the operator's own folders."""
    inside = str(folder)
    return {
        "TMPDIR": inside,
        "HOME": inside,
        "XDG_CONFIG_HOME": inside,
        "XDG_CACHE_HOME": inside,
        "CI": "1",
        "CHROME_DEVTOOLS_MCP_NO_USAGE_STATISTICS": "1",
        "CHROME_DEVTOOLS_MCP_NO_UPDATE_CHECKS": "1",
    }


@asynccontextmanager
async def started(programs: Programs, folder: Path, port: int) -> AsyncIterator[Client]:
    """Start the server; it ends with the block. The module `mcp` has to be imported before: that takes long.

    Raises:
        SourceError: it does not start.
    """
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    shell = ["-c", _SHELL, str(folder / "pid"), *arguments(programs, port)]
    parameters = StdioServerParameters(command="/bin/sh", args=shell, env=environment(folder), cwd=folder)
    log = folder / "log"
    with log.open("w", encoding="utf-8") as errors:  # not our own standard error: that is the screen
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(START_S):
                    client = await stack.enter_async_context(Client(stdio_client(parameters, errlog=errors)))
            except TimeoutError:
                raise SourceError(Problem(f"the browser's server did not answer within {START_S:.0f} s", _tail(log))) from None
            except Exception as error:  # the library's own kinds, and groups of them
                raise SourceError(Problem(f"the browser's server does not start: {innermost(error)}", _tail(log))) from error
            yield client


def _tail(log: Path) -> str:
    """Return the last line of what the server said."""
    said = decode(log.read_bytes()[-2000:]).strip()
    return line(said.splitlines()[-1], 200) if said else ""


def innermost(error: BaseException) -> str:
    """Return the words of the first plain error in groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return line(str(error) or type(error).__name__, 300)
