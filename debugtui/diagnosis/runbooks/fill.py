"""Parameters of steps: `{container}` stands for a value of the target. It stays one value, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote

from debugtui.config.faults import fault, nearest
from debugtui.diagnosis.runbooks.paths import Choice, Part

#: A parameter inside a text.
PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")

#: What a target may give, and what it is.
PARAMETERS: dict[str, str] = {
    "host": "the configured name of the host",
    "name": "the target's own name",
    "service": "the service of the catalogue that the target belongs to",
    "container": "name of the container",
    "vm": "name of the VM",
    "unit": "name of the systemd unit",
    "mount": "where the filesystem is mounted",
    "database": "the configured name of the database",
    "session": "process id of the session",
    "backup_folder": "the folder that the database's backups lie in",
    "backup_pattern": "the pattern of their names",
    "site": "the configured name of the web address",
    "url": "the web address",
    "web_host": "its host name",
    "web_port": "its port",
    "release": "the symbolic link that its files are served through",
    "nginx": "name of the nginx",
    "nginx_config": "its configuration file",
    "use": "name of the use of the Groq API",
    "model": "the model that it uses",
    "base_url": "where the API is",
    "base_host": "its host name",
    "server": "name of the monitoring server",
}

#: What a parameter looks like when a step is checked before there is a target.
SAMPLE: dict[str, str] = {
    **dict.fromkeys(PARAMETERS, "sample"),
    **dict.fromkeys(("mount", "backup_folder", "release"), "/sample"),
    "nginx_config": "/etc/nginx/nginx.conf",
    "session": "4711",
    "web_port": "443",
    "url": "http://sample/",
    "base_url": "http://sample/",
}


class UnfilledError(Exception):
    """A step needs a parameter that this target does not give; `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def used(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the parameters in some texts, each once.

    Raises:
        PydanticCustomError: there is none of that name.
    """
    found = tuple(dict.fromkeys(name for text in texts for name in PLACE.findall(text)))
    for name in found:
        if name not in PARAMETERS:
            raise fault(f"{{{name}}} is no parameter; there are {', '.join(PARAMETERS)}", nearest(name, tuple(PARAMETERS)))
    return found


def _value(values: Mapping[str, str], name: str) -> str:
    if not values.get(name):
        raise UnfilledError(name)
    return values[name]


def text(template: str, values: Mapping[str, str]) -> str:
    """Return a text with its parameters filled.

    Raises:
        UnfilledError: one is not known.
    """
    return PLACE.sub(lambda match: _value(values, match[1]), template)


def argv(template: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command with its parameters filled; a value that looks like an option does not become one.

    Raises:
        UnfilledError: a parameter is not known.
        ValueError: a value begins with a dash where an argument begins.
    """
    found = []
    for word in template:
        filled = text(word, values)
        if filled.startswith("-") and not word.startswith("-"):
            raise ValueError(f"{filled!r} would be taken for an option")
        found.append(filled)
    return tuple(found)


def path(parts: Iterable[Part], values: Mapping[str, str]) -> tuple[Part, ...]:
    """Return a path with the values that it compares with filled."""
    return tuple(replace(part, choices=tuple(_choice(choice, values) for choice in part.choices)) for part in parts)


def _choice(choice: Choice, values: Mapping[str, str]) -> Choice:
    wanted = choice.wanted
    if wanted is None or not PLACE.search(wanted.value):
        return choice
    if wanted.pattern is not None:
        whole = PLACE.sub(lambda match: re.escape(_value(values, match[1])), wanted.value)
        return replace(choice, wanted=replace(wanted, value=whole, pattern=re.compile(whole)))
    return replace(choice, wanted=replace(wanted, value=text(wanted.value, values)))


def url(template: str, values: Mapping[str, str]) -> str:
    """Return an address with its parameters filled: whole addresses at its beginning as they are, all others quoted."""

    def value(match: re.Match[str]) -> str:
        found = _value(values, match[1])
        return found.rstrip("/") if match.start() == 0 and match[1] in ("url", "base_url") else quote(found, safe="")

    return PLACE.sub(value, template)


_PROMQL_TEXT = re.compile(r"""(=~|!~)?\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")


def check_promql(template: str) -> None:
    """See that parameters stand inside texts only, where a value can be written safely.

    Raises:
        PydanticCustomError: one stands elsewhere.
    """
    if PLACE.search(_PROMQL_TEXT.sub('""', template)):
        raise fault('a parameter stands inside quotes: {instance="{host}"}')


def promql(template: str, values: Mapping[str, str]) -> str:
    """Return a PromQL expression with the parameters inside its texts filled, quoted for PromQL and for its expressions."""

    def fill(match: re.Match[str]) -> str:
        quoted = match[2]

        def value(one: re.Match[str]) -> str:
            found = _value(values, one[1])
            if match[1]:
                found = re.escape(found)
            return found.replace("\\", "\\\\").replace(quoted[0], f"\\{quoted[0]}").replace("\n", "\\n")

        return f"{match[1] or ''}{PLACE.sub(value, quoted)}"

    return _PROMQL_TEXT.sub(fill, template)
