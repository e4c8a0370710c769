"""Repairs of an application whose settings are a container's environment: on a real engine, with an API that checks keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.config.ask import SecretQuestion
from debugtui.config.models import GroqAppConfig, SecretRef
from debugtui.config.redaction import forget_all
from debugtui.model.execution import State
from debugtui.model.groq import GroqFault
from debugtui.model.plan import GuardStatus, Plan
from debugtui.model.target import Target
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.remediation.catalogue.groq.common import fingerprint
from tests.lab.repair.groq_desk import (
    HOST,
    NAME,
    NEW_ENV,
    NEW_KEY,
    OLD_ENV,
    OLD_KEY,
    GroqLab,
    container_lab,
    guard,
    reading,
    use,
)
from tests.services.docker_engine import DockerEngine
from tests.services.groq_stub import GroqStub, groq_stub

BOX = "dk-coach"
APP = GroqAppConfig(container=f"{HOST}/docker/{BOX}")

#: Says of its calls what httpx says: whether they went well depends on its key and its model.
WELL = """
say() { echo "HTTP Request: POST $API/openai/v1/chat/completions \\"HTTP/1.1 $1\\""; }
while :; do
  case "$GROQ_MODEL:$GROQ_API_KEY" in
    gone:*) say "404 Not Found";;
    *:*bad*) say "401 Unauthorized";;
    *) if [ "${GROQ_CONCURRENCY:-1}" -gt 4 ]; then say "429 Too Many Requests"; else say "200 OK"; fi;;
  esac
  sleep 0.2
