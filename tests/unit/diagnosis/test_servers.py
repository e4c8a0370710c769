"""Several databases of one PostgreSQL server: one fault of the server is one finding, and a lock is its own database's."""

from __future__ import annotations

from dataclasses import replace

from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.engine import diagnose
from debugtui.diagnosis.found import Memory
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.patterns import Says
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.source import FleetView, Kind, SourceStatus
from tests.unit.diagnosis.build import (
    NOW,
    ago,
    answers,
    box,
    causes,
    chain,
    decided,
    docker,
    edges,
    event,
    filesystem,
    host,
    node,
    postgres,
    setting,
    source,
    system,
    t,
    view,
    web,
)

GONE = "nothing listens at /run/pg/.s.PGSQL.5477 on elm"
TWO_ROUTES = edges(
    ("elm/web/shop", "elm/docker/cart"), ("elm/docker/cart", "elm/postgres/carts"),
    ("elm/web/stats", "elm/docker/graphs"), ("elm/docker/graphs", "elm/postgres/facts"),
)  # fmt: skip


def of_one_server(name: str, **more: object) -> SourceStatus:
    return postgres(name, started_at=ago(7_777), database=name, **more)


def locked(name: str, others: str) -> SourceStatus:
    """Return what each database of a server sees of a lock in `others`."""
    made = chain(612, waits=40.0)
    made["sessions"] = tuple(replace(one, database=others) for one in made["sessions"])
    return of_one_server(name, **made)


def test_a_server_that_is_down_is_one_finding_that_explains_what_each_of_its_databases_leads_to() -> None:
    lost = (source(Kind.POSTGRES, name=name, problem=GONE) for name in ("facts", "carts"))
    found = decided(
        view(host("elm", docker(box("cart"), box("graphs")), *lost, web("shop", 500), web("stats", 500))), TWO_ROUTES
    )
    assert causes(found) == [("postgres", "elm/postgres/carts")]
    assert [row.partition(":")[0] for row in found.findings[0].impact][:2] == ["elm/web/shop", "elm/web/stats"]


def test_two_servers_that_are_down_are_two_findings() -> None:
    lost = (source(Kind.POSTGRES, name=f"db{port}", problem=GONE.replace("5477", port)) for port in ("5477", "5478"))
    assert len(decided(view(host("elm", *lost))).findings) == 2


def test_a_lock_is_told_by_the_database_in_which_it_is_held() -> None:
    for order in (("facts", "carts"), ("carts", "facts")):
        rows = [locked(name, "carts") for name in order]
        found = decided(view(host("elm", docker(box("cart")), *rows, web("shop", 504))), TWO_ROUTES)
        assert causes(found) == [("postgres", "elm/postgres/carts/612")]
        assert answers(found) == [("postgres.terminate_session", "elm/postgres/carts/612", {})]


def test_a_lock_in_a_database_that_is_not_watched_is_told_by_the_one_that_sees_it() -> None:
    found = decided(view(host("elm", locked("facts", "carts"))))
    assert causes(found) == [("postgres", "elm/postgres/facts/612")]


def test_connections_that_run_out_are_one_finding_also_where_one_database_cannot_be_read_any_more() -> None:
    full = of_one_server("facts", connections=98, max_connections=100, settings=(setting("port", "5477", "5432"),))
    no_room = source(Kind.POSTGRES, name="carts", problem="127.0.0.1:5477: sorry, too many clients already")
    found = decided(view(host("elm", full, no_room, docker(box("cart")), web("shop", 500))), TWO_ROUTES)
    assert causes(found) == [("postgres", "elm/postgres/facts")]
    assert any("elm/web/shop" in row for row in found.findings[0].impact)


def test_connections_that_run_out_are_one_finding_where_no_database_of_the_server_can_be_read() -> None:
    lost = (
        source(Kind.POSTGRES, name=name, problem=f"{where}: remaining connection slots are reserved for superusers")
        for name, where in (("carts", "127.0.0.1:5477"), ("facts", "/run/postgresql/.s.PGSQL.5477"))
    )
    assert len(decided(view(host("elm", *lost))).findings) == 1
    own = (
        source(Kind.POSTGRES, name=name, problem=f'too many connections for database "{name}"') for name in ("carts", "facts")
    )
    assert len(decided(view(host("elm", *own))).findings) == 2


