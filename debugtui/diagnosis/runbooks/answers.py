"""What servers answer, as rows and figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.diagnosis.runbooks import judge
from debugtui.diagnosis.runbooks.paths import Leaf
from debugtui.diagnosis.runbooks.step import Judge
from debugtui.model.text import clean, decode, line


def samples(data: Mapping[str, object]) -> list[dict[str, object]]:
    """Return the series of an answer: the value, then the labels."""
    result = data["result"]
    if data.get("resultType") in ("scalar", "string") and isinstance(result, list) and len(result) == 2:
        return [{"value": result[1]}]
    rows: list[dict[str, object]] = []
    for one in result if isinstance(result, list) else ():
        value = one.get("value") if isinstance(one, dict) else None
        metric = one.get("metric") if isinstance(one, dict) else None
        if isinstance(value, list) and len(value) == 2:
            labels = (
                {line(str(name), 60): line(str(label), 120) for name, label in metric.items()}
                if isinstance(metric, dict)
                else {}
            )
            rows.append({"value": value[1], **labels})
    return rows


def of_answer(wanted: Judge, status: int, ms: float, body: bytes) -> judge.Figures:
    """Return what can be judged of an HTTP answer."""
    if wanted.json_path is not None:
        return judge.in_json(decode(body), wanted.json_path)
    if wanted.pattern is not None or wanted.of == "body":
        return judge.in_text(clean(body), wanted.pattern)
    return judge.Figures((Leaf(ms if wanted.of == "ms" else float(status), {}),))