done
"""


@pytest.fixture
def engine(docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerEngine]:
    monkeypatch.setenv(OLD_ENV, OLD_KEY)
    monkeypatch.setenv(NEW_ENV, NEW_KEY)
    yield docker_engine
    docker_engine.remove_all()
    forget_all()


def start(engine: DockerEngine, stub: GroqStub, **more: str) -> None:
    env = {
        "API": stub.url,
        "GROQ_API_KEY": OLD_KEY,
        "GROQ_MODEL": "llama-3.1-8b-instant",
        "OTHER_TOKEN": "amber-lynx-22",
        **more,
    }
    options = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
    engine.run(BOX, "sh", "-c", WELL, options=options)


def env_of(engine: DockerEngine) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in engine.inspect(BOX)["Config"]["Env"])


def assert_no_secret(lab: GroqLab, plan: Plan, *more: str) -> None:
    shown = json.dumps(plan.to_json()) + repr(plan) + repr(lab.told) + "".join(more)
    written = lab.written()
    for secret in (OLD_KEY, NEW_KEY, "amber-lynx-22"):
        for part in (secret, secret[:12]):
            assert part not in shown
            assert part.encode() not in written


async def test_a_key_is_rotated_verified_and_rotated_back(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        start(engine, stub)
        before = engine.inspect(BOX)
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("rotate_key")
            assert plan.refusals == ()
            assert str(plan.target) == f"groq/{NAME}"
            assert (plan.params, plan.risk.cls) == ((), 3)
            assert plan.diff[0].before == f"fingerprint {fingerprint(OLD_KEY)}\n"
            assert plan.diff[0].after == f"fingerprint {fingerprint(NEW_KEY)}\n"
            assert "api_key of the configuration" in guard(plan, "old_key_kept").evidence
            done = await lab.apply(plan)
            assert (done.state, done.side_effects) == (State.VERIFIED, ()), done.says
            assert env_of(engine)["GROQ_API_KEY"] == NEW_KEY
            assert env_of(engine)["OTHER_TOKEN"] == "amber-lynx-22"
            assert {"the settings are in force", "the API takes the new key", "no new failure in its log"} <= {
                check.name for check in done.checks
            }
            back = await lab.back(done)
            assert back.state is State.ROLLED_BACK, back.says
            assert_no_secret(lab, plan)
        after = engine.inspect(BOX)
        assert (after["Id"], after["Config"]) == (before["Id"], before["Config"])
        assert {key for path, key in stub.seen if path == "models"} == {NEW_KEY}
        assert not stub.asked("chat/completions")


async def test_the_record_and_the_command_line_hold_no_key_either(engine: DockerEngine, tmp_path: Path) -> None:
    """A variable whose name says nothing, a key whose form says nothing."""
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        start(engine, stub, LLM=OLD_KEY)
        app = GroqAppConfig(container=f"{HOST}/docker/{BOX}", key="LLM")
        async with container_lab(engine, use(stub, app, api_key=None), tmp_path) as lab:
            plan = await lab.plan("rotate_key")
            done = await lab.apply(plan)
            assert done.state is State.VERIFIED, done.says
            assert env_of(engine)["LLM"] == NEW_KEY
            assert done.record is not None
            assert_no_secret(lab, plan, Path(done.record).read_text())


async def test_a_key_that_the_api_does_not_take_is_never_put_into_force(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY) as stub:
        start(engine, stub)
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("rotate_key")
            assert [one.name for one in plan.refusals] == ["new_key_works"]
            assert guard(plan, "new_key_works").status is GuardStatus.FAIL
            assert "Invalid API Key" in guard(plan, "new_key_works").evidence
            stub.keys.add(NEW_KEY)
            plan = await lab.plan("rotate_key")
            assert plan.refusals == ()
            stub.keys.discard(NEW_KEY)  # revoked between the approval and the step
            done = await lab.apply(plan)
            assert done.state is State.REFUSED, done.says
            assert env_of(engine)["GROQ_API_KEY"] == OLD_KEY
            assert_no_secret(lab, plan)


@pytest.mark.parametrize(
    ("fault", "status"), [("fail=503", "unknown"), ("fail=429", "fail"), ("html=1", "unknown"), ("down", "unknown")]
)
async def test_an_api_that_cannot_be_asked_refuses(engine: DockerEngine, tmp_path: Path, fault: str, status: str) -> None:
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        start(engine, stub)
        name, _, value = fault.partition("=")
        if value:
            setattr(stub, name, int(value))
        else:
            stub.url = "http://127.0.0.1:9"
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("rotate_key")
            assert "new_key_works" in [one.name for one in plan.refusals]
            assert guard(plan, "new_key_works").status.value == status


async def test_a_key_that_changed_or_lost_its_place_since_the_plan_is_stale(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with groq_stub(OLD_KEY, NEW_KEY, "quartz-ibis-0001-next") as stub:
        start(engine, stub)
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("rotate_key")
            monkeypatch.setenv(NEW_ENV, "quartz-ibis-0001-next")
            done = await lab.apply(plan)
            assert done.state is State.REFUSED, done.says
            assert "quartz-ibis" not in done.says
            monkeypatch.delenv(NEW_ENV)
            done = await lab.apply(plan)
            assert done.state is State.REFUSED, done.says
            monkeypatch.setenv(NEW_ENV, "two words")
            plan = await lab.plan("rotate_key")
            assert "new_key_well_formed" in [one.name for one in plan.refusals]
            monkeypatch.setenv(NEW_ENV, OLD_KEY)
            with pytest.raises(NothingToDoError):
                await lab.plan("rotate_key")
        assert env_of(engine)["GROQ_API_KEY"] == OLD_KEY


async def test_a_failure_in_the_applications_own_log_takes_the_key_back(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API takes the key, but the application's calls fail with it: another project, say."""
    bad = "copper-bad-heron-1"
    monkeypatch.setenv(NEW_ENV, bad)
    async with groq_stub(OLD_KEY, bad) as stub:
        start(engine, stub)
        before = engine.identity(BOX)
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            done = await lab.apply(await lab.plan("rotate_key"))
            assert done.state is State.ROLLED_BACK, done.says
            assert "401" in done.says
        assert (engine.identity(BOX), env_of(engine)["GROQ_API_KEY"]) == (before, OLD_KEY)


