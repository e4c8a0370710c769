"""Which image a container had before, as far as the host still holds it."""

from __future__ import annotations

from debugtui.model.docker import Container, DockerReading


def previous_of(container: Container, reading: DockerReading) -> str:
    """Return the newest other image of the same name that the host still holds; empty where there is none.

    It must have been made before the present one: going back is the only direction that is known.
    """
    name, mine = _repository(container.image), next((one for one in reading.images if one.id == container.image_id), None)
    if not name:
        return ""
    others = [
        (image.created_at, tag)
        for image in reading.images
        if image.id != container.image_id and image.created_at is not None
        for tag in image.tags
        if _repository(tag) == name and (mine is None or mine.created_at is None or image.created_at < mine.created_at)
    ]
    return max(others)[1] if others else ""


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
