"""Puts a new key into the application's settings; the key itself is in no plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from debugtui.config.models import Config, GroqConfig
from debugtui.config.redaction import register
from debugtui.config.secrets import SecretError
from debugtui.model.groq import GroqFault
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.remediation.base import Job, LiveCheck, NothingToDoError, Offer, PlanError, Spec, StaleError, Undo
from debugtui.remediation.catalogue.groq import guards
from debugtui.remediation.catalogue.groq.api import Answer, models_of
from debugtui.remediation.catalogue.groq.checks import api_answers
from debugtui.remediation.catalogue.groq.common import (
    App,
    Wish,
    faults_of,
    fingerprint,
    fit_for_a_key,
    in_force,
    key_reference,
    reading_of,
)
from debugtui.remediation.catalogue.groq.repair import PLACE_GUARDS, UNDO_SAYS, GroqRepair
from debugtui.remediation.configured import forget, groq_key
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.place import use_of


class RotateKey(GroqRepair):
    """See the module."""

    faults = (GroqFault.AUTHENTICATION, GroqFault.PERMISSION)
    meant = frozenset({401, 403})

    spec: ClassVar[Spec] = Spec(
        name="groq.rotate_key",
        title="Rotate the key",
        summary="The API refuses the key, or it is due: next_key takes its place, after the API has taken it.",
        target="groq/NAME",
        parameters=(),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says=f"the old key is back: {UNDO_SAYS}",
        guards=("new_key_well_formed", "new_key_works", "not_rate_limited", "old_key_kept", "setting_present", *PLACE_GUARDS),
    )

    def as_configured(self, config: Config, offer: Offer) -> Offer:
        """It applies only where the new key is configured."""
        offer = super().as_configured(config, offer)
        if offer.applies and use_of(config, offer.target.name).next_key is None:
            return dataclasses.replace(
                offer, applies=False, why="next_key in [[groq]] does not say yet where the new key is found"
            )
        return offer

    async def wish(self, eyes: Eyes, use: GroqConfig, app: App, params: Mapping[str, str]) -> Wish:
        """Try the new key; the old one is what the application has now."""
        assert use.app is not None  # noqa: S101 - `place.host_of` has refused
        name = use.app.key
        old = app.values.get(name, "")
        if old:
            register(old)  # whatever its variable is called, it is shown nowhere from now on
        new = await groq_key(eyes, use.name, "next_key")
        mark, was = fingerprint(new), fingerprint(old) if old else "none"
        if old == new:
            raise NothingToDoError(f"{app.shown} has the new key already (fingerprint {mark})")
        fit = fit_for_a_key(new)
        answer = await models_of(eyes, use, new) if fit else Answer(GroqFault.BAD_REQUEST, "it was not tried")
        if answer.fault is not None:
            forget(eyes, use.name, "next_key")
        reading = reading_of(await eyes.view(), use.name)
        refused = reading is not None and any(fault in faults_of(reading) for fault in self.faults)
        changes = {name: key_reference(use.name)}
        return Wish(
            changes=changes,
            problem="the API refuses its key" if refused else "its key is to be replaced",
            solution=f"put the key with the fingerprint {mark} in the place of {was}",
            diff=(DiffPart(f"the key of groq/{use.name}", "text", f"fingerprint {was}\n", f"fingerprint {mark}\n"),),
            guards=(
                _well_formed(fit, mark),
                guards.answers("new_key_works", answer, "the API takes the new key"),
                # How much the old key may still ask does not matter: the new one has just been tried.
                guards.not_limited(None, answer),
                await _old_key(eyes, use, old),
                guards.setting_present(app, use.app, ["key"], critical=True),
            ),
            irreversible=(
                "the old key stays valid: delete it at console.groq.com when the new one has proved itself",
                f"api_key of groq/{use.name} in DebugTUI's own configuration still names the old key: change it afterwards",
            ),
            mitigations=(Mitigation("", "a key of a project of its own keeps other applications out of its limits"),),
            data={"in_force": in_force(changes, mark), "secret": name},
        )

    async def try_again(self, hands: Hands, job: Job) -> None:
        """The same key still works."""
        name = str(job.data["use"])
        try:
            new = await groq_key(hands, name, "next_key")
        except PlanError as error:
            raise StaleError(str(error)) from None
        if fingerprint(new) != _planned(job):
            raise StaleError("the new key is another one than when the plan was made")
        answer = await models_of(hands, use_of(hands.config, name), new)
        if answer.fault is not None:
            raise StaleError(f"the API does not take the new key any more: {answer.fault.value}: {answer.says}")

    def api_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The API takes the new key."""
        name = str(job.data["use"])

        async def ask(eyes: Eyes) -> Answer:
            new = await groq_key(eyes, name, "next_key", fresh=False)
            if fingerprint(new) != _planned(job):
                return Answer(GroqFault.AUTHENTICATION, "next_key is another key by now")
            return await models_of(eyes, use_of(eyes.config, name), new)

        return (api_answers("the API takes the new key", "it lists its models for it", ask),)


def _planned(job: Job) -> str:
    table = job.data["in_force"]
    assert isinstance(table, dict)  # noqa: S101 - `wish` made it
    return str(table[str(job.data["secret"])])


def _well_formed(fit: bool, mark: str) -> Guard:
    if fit:
        return Guard("new_key_well_formed", guards.PASS, "the new key holds nothing that a key cannot", f"fingerprint {mark}")
    why = "the new key holds blanks, a line end, or signs that no key has: look at where next_key is found"
    return Guard("new_key_well_formed", guards.FAIL, why, f"fingerprint {mark}")


async def _old_key(eyes: Eyes, use: GroqConfig, old: str) -> Guard:
    """Say that the old key is kept, and whether it is the one that the configuration knows."""
    if not old:
        return Guard("old_key_kept", guards.FAIL, "there is no old key to go back to")
    ref = use.api_key
    if ref is None or ref.way == "ask":
        known = "whether it is api_key was not asked"
    else:
        try:
            same = await groq_key(eyes, use.name, "api_key", fresh=False) == old
            known = "it is api_key of the configuration" if same else "it is another one than api_key of the configuration"
        except (SecretError, PlanError):
            known = "api_key of the configuration cannot be read"
    why = "the old key stays where it is now until the new one has proved itself"
    return Guard("old_key_kept", guards.PASS, why, f"fingerprint {fingerprint(old)}; {known}")