async def test_a_model_is_switched_where_the_api_has_it(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY) as stub:
        start(engine, stub, GROQ_MODEL="gone")
        async with container_lab(engine, use(stub, APP, probe="completion"), tmp_path) as lab:
            lab.known = reading(GroqFault.NO_MODEL)
            missing = await lab.plan("switch_model", model="no-such-model")
            assert {"model_listed", "model_answers"} & {one.name for one in missing.refusals} == {"model_listed"}
            assert not stub.asked("chat/completions")
            plan = await lab.plan("switch_model", model="llama-3.3-70b-versatile")
            assert plan.refusals == ()
            assert plan.problem == f"groq/{NAME}: the API has no gone"
            assert guard(plan, "model_answers").status is GuardStatus.PASS
            done = await lab.apply(plan)
            assert done.state is State.VERIFIED, done.says
            assert env_of(engine)["GROQ_MODEL"] == "llama-3.3-70b-versatile"
            assert stub.asked("chat/completions") == 3  # the plan, the look before applying, one check
            assert_no_secret(lab, plan)


async def test_no_token_is_spent_without_leave_and_a_model_without_room_is_refused(
    engine: DockerEngine, tmp_path: Path
) -> None:
    async with groq_stub(OLD_KEY) as stub:
        start(engine, stub)
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("switch_model", model="openai/gpt-oss-20b")
            assert "model_answers" not in {one.name for one in plan.guards}
            assert any("allows no token" in one.why for one in plan.mitigations)
            assert (plan.refusals, plan.risk.cls) == ((), 3)
        async with container_lab(engine, use(stub, APP, probe="completion"), tmp_path) as lab:
            lab.known = reading(tokens_today=200_000)
            plan = await lab.plan("switch_model", model="openai/gpt-oss-20b")
            assert any("budget" in one.why for one in plan.mitigations)
            lab.known = reading(GroqFault.RATE_LIMITED)
            plan = await lab.plan("switch_model", model="openai/gpt-oss-20b")
            assert [one.name for one in plan.refusals] == ["not_rate_limited"]
            assert not stub.asked("chat/completions")
            lab.known = None
            stub.completion_fails = 429
            plan = await lab.plan("switch_model", model="openai/gpt-oss-20b")
            assert {one.name for one in plan.refusals} == {"model_answers", "not_rate_limited"}
            with pytest.raises(NothingToDoError):
                await lab.plan("switch_model", model="llama-3.1-8b-instant")
            with pytest.raises(PlanError, match="no id of a model"):
                await lab.plan("switch_model", model="a b")


async def test_timeouts_are_set_with_the_worst_case_shown(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY) as stub:
        start(engine, stub, GROQ_TIMEOUT="60", GROQ_MAX_RETRIES="2")
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("set_timeouts", timeout="12.5")
            assert plan.diff[0].before == "timeout 60 s x (retries 2 + 1) = 180 s\n"
            assert plan.diff[0].after == "timeout 12.5 s x (retries 1 + 1) = 25 s\n"
            done = await lab.apply(plan)
            assert done.state is State.VERIFIED, done.says
            now = env_of(engine)
            assert (now["GROQ_TIMEOUT"], now["GROQ_MAX_RETRIES"]) == ("12.5", "1")
        assert stub.seen == []


async def test_concurrency_is_limited_until_the_api_no_longer_limits(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY) as stub:
        start(engine, stub, GROQ_CONCURRENCY="16")
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            lab.known = reading(GroqFault.RATE_LIMITED)
            assert [one.name for one in (await lab.plan("limit_concurrency", concurrency="32")).refusals] == ["lower_than_now"]
            plan = await lab.plan("limit_concurrency", concurrency="4")
            assert plan.problem == f"groq/{NAME}: the API limits it (429)"
            done = await lab.apply(plan)
            assert done.state is State.VERIFIED, done.says
            assert env_of(engine)["GROQ_CONCURRENCY"] == "4"
            for wrong in ("0", "many", "-3"):
                with pytest.raises(PlanError):
                    await lab.plan("limit_concurrency", concurrency=wrong)


