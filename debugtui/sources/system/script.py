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
echo '==end'
"""

#: Program and arguments.
COMMAND = ("sh", "-c", SCRIPT, "sh")
