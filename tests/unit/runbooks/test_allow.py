"""Commands of runbooks only look: everything that is not known to is refused when the file is loaded, with its reason."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.diagnosis.runbooks.allow.check import ENVIRONMENT, NotAllowedError, check_command, real_command
from debugtui.diagnosis.runbooks.allow.refused import REFUSED
from debugtui.diagnosis.runbooks.allow.table import PROGRAMS

#: What would do more than look, or would not end, and a word of the reason.
HOSTILE = {
    # writes, deletes, runs
    "find /tmp -xdev -delete": "deletes",
    "find /tmp -xdev -exec rm {} ;": "runs programs",
    "find /tmp -xdev -execdir rm {} +": "runs programs",
    "find /tmp -xdev -ok rm {} ;": "runs programs",
    "find /tmp -xdev -fprint /tmp/x": "writes a file",
    "find /tmp -xdev -fprintf /tmp/x %p": "writes a file",
    "find /tmp -xdev -fls /tmp/x": "writes a file",
    "find -files0-from /tmp/x": "folders",
    "find /tmp -xdev -name x -o -delete": "deletes",
    "find /tmp -xdev -newermt": "needs a value",
    "find -L /tmp -xdev": "folders",
    "find /tmp": "-xdev",
    "find /proc -xdev -name x": "/proc",
    "find . -xdev": "slash",
    "find /tmp/../etc -xdev": "..",
    "find": "folders",
    "tail -f /var/log/syslog": "never ends",
    "tail -F /var/log/syslog": "never ends",
    "tail --follow /var/log/syslog": "never ends",
    "tail --follow=name /var/log/syslog": "never ends",
    "tail --retry -f /var/log/syslog": "never ends",
    "tail --retr /var/log/syslog": "not allowed",
    "tail -nf /var/log/syslog": "number",
    "tail -n 5 -s 1 --pid=1 /var/log/x": "never ends",
    "tail -5f /var/log/syslog": "not allowed",
    "tail -n 999999 /var/log/syslog": "number",
    "tail /etc/shadow": "secrets",
    "tail": "takes",
    "journalctl --vacuum-time=1s": "deletes",
    "journalctl --vacuum-size 1": "deletes",
    "journalctl --vacuum-files=1 -n 5": "deletes",
    "journalctl --vacuum-t=1s -n 5": "not allowed",
    "journalctl --rotate -n 1": "closes",
    "journalctl --flush -n 1": "writes",
    "journalctl --sync -n 1": "writes",
    "journalctl --relinquish-var": "writes",
    "journalctl -n 5 --cursor-file=/tmp/x": "writes a file",
    "journalctl -f -n 5": "never ends",
    "journalctl -fn5": "never ends",
    "journalctl -n5f": "number",
    "journalctl --setup-keys": "writes",
    "journalctl": "needs",
    "journalctl -u nginx": "needs",
    "journalctl -M box -n 5": "another system",
    "journalctl -n 5 /usr/bin/x": "field",
    "ss -K dst 10.0.0.1": "ends connections",
    "ss -tK": "ends connections",
    "ss --kill": "ends connections",
    "ss -D /tmp/x": "writes a file",
    "ss -F /etc/shadow": "reads a file",
    "ss -E": "never ends",
    "ss --ki": "not allowed",
    "ip link set eth0 down": "change",
    "ip addr add 10.0.0.1/8 dev eth0": "change",
    "ip a a 10.0.0.1/8 dev eth0": "whole names",
    "ip addr a 10.0.0.1/8 dev eth0": "change",
    "ip route flush all": "change",
    "ip route del default": "change",
    "ip netns exec x sh": "whole names",
    "ip -batch /tmp/x": "commands of a file",
    "ip -b /tmp/x link": "commands of a file",
    "ip -n x link": "namespace",
    "ip -force link": "not allowed",
    "ip": "takes",
    "systemctl restart nginx": "other verbs",
    "systemctl stop nginx": "other verbs",
    "systemctl start nginx": "other verbs",
    "systemctl daemon-reload": "other verbs",
    "systemctl edit nginx": "other verbs",
    "systemctl kill nginx": "other verbs",
    "systemctl set-property x CPUQuota=1%": "name",
    "systemctl -H root@box status x": "another system",
    "systemctl --host=box status": "another system",
    "systemctl show nginx": "environments",
    "systemctl show -p Environment nginx": "environments",
    "systemctl show -p ActiveState,LoadCredential nginx": "credentials",
    "systemctl poweroff": "other verbs",
    "systemctl": "takes",
    "nginx": "server is started",
    "nginx -c /etc/nginx/nginx.conf": "server is started",
    "nginx -s stop": "signals",
    "nginx -t -s stop": "signals",
    "nginx -ts stop": "signals",
    "nginx -t -g daemon": "directives",
    "nginx -t -p /tmp": "another folder",
    "nginx -t -e /tmp/x": "another log",
    "dmesg -C": "clears",
    "dmesg -c": "clears",
    "dmesg --clear": "clears",
    "dmesg -Tc": "clears",
    "dmesg -w": "never ends",
    "dmesg -n 1": "console",
    "dmesg -D": "console",
    "date -s 2020-01-01": "sets the clock",
    "date --set=2020-01-01": "sets the clock",
    "date 010112002020": "set the clock",
    "timedatectl set-time 2020-01-01": "one of",
    "timedatectl set-ntp false": "one of",
    "chronyc makestep": "one of",
    "lsof -r 1": "never ends",
    "lsof +r 1": "slash",
    "lsof -D b": "writes a file",
    "lsof +D /": "slash",
    "dig -f /etc/passwd": "reads names",
    "dig -k /etc/key example.org": "reads a key",
    "dig example.org +trace": "a name",
    "ping example.org": "never ends",
    "ping -f -c 5 example.org": "floods",
    "ping -c 99999 example.org": "number",
    "ping -c 1 -s 65000 example.org": "usual one",
    "vmstat 1": "never ends",
    "vmstat 1 99999": "number",
    "iostat 1": "never ends",
    "top": "needs",
    "top -b": "never ends",
    "top -n 1": "terminal",
    "free -s 1": "never ends",
    "df --sync": "writes",
    "du -sh /": "network ones",
    "du -x /": "no end",
    "du -sx /proc": "/proc",
    "du -xs --files0-from=/tmp/x /": "reads names",
    "ps auxe": "environments",
    "ps e": "environments",
    "ps -e -o pid,environ": "no column",
    "ps -eo pid,args,environ": "no column",
    "ps -e --sort=environ": "no column",
    "grep -r password /etc": "whole folders",
    "grep -R x /": "whole folders",
    "grep --recursive x /": "whole folders",
    "grep -ir x /": "whole folders",
    "grep -d recurse x /": "whole folders",
    "grep --directories=recurse x /": "whole folders",
    "grep --dir=recurse x /": "not allowed",
    "grep -f /etc/shadow /etc/passwd": "reads patterns",
    "grep -P (a+)+$ /var/log/syslog": "for ever",
    "grep root": "takes",
    "grep root /etc/shadow": "secrets",
    "grep -e root /etc/passwd": "first word",
    "cat /dev/zero": "devices",
    "cat /dev/random": "devices",
    "cat /dev/../dev/zero": "..",
    "cat /proc/1/environ": "no environments",
    "cat /proc/self/environ": "no environments",
    "cat /proc/self/mem": "figures",
    "cat /proc/kmsg": "kernel log",
    "cat /proc/kcore": "figures",
    "cat /proc/self/cwd/x": "figures",
    "cat /sys/kernel/debug/tracing/trace_pipe": "effects",
    "cat /etc/shadow": "secrets",
    "cat /etc/gshadow-": "secrets",
    "cat /etc/ssl/private/snakeoil.key": "secrets",
    "cat /etc/ssl/private/x": "secrets",
    "cat /home/ops/.ssh/config": "secrets",
    "cat /home/ops/.ssh/id_ed25519": "secrets",
    "cat /srv/coach/.env": "secrets",
    "cat /srv/coach/production.env": "secrets",
    "cat /home/ops/.pgpass": "secrets",
    "cat /home/ops/.bash_history": "secrets",
    "cat /etc/ssh/ssh_host_ed25519_key": "secrets",
    "cat //etc/shadow": "one slash",
    "cat etc/passwd": "slash",
    "cat": "takes",
    "wc --files0-from=/tmp/x": "reads names",
    "ls -R /": "whole folders",
    "stat": "takes",
    "findmnt -p": "never ends",
    "last -f /etc/shadow": "not allowed",
    "who /etc/shadow": "takes no",
    "uname x": "takes no",
    "getent shadow root": "one of",
    "getent passwd": "takes",
    # what is no program of the list
    "sh -c id": "no shell",
    "bash -c id": "no shell",
    "env id": "other programs",
    "sudo df": "other programs",
    "nice df": "other programs",
    "timeout 5 df": "other programs",
    "xargs rm": "other programs",
    "watch df": "other programs",
    "ssh box df": "other programs",
    "sed -i s/a/b/ /etc/hosts": "write files",
    "sed w /etc/hosts": "write files",
    "sort -o /etc/hosts /etc/hosts": "write files",
    "awk BEGIN{system(1)}": "anything",
    "tee /etc/hosts": "write files",
    "dd if=/dev/zero of=/dev/sda": "write files",
    "python3 -c 1": "anything",
    "perl -e 1": "anything",
    "less /etc/passwd": "shell",
    "curl http://x": "http",
    "wget -O /etc/x http://x": "http",
    "psql -c DROP": "sql",
    "docker exec x sh": "reading of Docker",
    "kubectl delete pod x": "reading of Docker",
    "virsh destroy x": "reading of libvirt",
    "redis-cli FLUSHALL": "readings",
    "rm -rf /": "changes the host",
    "kill 1": "changes the host",
    "reboot": "changes the host",
    "mount /dev/sda /mnt": "can mount",
    "hostname evil": "sets the name",
    "sysctl -w vm.swappiness=0": "set values",
    "/bin/df -h": "by its name",
    "./df": "by its name",
    "/tmp/evil/df": "by its name",
    "dff": "did you mean 'df'",
}  # fmt: skip
FINE = (
    "df -hT /var", "df -i", "df --output=source,pcent /", "du -xsh /var/log", "du -x --max-depth=2 /var", "free -m", "uptime", "uptime -p",
    "uname -a", "ps aux", "ps -e -o pid,pcpu,args --sort=-pcpu", "ps -eo pid,stat,wchan:20,args", "top -b -n 1", "top -bn1 -w 200",
    "vmstat 1 3", "vmstat -s", "iostat -x 1 2", "ss -tlnp", "ss -H -t state established sport = :443", "ss -s", "ip addr", "ip -br addr show",
    "ip -s link show dev eth0", "ip route get 1.1.1.1", "journalctl -u nginx -n 200 --no-pager", "journalctl -k --since=-1h -n 500",
    "journalctl -n50 -p err", "journalctl --disk-usage", "journalctl _PID=1 -n 5", "systemctl status nginx", "systemctl is-active nginx",
    "systemctl list-units --failed --no-legend", "systemctl show -p ActiveState,Result nginx", "nginx -t", "nginx -tq -c /etc/nginx/nginx.conf",
    "nginx -T", "nginx -V", "cat /proc/pressure/memory", "cat /proc/meminfo /proc/loadavg", "cat /proc/4711/status", "cat /sys/fs/cgroup/memory.max",
    "cat /etc/resolv.conf", "tail -n 200 /var/log/syslog", "tail -n200 /var/log/syslog", "head -c 1000 /etc/hosts", "wc -l /var/log/syslog",
    "grep -c ERROR /var/log/app.log", "grep -iE -m 5 error|fatal /var/log/app.log", "find /var -xdev -type f -size +100M -printf %s:%p",
    "find /etc /opt -xdev -maxdepth 3 -mmin -60", "find /tmp -xdev ( -name a -o -name b ) -print", "ls -la /srv", "stat -c %y /srv/app",
    "readlink -f /srv/app/current", "lsblk -f", "findmnt -T /var", "lsof +L1 -n -P", "lsof -nP -iTCP:443 -sTCP:LISTEN", "lsof -p 1",
    "dmesg -T --level=err,crit", "getent hosts example.org", "dig example.org A @1.1.1.1 +short", "dig -x 1.1.1.1", "ping -c 3 -n example.org",
    "who", "last -n 10 -w", "date", "date +%s", "date -u", "timedatectl show", "chronyc tracking",
)  # fmt: skip


@pytest.mark.parametrize(("command", "why"), HOSTILE.items(), ids=HOSTILE)
def test_what_would_do_more_than_look_is_refused_with_its_reason(command: str, why: str) -> None:
    with pytest.raises(NotAllowedError) as refused:
        check_command(command.split(" "))
    assert why in str(refused.value)


@pytest.mark.parametrize("command", FINE)
def test_what_only_looks_passes(command: str) -> None:
    check_command(command.split(" "))


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [""],
        ["df", ""],
        ["df", "/a\nb"],
        ["df", "/a\x00b"],
        ["df", "/\x1b[2J"],
        ["df", "/" + "a" * 2_000],
        ["df", *["-h"] * 50],
        ["ps; rm -rf /"],
        ["ps", "; rm -rf /"],
        ["df", "--"],
        ["tail", "--", "-f"],
        ["find", "/tmp", "-xdev", "--", "-delete"],
        ["grep", "--", "-r", "/"],
        ["df", "$(id)"],
        ["df", "`id`"],
        ["df", "-"],
    ],
)
def test_odd_arguments_are_refused(argv: list[str]) -> None:
    with pytest.raises(NotAllowedError):
        check_command(argv)


def test_a_value_of_an_option_never_becomes_an_option() -> None:
    with pytest.raises(NotAllowedError, match="needs a value"):
        check_command(["journalctl", "-n", "--rotate"])
    with pytest.raises(NotAllowedError):
        check_command(["find", "/tmp", "-xdev", "-name", "-delete"])
    check_command(["journalctl", "-n", "5", "--since=-1h"])


def test_every_refused_program_has_a_reason_and_is_not_on_the_list() -> None:
    assert not set(REFUSED) & set(PROGRAMS)
    assert all(len(reason) > 8 for reason in REFUSED.values())
    assert all(program.why for program in PROGRAMS.values())


_DANGEROUS = (
    "-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprintf", "-fls", "--follow", "--retry", "-F", "--rotate", "--flush",
    "--vacuum-time=1s", "--cursor-file=/x", "-K", "--kill", "-D", "-r", "-R", "--recursive", "--set=1", "-C", "-w", "restart", "stop",
    "set", "add", "flush", "-s", "--files0-from=x", "-batch", "reload", ";", "|", "&&", "$(id)", "`id`", ">", "-i", "-o", "w",
)  # fmt: skip
_WORDS = st.one_of(
    st.sampled_from(_DANGEROUS),
    st.sampled_from([flag for program in PROGRAMS.values() for flag in (*program.flags, *program.valued)]),
    st.sampled_from(
        ["/tmp", "/etc/hosts", "5", "x", "show", "status", "state", "/dev/zero", "/proc/1/environ", "-n5", "-xdev"]
    ),
    st.text(max_size=12),
)
#: What no accepted command may hold as a word of its own, by program; all others may be harmless words somewhere.
_NEVER = {
    "find": {"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprintf", "-fls"},
    "tail": {"-f", "-F", "--follow", "--retry"},
    "journalctl": {"--rotate", "--flush", "-f", "--vacuum-time=1s", "--cursor-file=/x"},
    "ss": {"-K", "--kill", "-D"},
    "grep": {"-r", "-R", "--recursive"},
    "dmesg": {"-C", "-c", "-w", "-D"},
    "ip": {"set", "add", "flush", "-batch"},
    "systemctl": set(),
}


@given(st.sampled_from(sorted(_NEVER)), st.lists(_WORDS, max_size=8))
def test_no_combination_of_words_lets_a_dangerous_one_through(name: str, words: list[str]) -> None:
    try:
        check_command([name, *words])
    except NotAllowedError:
        return
    values = {words[at + 1] for at, word in enumerate(words[:-1]) if word in PROGRAMS[name].valued}
    if name == "grep":  # its first word is a pattern: any text
        values |= {next(word for word in words if not word.startswith("-"))}
    if name == "ip":
        assert words
        assert not {"set", "add", "flush"} & set([word for word in words if not word.startswith("-")][1:2])
        return
    assert not (_NEVER[name] & set(words)) - values
    if name == "systemctl":
        verb = next(word for word in words if not word.startswith("-") and word not in values)
        assert verb not in ("restart", "stop", "reload", "set")


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6))
def test_any_text_is_accepted_or_refused_and_never_breaks_the_check(argv: list[str]) -> None:
    try:
        check_command(argv)
    except NotAllowedError as error:
        says = str(error)
        assert says


def test_what_is_sent_has_an_environment_of_its_own() -> None:
    sent = real_command(["df", "-h"])
    assert sent[:2] == ("env", "-i")
    assert "LC_ALL=C" in sent
    assert sent[-2:] == ("df", "-h")
    assert all("=" in one for one in ENVIRONMENT)
    assert real_command(["find", "/tmp", "-xdev"])[len(ENVIRONMENT) + 2 :][:3] == ("nice", "-n", "19")


def test_nothing_that_a_shell_would_read_survives_quoting() -> None:
    """The link quotes each argument: what was checked is what the program gets."""
    words = ["grep", "-c", "a b; $(id) `id` 'x' \"y\"", "/var/log/app.log"]
    check_command(words)
    assert shlex.split(shlex.join(words)) == words
