"""What is run on the host: one constant script for any POSIX shell, which forks as little as it can.

It only reads. `df` is asked about local, real file systems only, and under a time limit, so that a network mount that hangs
cannot hang it. The first argument is `full` or `fast`; a second one, `no-df`, leaves the file systems out.
"""

from __future__ import annotations

#: Most file systems that are looked at.
MOUNTS = 64

SCRIPT = r"""
LC_ALL=C; export LC_ALL
one() { read -r line <"$2" && echo "$1 $line"; }
[ -r /proc/uptime ] || { echo '==not-linux'; exit 0; }
echo '==facts'
one hostname /proc/sys/kernel/hostname
one kernel /proc/sys/kernel/osrelease
one uptime /proc/uptime
one loadavg /proc/loadavg
echo '==cpu'
while read -r line; do case $line in cpu*) echo "$line" ;; *) break ;; esac; done </proc/stat
echo '==proc'
cat /proc/meminfo /proc/diskstats /proc/net/dev
mode=$1
# A shell reads byte by byte, and every container adds a long line: grep first.
mounts=
if [ "$2" != no-df ]; then
    real='ext[234]|xfs|btrfs|zfs|bcachefs|f2fs|jfs|reiserfs|vfat|exfat|ntfs3?'
    mounts=$(grep -E "^[^ ]+ ([^ ]+ ($real)|/ overlay) " /proc/mounts |
        grep -Ev '^[^ ]+ /(var/lib/(docker|containers|containerd|kubelet)|run|snap)/' | head -n 64)
fi
set --
while read -r device mount type options rest; do
    [ -n "$type" ] || continue
    printf 'mount %s %s %s %s\n' "$device" "$mount" "$type" "$options"
    case $mount in *\\*) mount=$(printf '%b' "$mount") ;; esac
    set -- "$@" "$mount"
done <<EOF
$mounts
EOF
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout 2'
if [ $# -gt 0 ]; then
    echo '==df'; $limit df -P -k "$@" 2>/dev/null
    echo '==inodes'; $limit df -P -i "$@" 2>/dev/null
fi
if [ "$mode" = full ] && [ -d /run/systemd/system ]; then
    echo '==units'; $limit systemctl list-units --failed --plain --no-legend --no-pager 2>/dev/null
fi
if [ "$mode" = full ]; then
    echo '==network'
    for card in /sys/class/net/*; do
        case $card in */lo | */veth* | */vnet* | */tap* | */docker* | */br-* | */virbr*) continue ;; esac
        [ -r "$card/address" ] && one mac "$card/address"
    done
    set --
    for file in /proc/net/fib_trie /proc/net/if_inet6 /proc/net/arp; do [ -r "$file" ] && set -- "$@" "$file"; done
    [ $# -gt 0 ] && awk '
        FILENAME ~ /fib_trie$/ { if ($0 ~ /32 host LOCAL/) print "address", last; last = $2; next }
        FILENAME ~ /if_inet6$/ { print "inet6", $1; next }
        FNR > 1 && FNR < 2000 { print "neighbour", $1, $4 }' "$@"
    { grep -aHo 'guest=[^,]*' /proc/[0-9]*/cmdline || grep -Ho 'guest=[^,]*' /proc/[0-9]*/cmdline; } 2>/dev/null |
        head -n 2000 | while IFS=: read -r file name; do
            pid=${file#/proc/}; echo "vm ${pid%/cmdline} ${name#guest=}"
        done
    # Who holds a socket is told of processes that the login may look at; cgroups tell of everyone which container it is in.
    command -v ss >/dev/null 2>&1 && { echo sockets; { $limit ss -H -tnlp; $limit ss -H -tnp; } 2>/dev/null | awk '
        function container(pid,    file, row, count, parts, at, part) {
            if (pid in known) return known[pid]
            known[pid] = "-"
            file = "/proc/" pid "/cgroup"
            while ((getline row < file) > 0) {
                count = split(row, parts, "/")
                for (at = 2; at <= count; at++) {
                    part = parts[at]
                    sub(/\.scope$/, "", part)
                    sub(/^.*-/, "", part)
                    if (length(part) == 64) known[pid] = part
                }
            }
            close(file)
            return known[pid]
        }
        ($1 == "LISTEN" || $1 == "ESTAB") && rows < 2000 {
            program = "-"; pid = 0; inside = "-"
            # From the end: a process may call itself x",pid=1
            if (match($0, /",pid=[0-9]+,fd=[0-9]+\)+[ \t]*$/)) {
                program = substr($0, 1, RSTART - 1)
                sub(/^.*\("/, "", program)
                gsub(/[^A-Za-z0-9_.:\/@+-]/, "_", program)
                pid = substr($0, RSTART + 6) + 0
                inside = container(pid)
            }
            if ($1 == "LISTEN" || inside != "-") { rows++; print "socket", $1, $4, $5, pid, inside, program }
        }'; }
fi
echo '==end'
"""

#: Program and arguments.
COMMAND = ("sh", "-c", SCRIPT, "sh")
