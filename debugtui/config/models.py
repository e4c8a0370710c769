"""The whole configuration as immutable models; `docs/configuration.md` is its manual."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from debugtui.config.alerts import AlertsConfig
from debugtui.config.cross import cross_faults
from debugtui.config.faults import Place, fault, nearest, raise_faults
from debugtui.config.fields import Flag, HostPath, Hours, LocalPath, Name, Number, Seconds, Table, Text, Url
from debugtui.config.hosts import BackupConfig, BudgetConfig, ExpectConfig, HostConfig, PostgresConfig, WebConfig
from debugtui.config.keymap import canonical_keys, key_faults
from debugtui.config.secrets import SecretRef
from debugtui.model.target import Target

__all__ = [
    "THEMES",
    "AlertsConfig",
    "BackupConfig",
    "BackupsConfig",
    "BudgetConfig",
    "Config",
    "EscalationConfig",
    "EscalationLevel",
    "ExpectConfig",
    "GroqAppConfig",
    "GroqConfig",
    "GroqLogsConfig",
    "HostConfig",
    "HttpConfig",
    "NotifyConfig",
    "PostgresConfig",
    "RepairConfig",
    "SecretRef",
    "ServiceConfig",
    "UiConfig",
    "WebConfig",
    "secrets_of",
]

#: The names of the themes. The themes themselves live above this room; a test compares the two lists.
THEMES = ("rampart-dark", "rampart-light", "rampart-contrast", "rampart-mono")


class UiConfig(Table):
    """The screen.

    Attributes:
        theme: one of `THEMES`.
        language: `en` or `fr`.
        refresh: seconds between two reads of a source, 0.5 to 60; a slow source is read less often.
        keys: action id to its keys, comma separated, in the toolkit's own names after loading.
        mouse: False leaves the mouse to the terminal.
    """

    theme: str = "rampart-dark"
    language: Literal["en", "fr"] = "en"
    refresh: Seconds = Field(default=2.0, ge=0.5, le=60)
    keys: dict[str, str] = Field(default_factory=dict)
    mouse: Flag = True

    @field_validator("theme")
    @classmethod
    def _known_theme(cls, value: str) -> str:
        if value not in THEMES:
            raise fault(f"unknown theme; there are {', '.join(THEMES)}", nearest(value, THEMES))
        return value

    @field_validator("keys", mode="before")
    @classmethod
    def _flat(cls, value: object) -> object:
        """Join `app.quit = "..."`, which TOML reads as a table in a table, to the action id that it means."""
        if not isinstance(value, dict):
            return value
        flat: dict[Any, Any] = {}
        for scope, keys in value.items():
            flat.update({f"{scope}.{verb}": text for verb, text in keys.items()} if isinstance(keys, dict) else {scope: keys})
        return flat

    @field_validator("keys")
    @classmethod
    def _known_keys(cls, value: dict[str, str]) -> dict[str, str]:
        raise_faults("keys", (((action,), says, near) for action, says, near in key_faults(value)))
        return {action: ",".join(canonical_keys(text)) for action, text in value.items()}


class GroqLogsConfig(Table):
    """The log of the application that uses the API: what it says of its calls.

    Attributes:
        container: the target of the container whose log it is, `HOST/docker/NAME`.
        pattern: a regular expression with named groups (`status`, `ms`, `model`, `retry_s`); None: the lines of httpx and groq.
    """

    container: Text
    pattern: Text | None = None


class GroqAppConfig(Table):
    """Where the application keeps its settings of the API, so that they can be repaired.

    Attributes:
        container: the target of the container whose environment holds them, `HOST/docker/NAME`.
        host: where `file` lies.
        file: an environment file (`NAME=value` lines) on `host`.
        unit: the systemd unit to restart after a change of `file`.
        key, model, timeout, retries, concurrency: names of the variables.
    """

    container: Text | None = None
    host: Text | None = None
    file: HostPath | None = None
    unit: Text | None = None
    key: Text = "GROQ_API_KEY"
    model: Text = "GROQ_MODEL"
    timeout: Text = "GROQ_TIMEOUT"
    retries: Text = "GROQ_MAX_RETRIES"
    concurrency: Text = "GROQ_CONCURRENCY"

    @model_validator(mode="after")
    def _one_place(self) -> GroqAppConfig:
        if (self.container is None) == (self.file is None):
            raise fault("names a container, or a host and a file")
        if self.file is not None and self.host is None:
            raise fault("a file needs the host that it lies on")
        return self


class GroqConfig(Table):
    """One use of the Groq API.

    Attributes:
        name: its name on the screen and in targets (`groq/NAME`), unique.
        base_url: where the API is.
        api_key: where the key is found; None: asked for when it is first needed.
        next_key: where the key is found that a rotation puts in its place.
        model: the model that is watched; None: no completion can be probed.
        probe: `models` costs nothing; `completion` spends a token.
        via: the host through whose link it is reached; None: from this machine.
        every: seconds between two probes; None: 30 for `models`, 60 for `completion`.
        timeout: seconds for a whole probe.
        budget: most tokens that the probes may spend in a day (UTC).
        price_in, price_out: US dollars for a million tokens; None: the cost is not known.
        logs: the log of the application that uses it.
        prometheus: name of the Prometheus that has the application's figures.
        app: where the application keeps its settings.
    """

    name: Name
    base_url: Url = "https://api.groq.com"
    api_key: SecretRef | None = None
    next_key: SecretRef | None = None
    model: Text | None = None
    probe: Literal["models", "completion"] = "models"
    via: str | None = None
    every: Seconds | None = Field(default=None, ge=1, le=3600)
    timeout: Seconds = Field(default=10.0, gt=0, le=60)
    budget: Number = Field(default=100_000, ge=0)
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)
    logs: GroqLogsConfig | None = None
    prometheus: Text | None = None
    app: GroqAppConfig | None = None


class HttpConfig(Table):
    """One Prometheus, Loki, Alertmanager or Grafana.

    Attributes:
        name: its name on the screen and in targets, unique among its kind.
        url: where its API is.
        via: the host through whose link it is reached; None: from this machine.
        user: of basic authentication; None: none.
        password: where the user's password is found.
        token: where a bearer token is found (Grafana's service accounts, a proxy before the others).
        ca: file of the authorities that its certificate is judged by, on this machine; None: the system's own.
        every: seconds between two reads; None: 15.
    """

    name: Name
    url: Url
    via: str | None = None
    user: Text | None = None
    password: SecretRef | None = None
    token: SecretRef | None = None
    ca: LocalPath | None = None
    every: Seconds | None = Field(default=None, ge=1, le=3600)


class NotifyConfig(Table):
    """Whom to notify.

    Attributes:
        urls: where the notification URLs are found; each holds a token, so each is a secret.
    """

    urls: tuple[SecretRef, ...] = ()


class BackupsConfig(Table):
    """The objectives of backup and recovery, in seconds.

    Attributes:
        rpo: how much work may be lost: the greatest age of the newest backup.
        rto: how long a restore may take.
    """

    rpo: Seconds = Field(default=3600.0, gt=0)
    rto: Seconds = Field(default=14400.0, gt=0)


class RepairConfig(Table):
    """How repairs are kept and when they need more care.

    Attributes:
        records: folder of the Markdown records, on the operator's machine; None: `operations` in the state directory.
        git: whether each record is committed to the git work tree that the folder lies in.
        freeze: a change freeze: the context factor of every plan is 3.
        peak: hours of much traffic, `08:00-20:00` in the operator's local time; the context factor is then at least 2.
    """

    records: LocalPath | None = None
    git: Flag = False
    freeze: Flag = False
    peak: tuple[Hours, ...] = ()


class EscalationLevel(Table):
    """One level of escalation.

    Attributes:
        name: who or what it is.
        within: seconds since the incident began by which this level has to have resolved it.
        who: how to reach them.
        may: what this level may do.
    """

    name: Name
    within: Seconds = Field(gt=0)
    who: Text | None = None
    may: Text | None = None


class EscalationConfig(Table):
    """The escalation clock.

    Attributes:
        levels: from the first to the last; each takes longer than the one before.
    """

    levels: tuple[EscalationLevel, ...] = ()


class ServiceConfig(Table):
    """One service of the catalogue.

    Attributes:
        name: its name, unique.
        owner: who is responsible, and how to reach them.
        contact: how to reach them at three in the morning.
        resources: the targets that it consists of, `HOST/KIND/NAME`, in the order in which a request passes through them.
        depends_on: names of the services that it cannot do without.
        runbook: where its runbook is: a path, a URL, or the name of one of the runbooks that `debugtui runbooks` lists.
        dashboard: where its dashboard is.
    """

    name: Name
    owner: Text | None = None
    contact: Text | None = None
    resources: tuple[str, ...] = ()
    depends_on: tuple[Text, ...] = ()
    runbook: Text | None = None
    dashboard: Url | None = None

    @field_validator("resources")
    @classmethod
    def _targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        raise_faults(
            "resources",
            (((at,), "must be a target: HOST/KIND/NAME", None) for at, text in enumerate(value) if not _is_target(text)),
        )
        return value


def _is_target(text: str) -> bool:
    try:
        Target.parse(text)
    except ValueError:
        return False
    return text.isprintable()


class Config(Table):
    """The whole configuration.

    Attributes:
        ui: the screen.
        hosts: the hosts, in the order they are shown.
        groq: uses of the Groq API.
        prometheus: Prometheus servers.
        loki: Loki servers.
        alertmanager: Alertmanagers.
        grafana: Grafana servers.
        notify: whom to notify.
        backups: the objectives of backup and recovery.
        repair: how repairs are kept, and when they need more care.
        alerts: what is changed of the alert rules, and own ones.
        escalation: the escalation clock.
        services: the catalogue of services.
    """

    ui: UiConfig = UiConfig()
    hosts: tuple[HostConfig, ...] = ()
    groq: tuple[GroqConfig, ...] = ()
    prometheus: tuple[HttpConfig, ...] = ()
    loki: tuple[HttpConfig, ...] = ()
    alertmanager: tuple[HttpConfig, ...] = ()
    grafana: tuple[HttpConfig, ...] = ()
    notify: NotifyConfig = NotifyConfig()
    backups: BackupsConfig = BackupsConfig()
    repair: RepairConfig = RepairConfig()
    alerts: AlertsConfig = AlertsConfig()
    escalation: EscalationConfig = EscalationConfig()
    services: tuple[ServiceConfig, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        raise_faults("configuration", cross_faults(self.model_dump()))
        return self


def secrets_of(config: Table) -> Iterator[tuple[Place, SecretRef]]:
    """Yield every secret that a configuration names, with its place."""
    for key in type(config).model_fields:
        yield from _secrets(getattr(config, key), (key,))


def _secrets(value: object, place: Place) -> Iterator[tuple[Place, SecretRef]]:
    if isinstance(value, SecretRef):
        yield place, value
    elif isinstance(value, Table):
        for below, ref in secrets_of(value):
            yield (*place, *below), ref
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from _secrets(item, (*place, at))
