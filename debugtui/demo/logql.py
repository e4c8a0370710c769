"""As much of LogQL as the emulated Loki answers: selectors, line filters, counts and rates over a range, aggregations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<duration>\d+(?:ms|s|m|h|d|w))"""
    r"""|(?P<number>\d+(?:\.\d+)?)|(?P<sign>\|=|\|~|!=|!~|=~|=|[{}()\[\],|+\-*/<>]))"""
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_RANGES = ("count_over_time", "rate", "bytes_over_time", "bytes_rate")
_AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "count": len,
    "avg": lambda values: sum(values) / len(values),
}
_EMPTY = (
    "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
    'For instance, app=~".*" does not meet this requirement, but app=~".+" will'
)

Labels = Mapping[str, str]
#: The lines of one stream, oldest first: nanoseconds since the epoch, text.
Entries = Sequence[tuple[int, str]]


class LogQlError(Exception):
    """The query cannot be read; the message is worded as Loki's."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label, or on a line (`name` is empty)."""

    name: str
    sign: str
    value: str

    def holds(self, text: str) -> bool:
        """Whether a label's value, or a line, fits."""
        if self.name:
            found = re.fullmatch(self.value, text) is not None if "~" in self.sign else text == self.value
        else:
            found = re.search(self.value, text) is not None if "~" in self.sign else self.value in text
        return found is not self.sign.startswith("!")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A stream selector with its line filters."""

    matchers: tuple[Matcher, ...]
    filters: tuple[Matcher, ...] = ()

    def selects(self, labels: Labels) -> bool:
        """Whether a stream is meant; a label that it lacks is empty."""
        return all(matcher.holds(labels.get(matcher.name, "")) for matcher in self.matchers)

    def keeps(self, text: str) -> bool:
        """Whether a line passes the filters."""
        return all(one.holds(text) for one in self.filters)


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """A figure of the lines of a range, for each stream."""

    function: str
    log: LogQuery
    range_s: float


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A figure of several streams' figures; `most` is the number of `topk`."""

    name: str
    inner: RangeQuery | Aggregation
    by: tuple[str, ...] = ()
    most: int = 0


MetricQuery = RangeQuery | Aggregation


def parse(text: str) -> LogQuery | MetricQuery:
    """Read a query.

    Raises:
        LogQlError: it is none, or one that only the real Loki understands.
    """
    reader = _Reader(text)
    query = reader.query()
    reader.end()
    return query


def log_of(query: LogQuery | MetricQuery) -> LogQuery:
    """Return the log query inside a query."""
    if isinstance(query, LogQuery):
        return query
    return query.log if isinstance(query, RangeQuery) else log_of(query.inner)


def evaluate(query: MetricQuery, streams: Iterable[tuple[Labels, Entries]], at_ns: int) -> list[tuple[dict[str, str], float]]:
    """Return the figure of each group at a moment; streams without a line in the range are absent."""
    if isinstance(query, RangeQuery):
        found = []
        for labels, entries in streams:
            start = at_ns - int(query.range_s * 1e9)
            lines = [text for at, text in entries if start < at <= at_ns and query.log.keeps(text)]
            if lines:
                total = float(sum(len(text) for text in lines) if query.function.startswith("bytes") else len(lines))
                found.append((dict(labels), total / query.range_s if query.function.endswith("rate") else total))
        return found
    inner = evaluate(query.inner, streams, at_ns)
    if query.name == "topk":
        return sorted(inner, key=lambda one: -one[1])[: query.most]
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for labels, value in inner:
        key = tuple((name, labels[name]) for name in query.by if name in labels)
        groups.setdefault(key, []).append(value)
    return [(dict(key), _AGGREGATIONS[query.name](values)) for key, values in groups.items()]


class _Reader:
    """Reads tokens one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise LogQlError(
                    f"parse error at line 1, col {at + 1}: syntax error: unexpected character {text[at : at + 1]!r}"
                )
            self._tokens.append((match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup) + 1))
            at = match.end()
        self._length = len(text)
        self._at = 0

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("$end", "", self._length + 1)

    def _next(self, kind: str, text: str = "") -> str:
        found = self._peek()
        if found[0] != kind or (text and found[1] != text):
            raise self._unexpected()
        self._at += 1
        return found[1]

    def _unexpected(self) -> LogQlError:
        kind, text, column = self._peek()
        word = kind if kind == "$end" else {"word": "IDENTIFIER", "string": "STRING", "number": "NUMBER"}.get(kind, text)
        return LogQlError(f"parse error at line 1, col {column}: syntax error: unexpected {word}")

    def end(self) -> None:
        if self._peek()[0] != "$end":
            raise self._unexpected()

    def query(self) -> LogQuery | MetricQuery:
        return self._log() if self._peek()[1] == "{" else self._metric()

    def _metric(self) -> MetricQuery:
        word = self._next("word")
        if word in _RANGES:
            self._next("sign", "(")
            log = self._log()
            self._next("sign", "[")
            duration = self._next("duration")
            self._next("sign", "]")
            self._next("sign", ")")
            unit = duration.lstrip("0123456789")
            return RangeQuery(word, log, float(duration.removesuffix(unit)) * _UNITS[unit])
        if word != "topk" and word not in _AGGREGATIONS:
            self._at -= 1
            raise self._unexpected()
        by = self._by()
        self._next("sign", "(")
        most = 0
        if word == "topk":
            most = int(float(self._next("number")))
            self._next("sign", ",")
        inner = self._metric()
        self._next("sign", ")")
        return Aggregation(word, inner, by or self._by(), most)

    def _by(self) -> tuple[str, ...]:
        if self._peek()[1] != "by":
            return ()
        self._at += 1
        self._next("sign", "(")
        names = [self._next("word")]
        while self._peek()[1] == ",":
            self._at += 1
            names.append(self._next("word"))
        self._next("sign", ")")
        return tuple(names)

    def _log(self) -> LogQuery:
        self._next("sign", "{")
        matchers = [self._matcher()]
        while self._peek()[1] == ",":
            self._at += 1
            matchers.append(self._matcher())
        self._next("sign", "}")
        if all(matcher.holds("") for matcher in matchers):
            raise LogQlError(_EMPTY)
        filters: list[Matcher] = []
        while self._peek()[1] in ("|=", "!=", "|~", "!~"):
            sign = self._next("sign")
            filters.append(self._condition("", sign))
        return LogQuery(tuple(matchers), tuple(filters))

    def _matcher(self) -> Matcher:
        name = self._next("word")
        if self._peek()[1] not in ("=", "!=", "=~", "!~"):
            raise self._unexpected()
        return self._condition(name, self._next("sign"))

    def _condition(self, name: str, sign: str) -> Matcher:
        text = self._next("string")
        value = text[1:-1] if text.startswith("`") else re.sub(r"\\(.)", _unescaped, text[1:-1])
        if "~" in sign:
            try:
                re.compile(value)
            except re.error as error:
                raise LogQlError(f"parse error : error parsing regexp: {error}") from error
        return Matcher(name, sign, value)


def _unescaped(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t"}.get(match.group(1), match.group(1))
