"""What is looked at again, what that brings, and what was changed before."""

from __future__ import annotations

from datetime import timedelta

from debugtui.config.models import Config
from debugtui.diagnosis import host_look
from debugtui.diagnosis.anomaly import Role
from debugtui.diagnosis.changes import changes_of
from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.found import Memory, anomalies_of
from debugtui.diagnosis.gather import resolve, wanted
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.patterns import Says
from debugtui.diagnosis.surroundings import Process, Space, Stopped
from debugtui.model.execution import Execution, State
from debugtui.model.source import Kind
from debugtui.model.target import Target
from tests.unit.diagnosis.build import (
    NOW,
    WebFault,
    ago,
    box,
    chain,
    chrome,
    decided,
    docker,
    edges,
    event,
    filesystem,
    host,
    nginx,
    postgres,
    request,
    source,
    system,
    t,
    view,
    web,
)

ANSWER = """==ps
  4242     900    890  102400 crunch [worker]
   not a line
==stopped
Tl    815 /usr/bin/qemu-system-x86_64 -name guest=wiki-2,debug-threads=on -S
T     abc what
==space
journal 921600 /var
packages 1024 /
log 20480 /var /var/lib/docker/containers/api-01234567/api-01234567-json.log
log 20480 /var /var/lib/docker/containers/unknown00000/x-json.log
nonsense
==end
"""


def test_the_answer_of_a_host_is_read_and_what_is_not_understood_is_left_out() -> None:
    found = host_look.parse("n1", ANSWER, {"api-01234567": "api"})
    assert found.stopped == (Stopped("n1", 815, "/usr/bin/qemu-system-x86_64 -name guest=wiki-2,debug-threads=on -S"),)
    assert found.processes == (Process("n1", 4242, "crunch [worker]", 100 * 890 / 900, 900.0, 102400 << 10),)
    assert found.spaces == (
        Space("n1", "/var", "journal", 900 << 20),
        Space("n1", "/", "packages", 1 << 20),
        Space("n1", "/var", "log", 20 << 20, "api"),
    )
    assert host_look.parse("n1", "", {}) == Looked()


def test_the_script_only_reads() -> None:
    for word in (">/", "> /", "rm ", "mv ", "kill", "tee", "systemctl", "truncate"):
        assert word not in host_look.SCRIPT.replace("2>/dev/null", "").replace(">/dev/null", "")


def test_logs_of_containers_in_trouble_and_behind_failing_routes_are_read_and_no_others() -> None:
    boxes = (box("loop", "restarting", looping=True, exit_code=1), box("behind"), box("aside"))
    world = view(host("n1", docker(*boxes), web(status=502), system(filesystems=(filesystem(99, "/"),))))
    found = anomalies_of(world, {("web_status", t("n1/web/front")): ago(9)})
    topology = edges(("n1/web/front", "n1/docker/behind"))
    looks = wanted(found, topology)
    assert looks.containers == (t("n1/docker/loop"), t("n1/docker/behind"))
    assert looks.hosts == ("n1",)
    assert wanted(anomalies_of(view(host("n1", docker(*boxes[1:])))), topology).containers == ()


def test_an_address_in_a_log_leads_to_what_listens_there_and_a_name_to_its_container() -> None:
    config = Config.model_validate(
        {
            "hosts": [
                {"name": "n1", "address": "local", "postgres": [{"name": "shop", "dsn": "postgresql://m@127.0.0.1:5544/shop"}]}
            ]
        }
    )
    boxes = (box("api", project="p", networks=("host",)), box("p-cache-1", project="p", service="cache"))
    world = view(host("n1", docker(*boxes), source(Kind.POSTGRES, None, "shop", "nothing listens on 127.0.0.1:5544")))
    known = {Target("n1", "docker", one.name): one for one in boxes}
    api = t("n1/docker/api")
    clues = (
        Clue(api, Says.REFUSED, NOW, 1, "127.0.0.1", "5544"),
        Clue(api, Says.NO_NAME, NOW, 1, "cache"),
        Clue(api, Says.TRACE, NOW),
    )
    found = resolve(clues, world, config, known)
    assert [clue.about for clue in found] == [(t("n1/postgres/shop"),), (t("n1/docker/p-cache-1"),), ()]


def test_changes_before_a_fault_are_cited_and_those_after_it_are_not() -> None:
    loop = box("api", "restarting", looping=True, exit_code=1)
    events = (
        event("die", "api", 100),
        event("update", "api", 130),
        event("restart", "api", 20),
        event("connect", "net", 130, kind="network"),
    )
    ours = Execution("exe_1", "p", "d", "docker.recreate", t("n1/docker/api"), State.VERIFIED, ago(200), ago(190), "ops", "")
    found = decided(view(host("n1", docker(loop, events=events))), executions=(ours,))
    says = [row.says for row in found.findings[0].evidence]
    assert any("got other limits, 30 s before" in one for one in says)
    assert any(
        "docker.recreate was executed on n1/docker/api by ops and verified, 100 s before" in one or "2 min before" in one
        for one in says
    )
    assert not any("was restarted" in one for one in says)


def test_recent_changes_are_listed_newest_first() -> None:
    world = view(host("n1", docker(box("api"), events=(event("update", "api", 300),)), nginx(config_changed_at=ago(10))))
    assert [change.at for change in changes_of(world)] == [ago(10), ago(300)]


def test_what_may_pass_in_a_moment_counts_from_its_second_reading_on() -> None:
    memory = Memory()
    first = memory.note(view(host("n1", web(status=502))))
    assert [one.role for one in first if one.rule == "web_status"] == [Role.SUPPORT]
    later = view(host("n1", web(status=502, taken_at=NOW + timedelta(seconds=3))))
    assert [one.role for one in memory.note(later) if one.rule == "web_status"] == [Role.SYMPTOM]
    memory.note(view(host("n1", web())))
    assert memory.seen == {}


def test_more_readings_that_agree_make_a_cause_surer() -> None:
    alone = decided(view(host("n1", postgres(**chain(900))))).findings[0].confidence
    route = (("n1/web/front", "n1/docker/api"), ("n1/docker/api", "n1/postgres/shop"))
    world = view(host("n1", docker(box("api", health="unhealthy")), postgres(**chain(900)), web(status=504)))
    known = decided(world, edges(*route)).findings[0].confidence
    guessed = decided(view(host("n1", postgres(**chain(900)), web(status=504)))).findings[0].confidence
    log = Clue(t("n1/postgres/shop"), Says.LOCKED, NOW)
    assert alone < guessed < known
    assert decided(view(host("n1", postgres(**chain(900)))), looked=Looked((log,))).findings[0].confidence > alone


def test_what_waited_for_its_whole_time_limit_and_what_a_release_lacks_need_no_second_look() -> None:
    hangs = view(host("n1", web("front", None, fault=WebFault.TIMEOUT)))
    assert [one.role for one in anomalies_of(hangs)] == [Role.SYMPTOM]
    refused = view(host("n1", web("front", None, fault=WebFault.REFUSED)))
    assert [one.role for one in anomalies_of(refused)] == [Role.SUPPORT]
    lacks = view(host("n1", chrome(failed=(request("/app.js", 404, kind="script"),))))
    assert [one.role for one in anomalies_of(lacks)] == [Role.CAUSE]
