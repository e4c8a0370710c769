"""Keys of the Groq API that the configuration names: read when they are needed, kept in memory where a person was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from debugtui.config.secrets import Secret, SecretRef, resolve
from debugtui.model.text import line
from debugtui.remediation.base import PlanError
from debugtui.remediation.place import use_of

if TYPE_CHECKING:
    from debugtui.remediation.eyes import Eyes

Which = Literal["api_key", "next_key"]

#: What each of the two is for, as a question for it says.
_PURPOSE = {"api_key": "to see that the API answers", "next_key": "to put it in the place of the present key"}


async def groq_key(eyes: Eyes, name: str, which: Which, *, fresh: bool = True) -> Secret:
    """Return a key of a use of the API. What a person gave is asked for once in a run.

    Args:
        eyes: whose configuration and asker.
        name: of the use.
        which: the present key, or the one that a rotation puts in its place.
        fresh: read it again where that takes no person; else one that was read before serves, as in checks.

    Raises:
        PlanError: it is not configured, or nobody gave it.
        SecretError: it cannot be read.
    """
    ref = reference(eyes, name, which)
    place = ("groq", f"{name}/{which}")
    known = eyes.around.secrets.get(place)
    if isinstance(known, Secret) and (ref.way == "ask" or not fresh):
        return known
    found = await resolve(
        ref, name=f"{which.replace('_', ' ')} of groq/{name}", purpose=_PURPOSE[which], asker=eyes.around.asker
    )
    if found is None:
        raise PlanError(f"the {which} of groq/{name} is asked for, and nobody gave it")
    eyes.around.secrets[place] = found
    return found


def reference(eyes: Eyes, name: str, which: Which) -> SecretRef:
    """Return where a key is found; the present one is asked for where nothing is said.

    Raises:
        PlanError: there is no such use, or its next key is not configured.
    """
    use = use_of(eyes.config, name)
    if which == "api_key":
        return use.api_key or SecretRef(ask=True)
    if use.next_key is None:
        raise PlanError(f"the new key of groq/{line(name, 80)} is not configured: next_key in [[groq]] says where it is found")
    return use.next_key


def forget(eyes: Eyes, name: str, which: Which) -> None:
    """Forget a key that did not serve, so that the next plan asks for it again."""
    eyes.around.secrets.pop(("groq", f"{name}/{which}"), None)
