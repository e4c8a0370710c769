"""Guards of a change to one Compose service."""

from __future__ import annotations

from pathlib import Path

from debugtui.model.plan import Guard
from debugtui.model.text import line
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.compose_project import Project, Rendered
from debugtui.remediation.catalogue.docker.recreate_steps import image_of
from debugtui.remediation.eyes import Eyes


def tool(project: Project) -> Guard:
    """The host has Compose, of one generation or the other."""
    if project.tool:
        name = "docker compose" if project.tool == 2 else "docker-compose"
        return Guard("compose_tool", guards.PASS, f"the host has {name}", f"{name} {project.version}, tried just now")
    return Guard("compose_tool", guards.FAIL, "the host has neither docker compose nor docker-compose", "tried just now")


def readable(project: Project, before: bytes | None) -> Guard:
    """The file that the container names was read."""
    path = line(project.path, 300)
    if before is None:
        return Guard("file_readable", guards.FAIL, "the compose file that the container names cannot be read", path)
    return Guard("file_readable", guards.PASS, "the compose file was read", f"{path}, {len(before)} bytes, read just now")


def renders(old: Rendered | str, new: Rendered | str) -> Guard:
    """Compose understands both files."""
    for which, one in (("present", old), ("new", new)):
        if isinstance(one, str):
            return Guard("renders", guards.FAIL, f"the tool does not understand the {which} file", one)
    return Guard(
        "renders", guards.PASS, "the tool understands both files, with their variables and env files", "config, just now"
    )


def one_service(old: Rendered | str, new: Rendered | str, service: str) -> Guard:
    """The change touches exactly the one service, as Compose itself reads both files."""
    name = "one_service"
    if isinstance(old, str) or isinstance(new, str):
        return Guard(name, guards.UNKNOWN, "what the change touches is not known")
    names = sorted(set(old.services) | set(new.services))
    touched = [one for one in names if old.services.get(one) != new.services.get(one)]
    says = f"changed: {', '.join(line(one, 60) for one in touched) or 'nothing'}"
    if old.rest != new.rest:
        return Guard(name, guards.FAIL, "networks, volumes or other parts outside of the services change as well", says)
    if [one for one in touched if one != service] or service not in new.services:
        return Guard(name, guards.FAIL, f"more changes than {line(service, 60)}, or it is not there any more", says)
    if not touched:
        return Guard(name, guards.FAIL, "nothing changes for the service: only how the file is written", says)
    return Guard(name, guards.PASS, f"only {line(service, 60)} changes", f"{says}; {len(names)} services were compared")


async def images(eyes: Eyes, old: Rendered | str, new: Rendered | str, service: str) -> Guard:
    """Nothing may be pulled: the old tool would do it by itself."""
    name = "image_local"
    if isinstance(old, str) or isinstance(new, str):
        return Guard(name, guards.UNKNOWN, "the service's image is not known")
    images = [old.image(service), new.image(service)]
    for image in images:
        if not image:
            return Guard(name, guards.FAIL, "the service names no image: it would have to be built", "build is not done here")
        if await image_of(eyes, image) is None:
            return Guard(
                name, guards.FAIL, f"{line(image, 200)} is not on the host: docker pull it there first", "read just now"
            )
    return Guard(name, guards.PASS, "the host holds the images: nothing is pulled", line(", ".join(images), 300))


async def file_kept(eyes: Eyes, project: Project) -> Guard:
    """The file's folder can be written to: the previous file is kept beside it."""
    done = await eyes.run(["sh", "-c", 'test -w "$1" && test ! -L "$2" && test -f "$2"', "debugtui", *_places(project)])
    if done.status:
        return Guard(
            "file_kept", guards.FAIL, "the compose file is a link, or its folder may not be written to", "test -w, just now"
        )
    return Guard("file_kept", guards.PASS, "the previous file is kept beside the new one", "test -w, just now")


def _places(project: Project) -> tuple[str, str]:
    return str(Path(project.path).parent), project.path
