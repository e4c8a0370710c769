"""Root causes at the API of a third party, in front ends, certificates and proxies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from debugtui.model.chrome import ConsoleMessage
from debugtui.model.groq import PassiveFigures
from debugtui.model.nginx import Listen, Server
from tests.unit.diagnosis.build import (
    GroqFault,
    WebFault,
    access,
    ago,
    answers,
    box,
    causes,
    chain,
    chrome,
    decided,
    docker,
    edges,
    exception,
    groq,
    host,
    nginx,
    on_disk,
    postgres,
    renewal,
    request,
    slow_web,
    tls,
    upstream,
    view,
    web,
)

F = GroqFault


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (F.AUTHENTICATION, "groq.rotate_key"),
        (F.PERMISSION, "groq.rotate_key"),
        (F.NO_MODEL, "groq.switch_model"),
        (F.RATE_LIMITED, "groq.limit_concurrency"),
        (F.CAPACITY, "groq.limit_concurrency"),
        (F.TIMEOUT, "groq.set_timeouts"),
        (F.SERVER, "groq.set_timeouts"),
        (F.STALLED, "groq.set_timeouts"),
        (F.TOO_LARGE, None),
        (F.DNS, None),
        (F.REFUSED, None),
        (F.TLS, None),
    ],
)
def test_a_fault_of_the_api_is_named_and_answered_by_its_class(fault: GroqFault, answer: str | None) -> None:
    found = decided(view(host("n1"), groq(None, fault, fault, name="chat")))
    assert causes(found) == [("groq", "groq/chat")]
    assert [name for name, *_ in answers(found)][:1] == ([answer] if answer else [])
    assert found.findings[0].runbook == "ai-agent"


def test_one_probe_that_failed_in_passing_is_no_proof() -> None:
    assert decided(view(groq(None, None, F.TIMEOUT))).findings == ()
    assert causes(decided(view(groq(None, F.TIMEOUT, F.SERVER)))) == [("groq", "groq/assistant")]


def test_one_probe_that_hung_for_seconds_is_proof_enough() -> None:
    for took_ms, expected in ((9_000.0, [("groq", "groq/assistant")]), (900.0, [])):
        place = groq(GroqFault.STALLED)
        place = replace(place, sources=tuple(replace(one, took_ms=took_ms) for one in place.sources))
        assert causes(decided(view(place), twice=False)) == expected


def test_what_the_application_meets_counts_where_our_own_probe_goes_well() -> None:
    own = PassiveFigures("log of n1/docker/api", 50, {F.AUTHENTICATION: 49})
    found = decided(view(groq(None, None, passive=(own,))))
    assert causes(found) == [("groq", "groq/assistant")]
    assert answers(found)[0] == ("groq.rotate_key", "groq/assistant", {})


def test_a_page_that_answers_500_for_the_apis_sake_is_the_apis_impact() -> None:
    world = view(host("n1", docker(box("api")), web(status=500)), groq(F.AUTHENTICATION, F.AUTHENTICATION))
    found = decided(world, edges(("n1/web/front", "n1/docker/api"), ("n1/docker/api", "groq/assistant")))
    assert causes(found) == [("groq", "groq/assistant")]
    assert "n1/web/front" in found.findings[0].impact[0]


def test_a_calm_api_is_nothing() -> None:
    assert decided(view(groq(None, None, None))).findings == ()


def test_a_script_that_throws_on_a_page_whose_api_is_well_is_the_releases_fault() -> None:
    found = decided(view(host("n1", web(), nginx(), chrome(console=(exception(),)), docker(box("api")))))
    assert causes(found) == [("web", "n1/web/front")]
    assert found.findings[0].evidence[-1].source.kind == "chrome"
    assert answers(found) == [("nginx.rollback_release", "n1/nginx/main", {})]


def test_a_script_that_throws_over_an_answer_that_failed_is_the_answers_fault() -> None:
    page = chrome(console=(exception(),), failed=(request("/api/x", 504),))
    found = decided(view(host("n1", web(), nginx(), page, postgres(**chain(900)))))
    assert causes(found) == [("postgres", "n1/postgres/shop/900")]


def test_an_asset_that_is_missing_is_the_releases_fault_and_a_favicon_is_none() -> None:
    missing = decided(view(host("n1", web(), nginx(), chrome(failed=(request("/assets/app.9f.js", 404, "script"),)))))
    assert causes(missing) == [("web", "n1/web/front")]
    assert "/assets/app.9f.js" in missing.findings[0].title
    noise = (ConsoleMessage("error", "Failed to load resource: 404", "http://127.0.0.1:8080/favicon.ico"),)
    icon = chrome(console=noise, failed=(request("/favicon.ico", 404, "image"),))
    found = decided(view(host("n1", web(), nginx(), icon)))
    assert (found.findings, found.undecided) == ((), ())


def test_a_page_that_is_slow_in_a_browser_only_is_nothing() -> None:
    import dataclasses

    page = chrome()
    assert page.reading is not None
    slow = dataclasses.replace(page, reading=dataclasses.replace(page.reading, lcp_ms=9_000.0, tti_ms=9_000.0))  # type: ignore[type-var]
    assert decided(view(host("n1", web(), slow))).findings == ()


def test_a_slow_answer_counts_only_when_it_is_slow_twice() -> None:
    world = view(host("n1", slow_web()))
    assert decided(world, twice=False).findings == ()
    assert causes(decided(world)) == [("web", "n1/web/front")]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_address_that_fails_for_no_reason_that_is_seen_is_named_itself(status: int) -> None:
    found = decided(view(host("n1", web("shop", status))))
    assert causes(found) == [("web", "n1/web/shop")]


def test_a_body_that_is_another_one_is_the_releases_fault() -> None:
    from debugtui.model.web import Match

    wrong = web(matches=(Match("status", "200", "200", True), Match("body", "Shop", "Welcome to nginx!", False)))
    found = decided(view(host("n1", wrong, nginx(), docker(box("job", exit_code=1, looping=True, state="restarting")))))
    assert set(causes(found)) == {("web", "n1/web/front"), ("docker", "n1/docker/job")}


# Certificates


def test_a_certificate_that_has_ended_is_renewed_where_certbot_knows_it() -> None:
    world = view(
        host("n1", web(status=None, fault=WebFault.TLS), tls(-2, trusted=False, distrust="expired", renewal=renewal()), nginx())
    )
    found = decided(world)
    assert causes(found) == [("web", "n1/tls/front")]
    assert answers(found)[0] == ("nginx.renew_certificate", "n1/nginx/main", {"name": "shop.example"})


def test_a_certificate_that_lies_renewed_on_the_disk_only_has_to_be_taken() -> None:
    old = tls(-1, trusted=False, distrust="expired", disk=on_disk(80), same_as_disk=False)
    found = decided(view(host("n1", web(status=None, fault=WebFault.TLS), old, nginx())))
    assert causes(found) == [("web", "n1/tls/front")]
    assert answers(found) == [("nginx.reload", "n1/nginx/main", {})]


@pytest.mark.parametrize("changes", [{"name_matches": False}, {"trusted": False, "distrust": "unknown authority"}])
def test_a_wrong_certificate_is_named(changes: dict) -> None:
    assert causes(decided(view(host("n1", web(), tls(60, **changes), nginx())))) == [("web", "n1/tls/front")]


def test_a_reminder_is_no_fault_and_a_week_is() -> None:
    assert decided(view(host("n1", web(), tls(18)))).findings == ()
    assert causes(decided(view(host("n1", web(), tls(5))))) == [("web", "n1/tls/front")]


# nginx


def test_an_nginx_that_is_down_explains_the_address_that_it_served() -> None:
    world = view(host("n1", web(status=None, fault=WebFault.REFUSED), nginx(master=None), docker(box("api"))))
    found = decided(world)
    assert causes(found) == [("web", "n1/nginx/main")]
    assert answers(found)[0] == ("system.restart_unit", "n1/system/nginx.service", {})


def test_a_broken_configuration_is_the_cause_of_an_nginx_that_is_down() -> None:
    world = view(
        host(
            "n1", web(status=None, fault=WebFault.REFUSED), nginx(master=None, config_ok=False, config_says="unknown directive")
        )
    )
    found = decided(world)
    assert causes(found) == [("web", "n1/nginx/main")]
    assert "unknown directive" in found.findings[0].title


def test_a_port_that_another_program_holds_is_named() -> None:
    server = Server(("_",), (Listen("0.0.0.0:8080", 8080, False, False, "python3 (99)"),), file="/etc/nginx/conf.d/a.conf")
    found = decided(view(host("n1", web(status=404), nginx(servers=(server,)))))
    assert causes(found) == [("web", "n1/nginx/main")]
    assert "python3 (99)" in found.findings[0].title


def test_one_dead_server_of_several_is_taken_out() -> None:
    found = decided(view(host("n1", web(), nginx(upstreams=(upstream("pool", port_8001=True, port_8002=False),)))))
    assert causes(found) == [("web", "n1/nginx/main")]
    assert answers(found)[0] == ("nginx.drain_upstream", "n1/nginx/main", {"server": "127.0.0.1:8002"})


def test_errors_of_the_last_minutes_that_are_over_are_nothing() -> None:
    found = decided(view(host("n1", web(), nginx(access=access(0.2)), docker(box("api")))))
    assert (found.findings, found.undecided) == ((), ())


def test_a_configuration_that_was_changed_and_not_taken_is_only_a_reminder() -> None:
    assert decided(view(host("n1", web(), nginx(config_changed_at=ago(5), started_at=ago(900))))).findings == ()


def test_an_api_that_only_the_browser_sees_failing_is_a_finding_from_one_look() -> None:
    world = view(host("n1", web(), nginx(access=access(0.3)), chrome(failed=(request("/api/cart", 500),)), docker(box("api"))))
    assert causes(decided(world, twice=False)) == [("web", "n1/web/front")]
    late = view(host("n1", web(), chrome(failed=(request("/api/cart", None, failure="timed out"),))))
    assert decided(late, twice=False).findings == ()


def test_calls_that_failed_and_have_long_gone_well_again_are_nothing() -> None:
    for since, expected in ((30, []), (0, [("groq", "groq/assistant")])):
        figures = PassiveFigures("log of n1/docker/bot", 40, {F.AUTHENTICATION: 5}, sound_since=since)
        assert causes(decided(view(groq(None, None, passive=(figures,))))) == expected


def test_an_address_where_nobody_listens_is_told_as_the_address_and_not_as_its_certificate() -> None:
    refused = tls(fault=WebFault.REFUSED)
    found = decided(view(host("n1", web(status=None, fault=WebFault.REFUSED), refused)))
    assert causes(found) == [("web", "n1/web/front")]
