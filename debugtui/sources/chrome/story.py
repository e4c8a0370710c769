"""Coherence: whether the browser, nginx and the container tell the same story of one failed request. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from debugtui.model.chrome import PageRequest, Story
from debugtui.sources.chrome.addresses import split

# The combined format and those that begin like it: "GET /path HTTP/1.1" 504
_ACCESS = re.compile(r'"(?P<method>[A-Z]{3,10}) (?P<path>\S+)[^"]*"\s+(?P<status>[1-5]\d\d)\b')
# A container's line: some status near the request, in the ways that servers write it.
_STATUS = (
    _ACCESS,
    re.compile(r'\b(?:status|status_code|statusCode|code)"?\s*[=:]\s*"?(?P<status>[1-5]\d\d)\b', re.IGNORECASE),
    re.compile(r'(?:->|=>|\bHTTP/\d(?:\.\d)?"?|\breturned|\banswered|\bresponded(?: with)?)\s+"?(?P<status>[1-5]\d\d)\b'),
    re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+\s+(?P<status>[1-5]\d\d)\b"),
)
_TROUBLE = re.compile(
    r"\b(?:error|exception|traceback|panic|fatal|critical|timed? ?out|refused|failed|failure)\b", re.IGNORECASE
)

# What nginx's error log says, and the statuses that it then answers with.
_UPSTREAM = (
    ("timed out", "the upstream timed out", {504}),
    ("connect() failed", "the upstream could not be reached", {502, 504}),
    ("connection refused", "the upstream refused the connection", {502}),
    ("prematurely closed", "the upstream closed the connection", {502}),
    ("reset by peer", "the upstream reset the connection", {502}),
    ("no live upstreams", "no upstream was alive", {502}),
    ("host not found", "the upstream's name did not resolve", {502}),
    ("too big header", "the upstream's header was too big", {502}),
    ("client intended to send too large body", "the body was too large", {413}),
    ("no such file", "the file is missing", {404, 403}),
    ("permission denied", "nginx may not read it", {403}),
    ("directory index of", "it is a folder without an index", {403}),
    ("limiting requests", "nginx limited the rate", {429, 503}),
)

#: Statuses that nginx makes itself when the upstream fails: the container need not have answered.
_OF_GATEWAY = frozenset({502, 503, 504})


class _Said(NamedTuple):
    """What one log line says of the request: its status, a cause in plain words, and the statuses that this cause leads to."""

    status: int | None = None
    cause: str = ""
    fits: frozenset[int] = frozenset()


def compare(request: PageRequest, nginx: str = "", container: str = "") -> Story:
    """Decide whether the logs agree with what the browser saw.

    Args:
        request: a failed one.
        nginx: the line of the access or the error log of that moment; empty: there is none.
        container: the line of the container's log of that moment; empty: there is none.
    """
    agrees, says = _judge(request, _of_nginx(nginx), _of_container(container), bool(nginx), bool(container))
    return Story(request, nginx, container, agrees, says)


def _judge(request: PageRequest, front: _Said, back: _Said, has_front: bool, has_back: bool) -> tuple[bool | None, str]:
    saw = f"{request.method} {split(request.url).path or '/'}"
    if request.status is None:
        return _unanswered(saw, request.failure or "no answer", front, back, has_front)
    if front.status is not None and front.status != request.status:
        return False, f"the browser saw {request.status} for {saw}, but nginx logged {front.status}"
    if front.fits and front.status is None and request.status not in front.fits:
        return False, f"the browser saw {request.status} for {saw}, but nginx says {front.cause}"
    if back.status is not None and back.status != request.status:
        return _other_status(request.status, saw, front, back.status, has_front)
    said = _agreeing(request.status, front, back, has_front, has_back)
    if said:
        return True, f"the browser saw {request.status} for {saw}, and {said}"
    if has_front or has_back:
        return None, f"the browser saw {request.status} for {saw}; the log lines name no status"
    return None, f"the browser saw {request.status} for {saw}; no log line of that moment was found"


def _unanswered(saw: str, failure: str, front: _Said, back: _Said, has_front: bool) -> tuple[bool | None, str]:
    if front.status == 499:  # nginx's own code: the client closed the request
        return True, f"the browser gave up on {saw} ({failure}), and nginx logged 499"
    if front.status is not None:
        return False, f"the browser got no answer to {saw} ({failure}), but nginx logged {front.status}"
    if front.cause:
        return True, f"the browser got no answer to {saw} ({failure}), and nginx says {front.cause}"
    if back.status is not None and not has_front:
        return False, f"the browser got no answer to {saw} ({failure}), but the container answered {back.status}"
    if has_front:
        return None, f"the browser got no answer to {saw} ({failure}); nginx's line names no status"
    if failure.startswith("timed out"):
        return None, f"{saw} was still waiting; nginx logs a request when it ends"
    return True, f"{saw} failed in the browser ({failure}): the request never reached nginx"


def _other_status(saw_status: int, saw: str, front: _Said, status: int, has_front: bool) -> tuple[bool | None, str]:
    """The container says another status than the browser saw."""
    logged = f", nginx logged {front.status}" if front.status else f", nginx says {front.cause}" if front.cause else ""
    if saw_status in _OF_GATEWAY and status >= 500:
        return True, f"the browser saw {saw_status} for {saw}{logged}, and the container failed too ({status})"
    if saw_status == 504 and has_front:
        return False, f"the browser saw 504 for {saw}{logged}, but the container answered {status}, later than nginx waited"
    return False, f"the browser saw {saw_status} for {saw}{logged}, but the container says {status}"


def _agreeing(status: int, front: _Said, back: _Said, has_front: bool, has_back: bool) -> str:
    parts = []
    if front.status is not None or front.fits:
        what = [f"logged {front.status}"] if front.status is not None else []
        what += [f"says {front.cause}"] if front.cause else []
        parts.append(f"nginx {' and '.join(what)}")
    if back.status is not None:
        parts.append(f"the container answered {back.status}")
    elif back.cause and status >= 500:
        parts.append("the container logged an error of the same request")
    elif has_back and parts and status in _OF_GATEWAY:
        parts.append("the container logged the same request")
    return ", ".join(parts)


def _of_nginx(text: str) -> _Said:
    match = _ACCESS.search(text)
    low = text.lower()
    for sign, cause, statuses in _UPSTREAM:
        if sign in low:
            return _Said(int(match["status"]) if match else None, cause, frozenset(statuses))
    return _Said(int(match["status"]) if match else None)


def _of_container(text: str) -> _Said:
    for pattern in _STATUS:
        match = pattern.search(text)
        if match is not None:
            return _Said(int(match["status"]))
    trouble = _TROUBLE.search(text)
    return _Said(cause=trouble[0].lower()) if trouble is not None else _Said()