def test_a_prepared_transaction_counts_as_idle() -> None:
    waits = (node(0, 0, state="", waiters=1, gid="xfer-3"), node(41, 1, waits=4.0, blockers=(0,)))
    assert causes(decided(view(host("elm", of_one_server("carts", locks=waits)))))[0][0] == "postgres"


def crashing(says: Says, *rows: SourceStatus) -> Diagnosis:
    loop = box("cart", "restarting", looping=True, exit_code=1, restart_policy="always")
    topology = edges(("elm/docker/cart", "elm/postgres/carts"), ("elm/postgres/carts", "elm/system//pg"))
    looked = Looked((Clue(t("elm/docker/cart"), says, NOW, 9),))
    return decided(view(host("elm", docker(loop), *rows)), topology, looked=looked)


def test_a_container_that_ends_because_its_database_takes_no_writes_is_the_settings_fault() -> None:
    closed = of_one_server("carts", settings=(setting("default_transaction_read_only", "on", "off"),))
    assert causes(crashing(Says.READ_ONLY, closed)) == [("postgres", "elm/postgres/carts")]
    assert {layer for layer, _ in causes(crashing(Says.MISSING_SETTING, closed))} == {"docker", "postgres"}


def test_what_was_there_at_the_first_look_may_have_begun_before_everything_else() -> None:
    events = tuple(event("die", "cart", age, "exit code 1") for age in (600, 300, 30))
    loop = box("cart", "restarting", looping=True, exit_code=1, restart_policy="always")
    closed = of_one_server("carts", settings=(setting("default_transaction_read_only", "on", "off"),))
    topology = edges(("elm/docker/cart", "elm/postgres/carts"))
    looked = Looked((Clue(t("elm/docker/cart"), Says.READ_ONLY, NOW, 9),))
    well, ill = view(host("elm", docker(), of_one_server("carts"))), view(host("elm", docker(loop, events=events), closed))

    def said(*views: FleetView) -> list[tuple[str, str]]:
        memory = Memory()
        for one in views:
            memory.note(one)
        found = diagnose(ill, topology, looked=looked, history=memory.seen, standing=memory.standing, now=NOW)
        return causes(found)

    assert said(ill, ill) == [("postgres", "elm/postgres/carts")]
    assert len(said(well, ill)) == 2, "the setting was seen to come after the loop had begun"


def test_a_database_that_refuses_several_containers_is_at_fault_and_one_refused_container_is_itself() -> None:
    loops = [box(name, "restarting", looping=True, exit_code=1, restart_policy="always") for name in ("cart", "till")]
    topology = edges(("elm/docker/cart", "elm/postgres/carts"), ("elm/docker/till", "elm/postgres/carts"))
    clues = tuple(Clue(t(f"elm/docker/{one.name}"), Says.AUTHENTICATION, NOW, 9) for one in loops)
    world = view(host("elm", docker(*loops), of_one_server("carts")))
    found = decided(world, topology, looked=Looked(clues))
    assert causes(found) == [("postgres", "elm/postgres/carts")]
    assert found.findings[0].title == "carts refuses the logins of 2 containers: cart, till"
    alone = decided(view(host("elm", docker(loops[0]), of_one_server("carts"))), topology, looked=Looked(clues[:1]))
    assert causes(alone) == [("docker", "elm/docker/cart")]
    assert "a login is refused" in alone.findings[0].title


def test_a_container_that_ends_for_want_of_space_below_its_database_is_the_filesystems_fault() -> None:
    full = system(filesystems=(filesystem(40, "/"), filesystem(99.9, "/pg")))
    assert causes(crashing(Says.NO_SPACE, of_one_server("carts"), full)) == [("host", "elm/system//pg")]
    elsewhere = system(filesystems=(filesystem(40, "/"), filesystem(99.9, "/home")))
    assert len(causes(crashing(Says.NO_SPACE, of_one_server("carts"), elsewhere))) == 2
