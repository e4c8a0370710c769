"""What a runbook's file may say: each fault is named with its line, its key and the nearest valid word."""

from __future__ import annotations

from pathlib import Path

import pytest

from debugtui.diagnosis.runbooks.load import LIMIT, RunbookError, load, parse, read

HEAD = 'name = "mine"\ntitle = "Mine"\nsummary = "What it does."\n'
STEP = '[[steps]]\nid = "one"\ntitle = "One"\nwhy = "Because."\n'


def faults(text: str) -> list[str]:
    with pytest.raises(RunbookError) as raised:
        parse(text, "mine.toml")
    return [str(issue) for issue in raised.value.issues]


def step(body: str) -> str:
    return f"{HEAD}{STEP}{body}\n"


def test_a_small_runbook_is_enough() -> None:
    book = parse(step('kind = "note"\ntext = "Call somebody."'), "mine.toml")
    assert (book.name, book.title.en, book.severity) == ("mine", "Mine", "high")
    assert book.title.in_language("fr") == "Mine"


def test_a_title_may_be_in_two_languages() -> None:
    text = step('kind = "note"\ntext = "x"').replace('title = "Mine"', 'title = {en = "Mine", fr = "À moi"}', 1)
    assert parse(text, "f").title.in_language("fr") == "À moi"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('kind = "note"', "mine.toml:4: steps[0].text: missing"),
        ('kind = "not"\ntext = "x"', 'steps[0].kind: must be one of reading, command, sql, logs, query, http, note; did you mean "note"?'),
        ('kind = "note"\ntext = "x"\ntitel = "x"', 'mine.toml:10: steps[0].titel: unknown key; did you mean "title"?'),
        ('kind = "note"\ntext = "x"\nargv = ["df"]', "steps[0].argv: a step of the kind note has no such key"),
        ('kind = "reading"\nread = "postgres.lock"', 'steps[0]: readings of postgres have no \'lock\' there; did you mean "locks"?'),
        ('kind = "reading"\nread = "postgress.locks"', 'read begins with a kind of source: postgres.locks; did you mean "postgres"?'),
        ('kind = "reading"\nread = "docker.containers[nam=x].state"', "containers of docker has no 'nam'; did you mean \"name\"?"),
        ('kind = "reading"\nread = "postgres."', "may not be empty"),
        ('kind = "reading"\nread = "postgres.locks["', "must be a path"),
        ('kind = "command"\nargv = ["rm", "-rf", "/"]', "'rm' is not allowed: it changes the host"),
        ('kind = "command"\nargv = ["dff"]', "did you mean 'df'?"),
        ('kind = "command"\nargv = ["{host}"]', "is no program of the allow list"),
        ('kind = "command"\nargv = ["df", "{hots}"]', '{hots} is no parameter'),
        ('kind = "command"\nargv = ["cat", "{container}"]', "a path begins with one slash"),
        ('kind = "sql"\nsql = "DELETE FROM t"', "SELECT, SHOW or EXPLAIN"),
        ('kind = "sql"\nsql = "SELECT {session}"', "a parameter never stands inside SQL"),
        ('kind = "logs"\nlog = "syslog"', "steps[0].log: must be 'container', 'unit' or 'nginx'"),
        ('kind = "logs"\nlog = "unit"\nlines = 100000', "steps[0].lines: must be at most 5000"),
        ('kind = "logs"\nlog = "unit"\nonly = "("', "must be a regular expression"),
        ('kind = "logs"\nlog = "unit"\nonly = "(a+)+$"', "a repetition inside a repetition"),
        ('kind = "query"\nquery = "up == {host}"', "a parameter stands inside quotes"),
        ('kind = "http"', "needs url or server, one of them"),
        ('kind = "http"\nurl = "http://user:secret@x/"', "without a user"),
        ('kind = "http"\nurl = "file:///etc/passwd"', "must be http:// or https://"),
        ('kind = "http"\nserver = "prometeus"', 'did you mean "prometheus"?'),
        ('kind = "http"\nserver = "loki"\npath = "ready"', "path begins with a slash"),
        ('kind = "note"\ntext = "x"\njudge = {warning = "> 1"}', "a note is judged by a person"),
        ('kind = "command"\nargv = ["uptime"]\njudge = {take = "max"}', "a check that cannot fail is none"),
        ('kind = "command"\nargv = ["uptime"]\njudge = {warning = "above 5"}', "must be >, >="),
        ('kind = "command"\nargv = ["uptime"]\njudge = {warning = "> many"}', "compares numbers"),
        ('kind = "command"\nargv = ["uptime"]\njudge = {warning = "> 1", take = "biggest"}', "must be one of worst"),
        ('kind = "command"\nargv = ["uptime"]\njudge = {warning = "> 1", of = "colum"}', "of is one of output, status"),
        ('kind = "command"\nargv = ["uptime"]\ntimeout = "10m"', "timeout: must be at most 60"),
        ('kind = "command"\nargv = ["uptime"]\n[steps.then.ok]\nmeans = "x"', "it needs a judge"),
        ('kind = "command"\nargv = ["uptime"]\n[steps.then.bad]\nmeans = "x"', "then speaks of ok, warning"),
        ('kind = "note"\ntext = "x"\n[steps.then.unknown]\nnext = "tow"', "steps[0].then.unknown.next: no step has this id"),
        ('kind = "note"\ntext = "x"\n[steps.then.unknown]\nremediations = ["restart"]', "full name of a remediation"),
        ('kind = "note"\ntext = "\\u001b[2J"', "signs that show"),
    ],
)  # fmt: skip
def test_each_fault_names_its_place_and_what_was_meant(body: str, says: str) -> None:
    found = faults(step(body))
    assert any(says in one for one in found), found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "is not TOML"),
        ("", "name: missing"),
        (f"{HEAD}steps = []", "steps: must have at least one"),
        (step('kind = "note"\ntext = "x"').replace('"mine"', '"Mine Own"'), "name: is lower-case letters"),
        (
            HEAD + STEP + 'kind = "note"\ntext = "x"\n' + STEP + 'kind = "note"\ntext = "x"',
            "steps[1].id: another step has this id",
        ),
        (
            HEAD.replace("summary", "sumary") + STEP + 'kind = "note"\ntext = "x"',
            'sumary: unknown key; did you mean "summary"?',
        ),
        (f'{HEAD}severity = "urgent"\n{STEP}kind = "note"\ntext = "x"', "severity: must be one of critical"),
        (f'{HEAD}when = {{kinds = ["postgers"]}}\n{STEP}kind = "note"\ntext = "x"', 'did you mean "postgres"?'),
        (f'{HEAD}when = {{rules = ["Lock Chain"]}}\n{STEP}kind = "note"\ntext = "x"', "is a rule's name"),
    ],
)
def test_faults_of_the_whole_file(text: str, says: str) -> None:
    found = faults(text)
    assert any(says in one for one in found), found


