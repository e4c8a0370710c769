"""The tables of queues and the journal."""

from pathlib import Path

import pytest

from debugtui.config.load import ConfigError, read_text

HOST = '[[hosts]]\nname = "a"\naddress = "local"\n'


def host(text):
    return read_text(HOST + text, Path("c")).config.hosts[0]


def issue(text):
    with pytest.raises(ConfigError) as caught:
        read_text(HOST + text, Path("c"))
    (found,) = caught.value.issues
    return str(found)


def redis(url):
    return f'[[hosts.redis]]\nname = "cache"\nurl = "{url}"\n'


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://127.0.0.1:6379",
        "redis://cache.internal:6380/3",
        "redis://[::1]:6379/0",
        "unix:///run/redis/redis.sock",
        "unix:///run/redis/redis.sock?db=2",
    ],
)
def test_addresses_of_redis(url):
    assert host(redis(url)).redis[0].url == url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "rediss://127.0.0.1",
        "http://127.0.0.1:6379",
        "redis://",
        "redis://host:0",
        "redis://host:99999",
        "redis://host/name",
        "redis://host/0?db=1",
        "redis://host#x",
        "redis://ho st",
        "unix://host/run/redis.sock",
        "unix:///run/redis.sock?db=x",
        "unix:///run/redis.sock?other=1",
    ],
)
def test_what_is_no_address_of_redis_is_refused_in_words(url):
    assert "must be redis://HOST[:PORT][/DATABASE] or unix:///path[?db=0]" in issue(redis(url))


@pytest.mark.parametrize(
    "url", ["redis://:hunter2secret@host", "redis://u:hunter2secret@host", "unix:///r?password=hunter2secret"]
)
def test_a_password_in_the_address_is_refused_and_never_repeated(url):
    said = issue(redis(url))
    assert "never read" in said
    assert "hunter2secret" not in said


def test_defaults_of_queues():
    found = host(redis("redis://h") + '[[hosts.rabbitmq]]\nname = "mq"\nurl = "http://127.0.0.1:15672"\n')
    assert (found.redis[0].queues, found.redis[0].limit, found.redis[0].user) == ((), 1_000, None)
    assert (found.rabbitmq[0].queues, found.rabbitmq[0].limit, found.rabbitmq[0].user) == ((), 1_000, "guest")


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_names_are_unique_on_a_host(kind):
    url = {"redis": "redis://h", "rabbitmq": "http://h:15672"}[kind]
    row = f'[[hosts.{kind}]]\nname = "a"\nurl = "{url}"\n'
    assert f"{kind}[0] has this name already" in issue(row + row)


def test_a_limit_is_a_whole_number_of_zero_or_more():
    assert "at least 0" in issue(redis("redis://h") + "limit = -1\n")
    assert "whole number" in issue(redis("redis://h") + 'limit = "many"\n')


@pytest.mark.parametrize(("text", "value"), [("", None), ("journal = true", True), ("journal = false", False)])
def test_the_journal_is_looked_for_switched_on_or_off(text, value):
    assert host(text).journal is value


def test_a_journal_is_a_directory_of_the_host():
    assert host('journal = "/var/log/journal"').journal == "/var/log/journal"
    assert "absolute path" in issue('journal = "relative/path"')
    assert "absolute path" in issue('journal = "/var/../etc"')
    assert "true, false, or a directory" in issue("journal = 3")
