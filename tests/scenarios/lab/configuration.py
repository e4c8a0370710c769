"""The configuration that watches the lab: once without a browser, which is slow, and once with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scenarios.lab.lab import Lab


def write(lab: Lab) -> None:
    """Write `config.toml` and `chrome.toml` into the lab's folder."""
    for name, chrome in (("config.toml", "false"), ("chrome.toml", "true")):
        (lab.folder / name).write_text(_text(lab, chrome), encoding="utf-8")


def _text(lab: Lab, chrome: str) -> str:
    from tests.scenarios.lab.lab import HOST, INTRANET, MODEL, SECOND

    ssh, second = lab.sshd, lab.second_sshd
    assert ssh is not None
    assert second is not None
    return f"""\
[[hosts]]
name = "{HOST}"
address = "{ssh.address}"
identity = "{ssh.key}"
known_hosts = "{ssh.known_hosts}"
libvirt = "{lab.guests.uri}"
docker = "{lab.containers.url}"
journal = false
  [[hosts.postgres]]
  name = "orders"
  dsn = "{lab.database.dsn(database="orders")}"
  repair_dsn = "{lab.database.dsn(user="postgres", database="orders")}"
  [[hosts.redis]]
  name = "queue"
  url = "{lab.queue.url}"
  queues = ["shop:*"]
  [[hosts.web]]
  name = "front"
  url = "{lab.site.tls_url}/"
  expect = {{ status = 200, body = "Atelier shop" }}
  nginx = "{lab.site.config}"
  ca = "{lab.site.ca.certificate}"
  release = "{lab.site.current}"
  chrome = {chrome}
  [[hosts.web]]
  name = "orders-api"
  url = "{lab.site.url}/api/orders"
  expect = {{ status = 200, body = "order 1" }}
  nginx = "{lab.site.config}"
  [[hosts.web]]
  name = "thumbs"
  url = "{lab.site.url}/thumbs/1.txt"
  nginx = "{lab.site.config}"
  [[hosts.web]]
  name = "intranet"
  url = "{lab.guests.guests[INTRANET].url}"
  expect = {{ body = "Intranet" }}

[[hosts]]
name = "{SECOND}"
address = "{second.address}"
identity = "{second.key}"
known_hosts = "{second.known_hosts}"
libvirt = false
docker = false
system = false
journal = false

[[groq]]
name = "shop-ai"
base_url = "{lab.groq.url}"
api_key = {{ env = "LAB_GROQ_KEY" }}
model = "{MODEL}"
probe = "completion"
timeout = "6s"
app = {{ container = "{HOST}/docker/shop-api-1" }}

[[prometheus]]
name = "prom"
url = "{lab.monitoring.url}"
via = "{HOST}"

[[alertmanager]]
name = "alerts"
url = "{lab.monitoring.alertmanager_url}"
via = "{SECOND}"

[[loki]]
name = "logs"
url = "{lab.loki.url}"

[[grafana]]
name = "boards"
url = "{lab.grafana.url}"
token = {{ env = "LAB_GRAFANA_TOKEN" }}

[[services]]
name = "shop"
owner = "shop team"
resources = ["{HOST}/web/front", "{HOST}/nginx/main", "{HOST}/docker/shop-api-1", "{HOST}/postgres/orders", "groq/shop-ai"]

[[services]]
name = "thumbnails"
resources = ["{HOST}/web/thumbs", "{HOST}/nginx/main", "{HOST}/docker/shop-thumbs-1"]

[[services]]
name = "intranet"
resources = ["{HOST}/web/intranet", "{HOST}/libvirt/{INTRANET}"]
"""
