"""What is run on the host: journalctl, a few times, each bounded in lines, bytes and time. It only reads."""

from __future__ import annotations

#: systemd's own words for what happens to a unit (systemd.journal-catalog).
STARTED, STOPPED = "39f53479d3a045ac8e11786248231fbf", "9d1aaa27d60140bd96365438aad20286"
START_FAILED, FAILED = "be02cf6855d2428ba40df7e9d022f03d", "d9b373ed55a64feb8242e02dbe79a49c"
EXITED, RESTARTING = "98e322203f7a4ed290d09fe03c09fe15", "5eb03494b6584870a536b337290809b3"
OUT_OF_MEMORY, RELOADED = "fe6faa94e7774663a0da52717891d8ef", "7b05ebc668384222baa8881179cfda54"
CHANGES = (STARTED, STOPPED, START_FAILED, FAILED, EXITED, RESTARTING, OUT_OF_MEMORY, RELOADED)

#: Most lines, bytes and seconds of one part of one read.
LINES, BYTES, SECONDS = 5_000, 3_000_000, 3

FIELDS = "MESSAGE,PRIORITY,MESSAGE_ID,UNIT,_PID,_TRANSPORT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,_COMM,CONTAINER_NAME"

# Arguments: directory of journal files, empty for the host's own; seconds since 1970 from which on lines are wanted, or
# `-SECONDS` before now; `full` or `fast`. Newest first, so that a limit cuts what is oldest. What journalctl complains about
# comes on standard error, and there `==late NAME` where it took too long.
#
# Which unit changed is believed of process 1 alone, and what the kernel says of its own channel alone: anybody may write a line
# that looks like theirs. What the kernel says of a kill's control group, and of crashes, is no error to it: priority 6.
SCRIPT = rf"""
LC_ALL=C; export LC_ALL
directory=$1; since=$2; mode=$3
command -v journalctl >/dev/null 2>&1 || {{ echo '==absent'; exit 0; }}
now=$(date +%s)
case $since in -*) since=$((now $since)) ;; esac
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout {SECONDS}'
part() {{
    name=$1; shift
    echo "==$name"
    {{
        $limit journalctl "$@"
        case $? in 124|137|143) echo "==late $name" >&2 ;; esac
    }} | head -n {LINES} | head -c {BYTES}
}}
set -- --no-pager --output=json --output-fields={FIELDS}
[ -z "$directory" ] || set -- "$@" --directory="$directory"
echo '==now'; echo "$now $since"
if [ "$mode" = full ]; then
    echo '==oldest'; $limit journalctl "$@" | head -n 1 | head -c 100000
    echo '==newest'; $limit journalctl "$@" --reverse --lines=1 | head -c 100000
fi
set -- "$@" --since="@$since" --reverse --lines={LINES}
part kernel "$@" --grep='oom-kill:|segfault at|trap |general protection|Hardware Error' _TRANSPORT=kernel PRIORITY=6
part changes "$@" _PID=1 {" ".join(f"MESSAGE_ID={name}" for name in CHANGES)}
part errors "$@" PRIORITY=0 PRIORITY=1 PRIORITY=2 PRIORITY=3
echo '==end'
"""

#: Program and arguments.
COMMAND = ("sh", "-c", SCRIPT, "sh")
