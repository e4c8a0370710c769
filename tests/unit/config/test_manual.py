"""The manual names every key of every table, in the table's own section, and its examples load."""

import re
from pathlib import Path

import pytest

from debugtui.config.load import read_text
from debugtui.config.schema import tables
from debugtui.config.secrets import SecretRef
from debugtui.model.actions import ACTIONS

MANUAL = (Path(__file__).parents[3] / "docs/configuration.md").read_text()
SECTIONS = {
    name.strip("[]`"): body
    for heading, body in re.findall(r"^##+ (.*?)\n(.*?)(?=^## |^### |\Z)", MANUAL, re.MULTILINE | re.DOTALL)
    for name in heading.split(", ")
}
DOCUMENTED = [(name, table) for name, table in tables() if name and table is not SecretRef]


@pytest.mark.parametrize(("name", "table"), DOCUMENTED, ids=[name for name, _ in DOCUMENTED])
def test_every_key_is_in_its_section(name, table):
    rows = re.findall(r"^\| `(\w+)` \|", SECTIONS[name], re.MULTILINE)
    assert rows == list(table.model_fields)


def test_every_way_to_a_secret_is_named():
    assert re.findall(r"^\| `\{(\w+) = ", MANUAL, re.MULTILINE) == list(SecretRef.model_fields)


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL))
def test_examples_load(example):
    read_text(example, Path("c"))


def test_every_action_is_listed_with_its_keys():
    rows = re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \|", SECTIONS["Actions and their keys"], re.MULTILINE)
    assert rows == [(action.id, action.keys) for action in ACTIONS]
