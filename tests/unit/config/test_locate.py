"""The locator against the standard parser: whatever TOML means, both must see the same keys."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.config.locate import line_of, locate

TEXT = '''\
# [no.table] in a comment
title = "a # no comment \\" = x"   # [[no]]
"quoted key".'lit.eral'.plain = 1
multi = """
[not.a.table]
key = 1
""\\""""
raw = \'\'\'
[[nor.this]] '' \'\'\'
[ui]
keys."app.quit" = "x"   # dotted
[[hosts]]
name = "a"
  [[hosts.postgres]]
  name = "one"
  [[hosts.postgres]]
  name = "two"
  backups = [
    # a comment, with ] and }
    {kind = "dump", path = "}]"},
    {kind = "dump", inner = {deep = [1,
      2]}},
  ]
[hosts.extra]
x = 1
[[hosts]]
name = "b"
[[hosts.postgres]]
name = "three"
[a.b.c]
when = 2026-03-14T09:26:53Z
[a]
after = [[1], [2, {k = "v"}]]
'''

LINES = {
    ("title",): 2,
    ("quoted key", "lit.eral", "plain"): 3,
    ("multi",): 4,
    ("raw",): 8,
    ("ui",): 10,
    ("ui", "keys", "app.quit"): 11,
    ("hosts", 0): 12,
    ("hosts", 0, "name"): 13,
    ("hosts", 0, "postgres", 0): 14,
    ("hosts", 0, "postgres", 1, "name"): 17,
    ("hosts", 0, "postgres", 1, "backups", 0, "path"): 20,
    ("hosts", 0, "postgres", 1, "backups", 1, "inner", "deep", 1): 22,
    ("hosts", 0, "extra", "x"): 25,
    ("hosts", 1, "name"): 27,
    ("hosts", 1, "postgres", 0, "name"): 29,
    ("a", "b", "c", "when"): 31,
    ("a", "after", 1, 1, "k"): 33,
}


def places(value, place=()):
    found = {place} if place else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        found |= places(below, (*place, key))
    return found


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_keys(newline):
    text = TEXT.replace("\n", newline)
    found = locate(text)
    assert {place: found.get(place) for place in LINES} == LINES
    assert set(found) == places(tomllib.loads(text))


def test_a_place_that_is_not_there_has_the_line_of_its_table():
    found = locate(TEXT)
    assert line_of(found, ("hosts", 0, "postgres", 0, "dsn")) == 14
    assert line_of(found, ("ui", "keys", "app.quit")) == 11
    assert line_of(found, ("nowhere",)) is None
    assert line_of(locate("[ui.keys]\n\napp.quit = 1"), ("ui", "keys", "app.quit")) == 3


bare = st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True)
key = st.one_of(
    bare,
    st.sampled_from(["a", "b", "c"]),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=4).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.from_regex(r"'[ .\[\]#=]{0,3}'", fullmatch=True),
)
dotted = st.lists(key, min_size=1, max_size=3).map(" . ".join)
scalar = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        '"x # ] } , ="',
        "'y\\'",
        '"""a\n"" [b]\n = """',
        "'''\n''c''''",
        '""',
        "''",
        '""""""',
        '"\\""',
        "2026-01-01",
        "07:00:00",
        "2026-01-01 07:00:00",
        '"""\\"""" """',
        '"""x"""""',
    ]
)


def inline(value):
    pairs = st.dictionaries(st.sampled_from("pqrs"), value, max_size=3)
    return pairs.map(lambda found: "{ " + ", ".join(f"{name} = {text}" for name, text in found.items()) + " }")


def array(value):
    return st.lists(value, max_size=3).map(lambda found: "[\n# ] {\n" + " ,\n".join(found) + " ]")


value = st.recursive(scalar, lambda inner: inline(inner.filter(lambda text: "\n" not in text)) | array(inner), max_leaves=6)
row = st.one_of(
    st.tuples(dotted, value).map(lambda pair: f"  {pair[0]} = {pair[1]} # [x]"),
    dotted.map(lambda name: f"[ {name} ]"),
    dotted.map(lambda name: f"[[{name}]]"),
    st.sampled_from(["", "# k = 1", "\t"]),
)


@settings(max_examples=300)
@given(st.lists(row, max_size=12))
def test_it_sees_the_keys_that_the_parser_sees(rows):
    text = ""
    for line in rows:  # keep what is valid TOML so far
        try:
            tomllib.loads(text + line + "\n")
        except ValueError:
            continue
        text += line + "\n"
    found = locate(text)
    assert set(found) == places(tomllib.loads(text))
    last = text.count("\n")
    assert all(1 <= number <= last for number in found.values())


@given(st.text(st.sampled_from("[]{}=.,#\"'\\ab \n")))
def test_it_ends_on_anything(text):
    locate(text)


def test_it_ends_on_deep_and_long_texts():
    locate("a = " + "[" * 100_000)
    locate("a = '''" + "'" * 100_000)
    locate('a = """' + "\\" * 100_001)
