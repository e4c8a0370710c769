"""What a container's configuration says of its place among the others; secrets never are in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.sources.docker.connections import (
    addresses_of,
    aliases_of,
    connects_of,
    depends_on,
    listens_of,
    own_labels,
    published_of,
)

SECRET = "hunter2sEcret"


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (
            "DATABASE_URL=postgres://u:hunter2sEcret@db.internal:6432/ledger?sslmode=require",
            "postgresql://db.internal:6432/ledger",
        ),
        ("DATABASE_URL=postgresql+asyncpg://u:hunter2sEcret@[fd00::5]/ledger", "postgresql://[fd00::5]:5432/ledger"),
        ("SPRING_DATASOURCE_URL=jdbc:postgresql://db/ledger?user=u&password=hunter2sEcret", "postgresql://db:5432/ledger"),
        ("REDIS_URL=redis://:hunter2sEcret@cache/3", "redis://cache:6379/3"),
        ("BROKER=amqp://guest:hunter2sEcret@rabbit:5672/%2F", None),
        ("BROKER=amqp://guest:hunter2sEcret@rabbit", "amqp://rabbit:5672"),
        ("HOOK=https://hooks.test/services/hunter2sEcret", "https://hooks.test"),
        ("LLM=http://10.0.0.9:8080/openai/v1", "http://10.0.0.9:8080"),
        ("PG_DSN=host=db port=6432 dbname=ledger user=u password=hunter2sEcret", "postgresql://db:6432/ledger"),
        ("KAFKA_BROKERS=a:9092,b:9092", "tcp://a:9092"),
        ("API_ADDR=api:9000", "tcp://api:9000"),
        ("MY_GROQ_API_KEY=hunter2sEcret", "groq:"),
    ],
)
def test_a_variable_tells_where_it_leads(entry: str, found: str | None) -> None:
    name = entry.partition("=")[0]
    hints = connects_of([entry])
    if found is None:
        found = "amqp://rabbit:5672"
    assert f"{name} {found}" in hints
    assert SECRET not in " ".join(hints)


def test_variables_of_one_server_belong_together() -> None:
    env = ["PGHOST=db", "PGPORT=6432", "PGDATABASE=ledger", "PGPASSWORD=hunter2sEcret", "REDIS_HOST=cache", "DB_HOST=/run/pg"]
    assert connects_of(env) == (
        "PGHOST postgresql://db:6432/ledger",
        "REDIS_HOST redis://cache:6379",
        "DB_HOST postgresql://%2Frun%2Fpg:5432",
    )


@pytest.mark.parametrize(
    "value",
    [
        "postgres://u:hunter2sEcret@x@db/ledger",  # more than one sign: which part is the host?
        "postgres://u:p/hunter2sEcret@db/ledger",
        "postgres://u:p?hunter2sEcret@db/ledger",
        "postgres://u:p#hunter2sEcret@db/ledger",
        "redis://:hunter2sEcret",
        "redis://u:hunter2sEcret",
        "postgres://db/led ger@hunter2sEcret",
        "https://gsk_0123456789abcdef0123456789abcdef",
        "https://0123456789abcdef0123456789abcdef",
        "ftp://hunter2sEcret/",
        "postgres://[hunter2sEcret]/x",
        "postgres://db:hunter2sEcret/x",
        "hunter2sEcret",
    ],
)
def test_where_a_password_may_be_in_sight_nothing_is_kept(value: str) -> None:
    hints = connects_of([f"DATABASE_URL={value}"])
    assert not [hint for hint in hints if SECRET in hint or "0123456789abcdef" in hint]


@given(
    password=st.text(st.characters(codec="ascii", exclude_characters="\x00"), min_size=6, max_size=30),
    tail=st.sampled_from(["", "?x=y", "?a=b@c"]),
)
def test_no_password_ever_comes_through(password: str, tail: str) -> None:
    hints = connects_of([f"URL=postgresql://someone:{password}@db.example:5432/ledger{tail}"])
    for hint in hints:
        assert hint == "URL postgresql://db.example:5432/ledger"


@given(
    st.one_of(
        st.none(),
        st.integers(),
        st.lists(st.one_of(st.text(), st.integers(), st.none()), max_size=20),
        st.dictionaries(st.text(), st.text()),
    )
)
def test_any_shape_of_environment_is_read(env: object) -> None:
    assert all(hint.isprintable() for hint in connects_of(env))
    assert all(0 < port < 65_536 for port in listens_of({"Env": env, "ExposedPorts": env}))


def test_ports_are_what_the_image_exposes_and_the_environment_says() -> None:
    config = {
        "ExposedPorts": {"8000/tcp": {}, "53/udp": {}, "x": {}},
        "Env": ["PORT=9000", "LISTEN=0.0.0.0:9001", "DB_PORT=5432", "PORT_MAX=3"],
    }
    assert listens_of(config) == (8000, 9000, 9001)
    assert listens_of({"ExposedPorts": None}) == ()


def test_published_ports_are_known_while_it_does_not_run() -> None:
    bindings = {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "", "HostPort": "8081"}],
        "81/tcp": None,
        "82/tcp": [{"HostPort": ""}],
    }
    assert published_of({"PortBindings": bindings}) == ("127.0.0.1:8080->80/tcp", "0.0.0.0:8081->80/tcp")


def test_names_addresses_and_labels_are_read_with_care() -> None:
    networks = {
        "back": {
            "IPAddress": "172.20.0.2",
            "GlobalIPv6Address": "fd00::2",
            "Aliases": ["db", None],
            "DNSNames": ["db", "base"],
        },
        "none": None,
    }
    assert addresses_of(networks) == ("172.20.0.2", "fd00::2")
    assert aliases_of(networks) == ("db", "base")
    assert depends_on("db:service_healthy:false, redis ,,") == ("db", "redis")
    labels = {
        "debugtui.owner": "[@click=app.quit]me[/]\x1b[31m",
        "debugtui.contact": "token=hunter2sEcretLong",
        "debugtui.x": "y",
    }
    assert own_labels(labels) == (("owner", "[@click=app.quit]me[/]"), ("contact", "token=•••"))
