"""The alert rules make the anomalies, with what the operator changed of them."""

from __future__ import annotations

import pytest

from debugtui.alerts.settings import Rules
from debugtui.diagnosis.engine import diagnose
from debugtui.diagnosis.found import Memory
from debugtui.model.alert_rules import Override
from tests.unit.diagnosis.build import NOW, causes, filesystem, host, system, view

HALF_FULL, FULL = (view(host("n1", system(filesystems=(filesystem(percent, "/srv"),)))) for percent in (50.0, 99.0))
DISK = [("host", "n1/system//srv")]


@pytest.mark.parametrize(
    ("world", "changes", "wanted"),
    [
        (FULL, {}, DISK),
        (HALF_FULL, {}, []),
        (HALF_FULL, {"disk": (Override(threshold=40.0),)}, DISK),
        (FULL, {"disk": (Override(enabled=False),)}, []),
        (FULL, {"disk": (Override(enabled=False, hosts=("n2",)),)}, DISK),
    ],
)
def test_what_is_no_alert_for_the_operator_is_no_fault_and_the_other_way_round(world, changes, wanted) -> None:
    rules = Rules(changes)
    memory = Memory(rules=rules)
    memory.note(world)
    assert causes(diagnose(world, history=memory.seen, rules=rules, now=NOW)) == wanted
