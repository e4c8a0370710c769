"""Root causes in containers."""

from __future__ import annotations

import pytest

from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.patterns import Says
from debugtui.model.docker import Image
from debugtui.model.source import FleetView, Kind
from tests.unit.diagnosis.build import (
    NOW,
    WebFault,
    ago,
    answers,
    box,
    causes,
    decided,
    docker,
    edges,
    event,
    host,
    nginx,
    postgres,
    refused_upstream,
    source,
    t,
    upstream,
    view,
    web,
)

LOOPING = {"state": "restarting", "looping": True, "restarts": 9, "restart_policy": "always"}


def image(tag: str, identity: str, days: float) -> Image:
    return Image(identity, (tag,), 1, ago(days * 86_400), None)


def test_a_crash_loop_is_named_and_goes_back_to_the_image_before_where_there_is_one() -> None:
    loop = box("mailer", exit_code=7, image="shop/mailer:5", image_id="i5", **LOOPING)
    images = (
        image("shop/mailer:5", "i5", 1),
        image("shop/mailer:4", "i4", 9),
        image("shop/mailer:6", "i6", 0.1),
        image("other:1", "o", 2),
    )
    found = decided(view(host("n1", docker(loop, box("fine"), images=images))))
    assert causes(found) == [("docker", "n1/docker/mailer")]
    assert "exit code 7" in found.findings[0].title
    assert answers(found)[0] == ("docker.recreate", "n1/docker/mailer", {"image": "shop/mailer:4"})


def test_a_loop_for_want_of_memory_gets_twice_its_limit() -> None:
    loop = box("resizer", exit_code=137, oom_killed=True, memory_limit_bytes=192 << 20, **LOOPING)
    found = decided(view(host("n1", docker(loop))))
    assert answers(found)[0] == ("docker.update_limits", "n1/docker/resizer", {"memory": "384m"})
    assert "192 MiB" in found.findings[0].title


def test_an_oom_that_only_the_events_tell_is_told_all_the_same() -> None:
    loop = box("resizer", exit_code=137, memory_limit_bytes=64 << 20, **LOOPING)
    found = decided(view(host("n1", docker(loop, events=(event("oom", "resizer", 20),)))))
    assert answers(found)[0][0] == "docker.update_limits"


def test_a_container_near_its_limit_gets_more_memory() -> None:
    full = box("cache", memory_bytes=97 << 20, memory_limit_bytes=100 << 20)
    found = decided(view(host("n1", docker(full))))
    assert answers(found)[0] == ("docker.update_limits", "n1/docker/cache", {"memory": "200m"})


def test_an_unhealthy_container_is_restarted_when_nothing_below_it_is_at_fault() -> None:
    found = decided(view(host("n1", docker(box("api", health="unhealthy")), postgres())))
    assert causes(found) == [("docker", "n1/docker/api")]
    assert answers(found)[0] == ("docker.restart", "n1/docker/api", {})


@pytest.mark.parametrize(
    ("state", "changes", "answer"),
    [
        ("exited", {"exit_code": 1, "restart_policy": "always"}, "docker.start"),
        ("exited", {"exit_code": 0, "restart_policy": "unless-stopped"}, "docker.start"),
        ("exited", {"exit_code": 2, "restart_policy": "no"}, "docker.start"),
        ("exited", {"exit_code": 137, "oom_killed": True, "memory_limit_bytes": 64 << 20}, "docker.update_limits"),
        ("created", {"exit_code": 127, "error": "exec: no such file"}, "docker.recreate"),
        ("dead", {}, "docker.start"),
    ],
)
def test_a_container_that_does_not_run_though_it_should_is_named(state: str, changes: dict, answer: str) -> None:
    found = decided(view(host("n1", docker(box("job", state, **changes), box("well")))))
    assert causes(found) == [("docker", "n1/docker/job")]
    assert answers(found)[0][0] == answer


def test_a_paused_container_is_named_and_goes_on() -> None:
    found = decided(view(host("n1", docker(box("api", "paused"), events=(event("pause", "api", 33),)), web(status=504))))
    assert causes(found) == [("docker", "n1/docker/api")]
    assert found.findings[0].since == ago(33)
    assert answers(found) == [("docker.unpause", "n1/docker/api", {})]