def test_no_fault_repeats_a_value_that_may_be_a_secret() -> None:
    assert "hunter2" not in "".join(faults(step('kind = "http"\nurl = "http://u:hunter2@x/"')))


def test_own_runbooks_stand_beside_the_shipped_ones_and_take_their_place_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(step('kind = "note"\ntext = "x"'))
    (tmp_path / "database.toml").write_text(step('kind = "note"\ntext = "x"').replace('"mine"', '"database"'))
    (tmp_path / "broken.toml").write_text("name = 1")
    (tmp_path / "twice.toml").write_text(step('kind = "note"\ntext = "x"'))
    shelf = load(tmp_path)
    names = {one.runbook.name: one.own for one in shelf.found}
    assert names["mine"]
    assert names["database"]
    assert not names["service-down"]
    assert any("broken.toml" in one for one in shelf.problems)
    assert any("twice.toml: there is another mine" in one for one in shelf.problems)
    assert shelf.nearest("databse") == "database"


def test_no_folder_is_no_fault(tmp_path: Path) -> None:
    assert load(tmp_path / "none").problems == ()
    assert len(load(None).found) == 6


def test_files_that_are_no_text_or_too_large_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "b.toml").write_bytes(b"#" * (LIMIT + 1))
    for name, says in (("a.toml", "UTF-8"), ("b.toml", "larger"), ("c.toml", "cannot be read")):
        with pytest.raises(RunbookError, match=says):
            read(tmp_path / name)