async def test_a_limit_that_does_not_help_is_taken_back(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY) as stub:
        start(engine, stub, GROQ_CONCURRENCY="16")
        before = engine.identity(BOX)
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            done = await lab.apply(await lab.plan("limit_concurrency", concurrency="8"))
            assert done.state is State.ROLLED_BACK, done.says
            assert "429" in done.says
        assert engine.identity(BOX) == before


async def test_a_container_without_the_variable_is_not_given_a_key(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        engine.run(BOX, "sleep", "1000")
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            plan = await lab.plan("rotate_key")
            assert {"setting_present", "old_key_kept"} <= {one.name for one in plan.refusals}
            plan = await lab.plan("limit_concurrency", concurrency="4")
            assert guard(plan, "setting_present").status is GuardStatus.UNKNOWN
            assert plan.refusals == ()
        named = GroqAppConfig(container=f"{HOST}/docker/{BOX}", concurrency="WORKERS")
        async with container_lab(engine, use(stub, named), tmp_path) as lab:
            plan = await lab.plan("limit_concurrency", concurrency="4")
            assert guard(plan, "setting_present").status is GuardStatus.PASS
            assert (plan.refusals, plan.risk.cls) == ((), 3)


async def test_what_is_not_configured_is_said(engine: DockerEngine, tmp_path: Path) -> None:
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        async with container_lab(engine, use(stub, None), tmp_path) as lab:
            with pytest.raises(PlanError, match="app in"):
                await lab.plan("rotate_key")
        async with container_lab(engine, use(stub, GroqAppConfig(container="kvm-09/docker/x")), tmp_path) as lab:
            with pytest.raises(PlanError, match="kvm-09"):
                await lab.plan("rotate_key")
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            with pytest.raises(PlanError, match="no container"):
                await lab.plan("rotate_key")
        start(engine, stub)
        async with container_lab(engine, use(stub, APP, next_key=None), tmp_path) as lab:
            with pytest.raises(PlanError, match="next_key"):
                await lab.plan("rotate_key")


class Answering:
    """An operator who types what is left of `answers`."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[SecretQuestion]()

    async def secret(self, question: SecretQuestion) -> str | None:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None

    async def trust_host_key(self, question: object) -> bool:
        return False


async def test_a_key_that_is_asked_for_is_asked_once_and_again_where_it_did_not_serve(
    engine: DockerEngine, tmp_path: Path
) -> None:
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        start(engine, stub)
        asker = Answering("mistyped-heron-7719", NEW_KEY)
        groq = use(stub, APP, next_key=SecretRef(ask=True))
        async with container_lab(engine, groq, tmp_path, asker=asker) as lab:
            assert "new_key_works" in [one.name for one in (await lab.plan("rotate_key")).refusals]
            plan = await lab.plan("rotate_key")
            done = await lab.apply(plan)
            assert done.state is State.VERIFIED, done.says
            assert len(asker.asked) == 2
            assert_no_secret(lab, plan)


async def test_whoever_changes_the_container_itself_has_to_wait(engine: DockerEngine, tmp_path: Path) -> None:
    """The lease is on what is changed, not on the use of the API alone."""
    async with groq_stub(OLD_KEY, NEW_KEY) as stub:
        start(engine, stub, GROQ_TIMEOUT="60", GROQ_MAX_RETRIES="2")
        async with container_lab(engine, use(stub, APP), tmp_path) as lab:
            other = await lab.desk.plan("docker.restart", Target(HOST, "docker", BOX), {})
            plan = await lab.plan("set_timeouts", timeout="20")
            assert plan.facts["changes"] == f"{HOST}/docker/{BOX}"
            running = asyncio.create_task(lab.apply(plan))
            while not any(one.state is State.VERIFYING for one in lab.told):
                await asyncio.sleep(0.02)
            refused = await lab.apply(other)
            assert refused.state is State.REFUSED
            assert "another operator" in refused.says
            assert (await running).state is State.VERIFIED