@pytest.mark.parametrize("code", [0, 137, 143])
def test_what_an_operator_stopped_and_nothing_keeps_running_is_nothing(code: int) -> None:
    stopped = box("report", "exited", exit_code=code, restart_policy="no")
    events = (
        event("kill", "report", 41, "signal 15"),
        event("die", "report", 40, f"exit code {code}"),
        event("stop", "report", 40),
    )
    found = decided(view(host("n1", docker(stopped, box("api", health="healthy"), events=events), web(), nginx())))
    assert (found.findings, found.undecided) == ((), ())


def test_a_container_that_was_killed_and_not_stopped_is_a_fault() -> None:
    killed = box("report", "exited", exit_code=137, restart_policy="no")
    found = decided(view(host("n1", docker(killed, events=(event("kill", "report", 41, "signal 9"),)))))
    assert causes(found) == [("docker", "n1/docker/report")]


def test_what_was_stopped_becomes_the_cause_as_soon_as_a_route_misses_it() -> None:
    stopped = box("api", "exited", exit_code=0, restart_policy="no")
    world = view(host("n1", docker(stopped), nginx(upstreams=(upstream("backend", port_8001=False),)), web(status=502)))
    known = decided(
        world,
        edges(
            ("n1/web/front", "n1/nginx/main"),
            ("n1/nginx/main/backend", "n1/docker/api"),
            ("n1/nginx/main", "n1/nginx/main/backend"),
        ),
    )
    assert causes(known) == [("docker", "n1/docker/api")]
    assert answers(known)[0] == ("docker.start", "n1/docker/api", {})
    assert causes(decided(world)) == [("docker", "n1/docker/api")]


def test_a_job_that_came_to_its_end_by_itself_is_missed_by_nobody() -> None:
    job = box("nightly", "exited", exit_code=0, restart_policy="no", finished_at=ago(40))
    failing = (nginx(upstreams=(upstream("backend", port_8001=False),)), web(status=502))
    ended = docker(job, events=(event("die", "nightly", 40, "exit code 0"),))
    assert causes(decided(view(host("n1", ended, *failing)))) == [("web", "n1/nginx/main")]
    signalled = docker(job, events=(event("kill", "nightly", 41, "signal 15"), event("die", "nightly", 40, "exit code 0")))
    assert causes(decided(view(host("n1", signalled, *failing)))) == [("docker", "n1/docker/nightly")]


def test_a_loop_whose_log_names_a_database_that_is_down_is_the_databases_fault() -> None:
    loop = box("api", exit_code=1, **LOOPING)
    lost = source(Kind.POSTGRES, None, "orders", "nothing listens on 127.0.0.1:5544")
    clue = Clue(t("n1/docker/api"), Says.REFUSED, NOW, 40, "127.0.0.1", "5544", (t("n1/postgres/orders"),))
    found = decided(view(host("n1", docker(loop), lost)), looked=Looked((clue,)))
    assert causes(found) == [("postgres", "n1/postgres/orders")]
    assert [str(row.source) for row in found.findings[0].evidence] == ["n1/docker/api", "n1/docker/api", "n1/postgres/orders"]


def test_a_database_that_is_down_because_its_container_is_down_is_the_containers_fault() -> None:
    gone = box("pg-orders", "exited", exit_code=1, restart_policy="no")
    lost = source(Kind.POSTGRES, None, "orders", "nothing listens on 127.0.0.1:5544")
    world = view(host("n1", docker(gone, box("api", exit_code=1, **LOOPING)), lost))
    clue = Clue(t("n1/docker/api"), Says.REFUSED, NOW, 4, "127.0.0.1", "5544", (t("n1/postgres/orders"),))
    found = decided(world, edges(("n1/postgres/orders", "n1/docker/pg-orders")), looked=Looked((clue,)))
    assert causes(found) == [("docker", "n1/docker/pg-orders")]


def test_a_loop_for_a_missing_setting_says_so_and_offers_what_every_loop_does() -> None:
    world = view(host("n1", docker(box("api", exit_code=1, **LOOPING))))
    plain = decided(world)
    told = decided(world, looked=Looked((Clue(t("n1/docker/api"), Says.MISSING_SETTING, NOW),)))
    assert "a setting is missing" in told.findings[0].title
    assert told.findings[0].remediations == plain.findings[0].remediations


