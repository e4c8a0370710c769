"""Has the application use another model, which the API lists and which answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from debugtui.config.models import GroqConfig
from debugtui.config.secrets import Secret
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.plan import DiffPart, Mitigation
from debugtui.model.text import line
from debugtui.remediation.base import Job, LiveCheck, NothingToDoError, Parameter, PlanError, Spec, StaleError, Undo
from debugtui.remediation.catalogue.groq import guards
from debugtui.remediation.catalogue.groq.api import Answer, models_of, one_token
from debugtui.remediation.catalogue.groq.checks import api_answers
from debugtui.remediation.catalogue.groq.common import App, Wish, faults_of, reading_of
from debugtui.remediation.catalogue.groq.repair import PLACE_GUARDS, UNDO_SAYS, GroqRepair
from debugtui.remediation.configured import groq_key
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.place import use_of

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,119}")


class SwitchModel(GroqRepair):
    """See the module."""

    faults = (GroqFault.NO_MODEL, GroqFault.CAPACITY)
    meant = frozenset({404, 498})

    spec: ClassVar[Spec] = Spec(
        name="groq.switch_model",
        title="Switch the model",
        summary="The model is gone or has no capacity: the application uses another one that the API lists.",
        target="groq/NAME",
        parameters=(Parameter("model", "id of the new model, as the API lists it"),),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says=f"the old model's name is back: {UNDO_SAYS}",
        guards=("model_listed", "model_answers", "not_rate_limited", "setting_present", *PLACE_GUARDS),
    )

    async def wish(self, eyes: Eyes, use: GroqConfig, app: App, params: Mapping[str, str]) -> Wish:
        """Ask whether the model is there, and where tokens may be spent whether it answers."""
        assert use.app is not None  # noqa: S101 - `place.host_of` has refused
        name, model = use.app.model, params["model"]
        if not _MODEL.fullmatch(model):
            raise PlanError(f"{line(model, 80)!r} is no id of a model")
        old = app.values.get(name)
        if old == model:
            raise NothingToDoError(f"{app.shown} uses {model} already")
        key = await groq_key(eyes, use.name, "api_key")
        reading = reading_of(await eyes.view(), use.name)
        listed = await _listed(eyes, use, key, model)
        limited = guards.not_limited(reading, None)
        spared = _spared(use, reading) or ("" if listed.fault is None else "it is not listed")
        spared = spared or ("the API limits us right now" if limited.status is guards.FAIL else "")
        tried = None if spared else await one_token(eyes, use, key, model)
        changes = {name: model}
        return Wish(
            changes=changes,
            problem=_problem(reading, line(old or "its model", 80)),
            solution=f"use {model}",
            diff=(DiffPart(f"the model of groq/{use.name}", "text", f"{line(old or 'not set', 120)}\n", f"{model}\n"),),
            guards=(
                guards.answers("model_listed", listed, f"the API lists {model}"),
                *([guards.answers("model_answers", tried, "it answered with one token")] if tried is not None else []),
                guards.not_limited(reading, tried or listed),
                guards.setting_present(app, use.app, ["model"]),
            ),
            irreversible=(
                "what another model answered meanwhile stays answered: its words, its JSON and its price differ",
                f"model of groq/{use.name} in DebugTUI's own configuration still names what is watched: change it afterwards",
            ),
            mitigations=_ways_out(spared),
            data={"model": model},
        )

    async def try_again(self, hands: Hands, job: Job) -> None:
        """The model is still listed."""
        use, model = use_of(hands.config, str(job.data["use"])), str(job.data["model"])
        try:
            key = await groq_key(hands, use.name, "api_key")
        except PlanError as error:
            raise StaleError(str(error)) from None
        answer = await _listed(hands, use, key, model)
        if answer.fault is not None:
            raise StaleError(f"the API does not list {model} any more: {answer.says}")

    def api_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The model is listed, and answers once where tokens may be spent."""
        name, model, done = str(job.data["use"]), str(job.data["model"]), list[Answer]()

        async def ask(eyes: Eyes) -> Answer:
            use = use_of(eyes.config, name)
            key = await groq_key(eyes, name, "api_key", fresh=False)
            listed = await _listed(eyes, use, key, model)
            if listed.fault is not None or done or _spared(use, reading_of(await eyes.view(), name)):
                return listed
            answer = await one_token(eyes, use, key, model)
            if answer.fault is None:
                done.append(answer)  # once is enough: each one is taken from the organisation's limits
            return answer

        return (api_answers("the API answers with the new model", "it lists it, and completes with it", ask),)


async def _listed(eyes: Eyes, use: GroqConfig, key: Secret, model: str) -> Answer:
    answer = await models_of(eyes, use, key)
    if answer.fault is None and model not in answer.models:
        return Answer(GroqFault.NO_MODEL, f"{model} is not among the {len(answer.models)} models that it lists", answer.models)
    return answer


def _spared(use: GroqConfig, reading: GroqReading | None) -> str:
    """Return why no token is spent; empty: one may be."""
    if use.probe != "completion":
        return 'probe = "models" allows no token'
    spent = reading.tokens_today if reading is not None else 0
    return "the day's budget of tokens is used up" if spent >= use.budget else ""


def _ways_out(spared: str) -> tuple[Mitigation, ...]:
    ways = [Mitigation("", "read the new model's context length and price before: neither is compared here")]
    if spared:
        ways.append(
            Mitigation("", f"whether it answers is not tried before ({spared}): the application's log tells afterwards")
        )
    return tuple(ways)


def _problem(reading: GroqReading | None, old: str) -> str:
    found = faults_of(reading) if reading is not None else {}
    if GroqFault.NO_MODEL in found:
        return f"the API has no {old}"
    return f"no capacity for {old}" if GroqFault.CAPACITY in found else f"{old} is to be replaced"
