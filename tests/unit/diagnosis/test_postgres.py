"""Root causes in databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from debugtui.diagnosis.found import Memory
from debugtui.model.docker import Container
from debugtui.model.postgres import Archiver, PreparedTransaction
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.web import Match, Timing
from tests.unit.diagnosis.build import (
    ago,
    answers,
    box,
    causes,
    chain,
    chrome,
    decided,
    docker,
    edges,
    host,
    index,
    nginx,
    node,
    postgres,
    request,
    session,
    setting,
    slow_web,
    source,
    statement,
    table,
    view,
    web,
)

ROUTE = (("n1/web/front", "n1/nginx/main"), ("n1/nginx/main", "n1/docker/api"), ("n1/docker/api", "n1/postgres/shop"))


def api(**changes: object) -> Container:
    return box("api", **changes)


def test_what_nobody_feels_explains_no_failing_page() -> None:
    failing = Archiver("on", 9, 1, "0A", ago(900), "0B", ago(20))
    world = view(host("n1", postgres(archiver=failing), docker(box("api")), web(status=500)))
    topology = edges(("n1/web/front", "n1/docker/api"), ("n1/docker/api", "n1/postgres/shop"))
    found = decided(world, topology)
    assert ("postgres", "n1/postgres/shop") in causes(found)
    assert all("web/front" not in row for one in found.findings if one.layer.value == "postgres" for row in one.impact)


def test_a_session_that_does_nothing_in_its_transaction_and_blocks_others_is_ended() -> None:
    found = decided(view(host("n1", postgres(**chain(900)))))
    assert causes(found) == [("postgres", "n1/postgres/shop/900")]
    assert found.findings[0].title == "session 900 of batch (idle in transaction for 80 s) blocks 2 sessions on orders"
    assert answers(found) == [("postgres.terminate_session", "n1/postgres/shop/900", {})]
    assert found.findings[0].since == ago(81)


def test_a_session_that_works_and_blocks_others_is_asked_to_stop_first() -> None:
    found = decided(view(host("n1", postgres(**chain(900, "active", 70)))))
    assert [name for name, *_ in answers(found)] == ["postgres.cancel_query", "postgres.terminate_session"]


def test_a_young_chain_counts_behind_a_session_that_does_nothing_and_not_behind_one_that_works() -> None:
    assert causes(decided(view(host("n1", postgres(**chain(5, waits=4)))))) == [("postgres", "n1/postgres/shop/5")]
    advisory = decided(view(host("n1", postgres(**chain(5, "idle", 4)))))
    assert causes(advisory) == [("postgres", "n1/postgres/shop/5")]
    assert causes(decided(view(host("n1", postgres(**chain(5, "active", 4)))))) == []


def test_everything_above_a_lock_chain_is_its_impact_and_no_finding_of_its_own() -> None:
    world = view(
        host(
            "n1",
            docker(api(health="unhealthy")),
            postgres(**chain(900)),
            web(status=504),
            nginx(),
            chrome(failed=(request("/api/orders", 504),)),
        )
    )
    found = decided(world, edges(*ROUTE))
    assert causes(found) == [("postgres", "n1/postgres/shop/900")]
    order = [row.source.kind for row in found.findings[0].evidence]
    assert order == ["chrome", "web", "docker", "postgres"]
    assert found.findings[0].confidence >= 0.9
    assert found.findings[0].severity == "critical"
    assert any("sessions wait (api)" in line for line in found.findings[0].impact)


def test_a_lock_chain_explains_a_504_even_where_no_edge_is_known() -> None:
    assert causes(decided(view(host("n1", postgres(**chain(900)), web(status=504))))) == [("postgres", "n1/postgres/shop/900")]


def test_a_prepared_transaction_that_blocks_is_named_and_left_to_its_coordinator() -> None:
    locks = (node(0, 0, state="prepared", gid="tx-9", waiters=1, application=""), node(7, 1, waits=50.0))
    prepared = (PreparedTransaction("tx-9", ago(900), "shop", "shop", 3),)
    found = decided(view(host("n1", postgres(sessions=(session(7, blocked_by=(0,)),), locks=locks, prepared=prepared))))
    assert causes(found) == [("postgres", "n1/postgres/shop/tx-9")]
    assert answers(found) == []


def test_two_chains_are_two_findings() -> None:
    one, two = chain(100), chain(200)
    both = {key: one[key] + two[key] for key in one}
    assert set(causes(decided(view(host("n1", postgres(**both)))))) == {
        ("postgres", "n1/postgres/shop/100"), ("postgres", "n1/postgres/shop/200"),
    }  # fmt: skip


def test_connections_that_one_application_hoards_are_freed() -> None:
    sessions = (
        *(session(pid, "idle", "leaky", 600) for pid in range(70)),
        *(session(pid, "active", "api") for pid in range(80, 95)),
    )
    found = decided(view(host("n1", postgres(connections=90, sessions=sessions))))
    assert causes(found) == [("postgres", "n1/postgres/shop")]
    assert "leaky holds 70" in found.findings[0].title
    assert answers(found) == [("postgres.free_connections", "n1/postgres/shop", {"application": "leaky"})]


def test_connections_that_all_wait_for_one_lock_are_the_lock_holders_fault() -> None:
    waiting = tuple(session(pid, "active", "api", 50, blocked_by=(900,)) for pid in range(1000, 1080))
    locks = (node(900, 0, state="idle in transaction", waiters=80), *(node(pid, 1, waits=50.0) for pid in range(1000, 1080)))
    sessions = (session(900, "idle in transaction", "batch", 70), *waiting)
    found = decided(view(host("n1", postgres(connections=95, sessions=sessions, locks=locks))))
    assert causes(found) == [("postgres", "n1/postgres/shop/900")]


def test_a_server_that_takes_no_more_connections_is_named_though_it_cannot_be_read() -> None:
    world = view(host("n1", source(Kind.POSTGRES, None, "shop", "sorry, too many clients already"), web(status=500)))
    found = decided(world, edges(("n1/web/front", "n1/postgres/shop")))
    assert causes(found) == [("postgres", "n1/postgres/shop")]


def test_a_server_that_is_down_is_named_and_one_that_refuses_our_password_is_only_asked_about() -> None:
    down = decided(view(host("n1", source(Kind.POSTGRES, None, "shop", "nothing listens on 127.0.0.1:5433"), web(status=500))))
    assert causes(down) == [("postgres", "n1/postgres/shop")]
    refused = decided(
        view(host("n1", source(Kind.POSTGRES, None, "shop", 'password authentication failed for user "monitor"'), web()))
    )
    assert refused.findings == ()
    assert "n1/postgres/shop" in refused.undecided[0].reading
    assert "with a login that it accepts" in refused.undecided[0].reading


def test_a_server_that_we_do_not_reach_while_what_uses_it_says_that_it_is_well_is_a_question_of_the_way_there() -> None:
    well = web(matches=(Match("status", "200", "200", True), Match("json checks.db", "ok", "ok", True)))
    lost = source(Kind.POSTGRES, None, "shop", "nothing listens on 127.0.0.1:5433")
    found = decided(view(host("n1", lost, well, docker(api()))), edges(*ROUTE))
    assert found.findings == ()
    assert "answers well" in found.undecided[0].question


def test_an_invalid_index_is_dropped() -> None:
    found = decided(view(host("n1", postgres(indexes=(index("ok"), index("half", valid=False))))))
    assert answers(found) == [("postgres.drop_index", "n1/postgres/shop", {"name": "public.half"})]
    assert found.findings[0].evidence[-1].reading == "indexes[public.half].valid"


def test_a_statement_that_reads_a_table_whole_again_and_again_wants_an_index() -> None:
    slow = (statement('SELECT * FROM "orders" WHERE ref = $1', 1_900),)
    world = view(
        host("n1", postgres(tables=(table("orders", needs_index=True, seq_scans=9_000),), statements=slow), slow_web())
    )
    found = decided(world)
    assert causes(found) == [("postgres", "n1/postgres/shop")]
    assert answers(found) == [("postgres.create_index", "n1/postgres/shop", {"table": "public.orders"})]


def test_dead_rows_are_vacuumed_where_autovacuum_is_off_and_are_nothing_else() -> None:
    swollen = (table("orders", dead=900_000, dead_percent=90.0),)
    off = decided(view(host("n1", postgres(tables=swollen, settings=(setting("autovacuum", "off"),)))))
    assert answers(off) == [("postgres.vacuum", "n1/postgres/shop", {"table": "public.orders"})]
    assert causes(decided(view(host("n1", postgres(tables=swollen))))) == []


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [("default_transaction_read_only", "on", ""), ("statement_timeout", "200", "ms"), ("enable_indexscan", "off", "")],
)
def test_a_setting_that_hurts_is_named(name: str, value: str, unit: str) -> None:
    found = decided(view(host("n1", postgres(settings=(setting(name, value, unit), setting("work_mem", "8192", "kB"))))))
    assert causes(found) == [("postgres", "n1/postgres/shop")]
    assert name in found.findings[0].title


def test_a_timeout_that_hurts_one_role_is_bounded_for_that_role() -> None:
    tight = replace(setting("statement_timeout", "9", "ms"), source="role till")
    found = decided(view(host("n1", postgres(settings=(tight,)))))
    assert "statement_timeout is 9 ms for the role till" in found.findings[0].title
    bound = {"role": "till", "name": "statement_timeout", "value": "30s"}
    assert answers(found) == [("postgres.role_timeout", "n1/postgres/shop", bound)]


def test_a_long_statement_is_a_batch_until_a_page_waits_for_it() -> None:
    batch = postgres(sessions=(session(77, "active", "nightly", 900),))
    assert decided(view(host("n1", batch))).findings == ()
    found = decided(view(host("n1", batch, docker(api()), nginx(), slow_web())), edges(*ROUTE))
    assert causes(found) == [("postgres", "n1/postgres/shop/77")]
    assert answers(found)[0] == ("postgres.cancel_query", "n1/postgres/shop/77", {})


def test_commits_that_wait_for_a_standby_are_named() -> None:
    waiting = tuple(session(pid, "active", "api", 20, wait_event_type="IPC", wait_event="SyncRep") for pid in (1, 2, 3))
    found = decided(view(host("n1", postgres(sessions=waiting))))
    assert causes(found) == [("postgres", "n1/postgres/shop")]
    assert "cannot commit" in found.findings[0].title


def test_a_busy_batch_is_nothing() -> None:
    busy = tuple(session(pid, "active", "batch", 30) for pid in range(40))
    reading = postgres(
        sessions=busy,
        connections=70,
        tables=(table("a", dead=50_000, dead_percent=60.0),),
        statements=(statement("COPY a", 4_000),),
        locks=(node(3, 0, waiters=1), node(4, 1, waits=2.0)),
    )
    found = decided(view(host("n1", reading, web(timing=Timing(1.0, None, 900.0, 950.0)))))
    assert (found.findings, found.undecided) == ((), ())


def test_a_cause_that_began_after_a_symptom_does_not_explain_it() -> None:
    world = view(host("n1", docker(api(health="unhealthy")), postgres(**chain(900, waits=20))))
    early = {("unhealthy", Target("n1", "docker", "api")): ago(600)}
    found = decided(world, edges(*ROUTE), history=early)
    assert set(causes(found)) == {("docker", "n1/docker/api"), ("postgres", "n1/postgres/shop/900")}


def idle_writer(seconds: float = 20.0) -> dict[str, object]:
    return {"sessions": (session(900, "idle in transaction", "admin", seconds, has_written=True),)}


def test_a_blocker_is_remembered_while_those_who_waited_come_again() -> None:
    memory = Memory()
    memory.note(view(host("n1", postgres(**chain(900)))))
    between = view(host("n1", postgres(**idle_writer()), web(status=504)))
    memory.note(between)
    found = decided(between, history=memory.seen)
    assert causes(found) == [("postgres", "n1/postgres/shop/900")]
    assert answers(found)[0] == ("postgres.terminate_session", "n1/postgres/shop/900", {})


def test_a_session_that_has_written_and_does_nothing_is_nothing_until_a_page_waits() -> None:
    assert decided(view(host("n1", postgres(**idle_writer())))).findings == ()
    world = view(host("n1", docker(api()), postgres(**idle_writer()), web(status=504), nginx()))
    assert causes(decided(world, edges(*ROUTE))) == [("postgres", "n1/postgres/shop/900")]