def test_two_containers_in_trouble_are_two_findings() -> None:
    world = view(host("n1", docker(box("a", exit_code=1, **LOOPING), box("b", health="unhealthy"))))
    assert set(causes(decided(world))) == {("docker", "n1/docker/a"), ("docker", "n1/docker/b")}


def test_an_engine_that_is_gone_is_named_and_one_that_refuses_us_is_asked_about() -> None:
    gone = decided(
        view(
            host(
                "n1",
                source(Kind.DOCKER, None, problem="not listening on n1: /run/docker.sock is there, but no service answers"),
            )
        )
    )
    assert causes(gone) == [("docker", "n1/docker")]
    refused = decided(view(host("n1", source(Kind.DOCKER, None, problem="permission denied on n1: /run/docker.sock"))))
    assert refused.findings == ()
    assert "n1/docker" in refused.undecided[0].reading


def test_a_container_that_was_made_anew_right_before_it_failed_cites_the_change() -> None:
    loop = box("api", exit_code=1, created_at=ago(90), **LOOPING)
    found = decided(view(host("n1", docker(loop, events=(event("die", "api", 50), event("die", "api", 20))))))
    assert any("40 s before" in row.says for row in found.findings[0].evidence)


def test_a_502_with_no_container_in_trouble_is_the_proxys_address() -> None:
    world = view(
        host("n1", docker(box("api", health="healthy")), web(status=502), nginx(errors=(refused_upstream("127.0.0.1:59999"),)))
    )  # fmt: skip
    found = decided(world, edges(("n1/web/front", "n1/nginx/main"), ("n1/nginx/main", "n1/address/127.0.0.1:59999")))
    assert causes(found) == [("web", "n1/nginx/main")]
    assert "127.0.0.1:59999" in found.findings[0].title
    assert answers(found)[0][0] == "nginx.edit_config"


def test_a_refused_page_without_a_proxy_is_the_container_behind_it() -> None:
    world = view(host("n1", docker(box("site", exit_code=1, **LOOPING)), web(status=None, fault=WebFault.REFUSED)))
    assert causes(decided(world)) == [("docker", "n1/docker/site")]


def wrong_port(made: float, changed: float) -> FleetView:
    """Return a world in which nginx reaches nobody: a container was made anew, and nginx's files were changed."""
    events = (event("destroy", "api", made + 1), event("create", "api", made), event("start", "api", made))
    dead = nginx(upstreams=(upstream("backend", port_8001=False),), config_changed_at=ago(changed), started_at=ago(changed - 1))
    return view(host("n1", docker(box("api", health="healthy"), events=events), dead, web(status=502)))


def test_a_healthy_container_that_was_made_anew_right_before_nobody_reached_it_is_the_cause() -> None:
    route = edges(("n1/web/front", "n1/nginx/main"), ("n1/nginx/main", "n1/docker/api"))
    found = decided(wrong_port(made=30, changed=4_000), route)
    assert causes(found) == [("docker", "n1/docker/api")]
    assert answers(found)[0][0] == "docker.recreate"
    assert "made anew 30 s ago" in found.findings[0].title
    assert causes(decided(wrong_port(made=30, changed=10), route)) == [("web", "n1/nginx/main")]
    assert causes(decided(wrong_port(made=3_000, changed=4_000), route)) == [("web", "n1/nginx/main")]


def test_a_container_that_was_made_anew_and_serves_is_nothing() -> None:
    events = (event("destroy", "api", 21), event("create", "api", 20))
    found = decided(view(host("n1", docker(box("api", health="healthy"), events=events), nginx(), web())))
    assert (found.findings, found.undecided) == ((), ())


def test_a_route_that_fails_for_no_other_reason_is_the_one_container_behind_it_and_cites_its_log() -> None:
    world = view(host("n1", docker(box("api", health="healthy")), web(status=500)))
    clue = Clue(t("n1/docker/api"), Says.SCHEMA, NOW, 9)
    found = decided(world, edges(("n1/web/front", "n1/docker/api")), looked=Looked((clue,)))
    assert causes(found) == [("docker", "n1/docker/api")]
    assert found.findings[0].title == "api answers requests with 500: its log says that a table or column is missing"
    assert "its log tells of a missing table or column, 9 lines" in [row.says for row in found.findings[0].evidence]
