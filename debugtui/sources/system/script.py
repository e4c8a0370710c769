"""What is run on the host: one constant script for any POSIX shell, which forks as little as it can.

It only reads. `df` is asked about local, real file systems only, and under a time limit, so that a network mount that hangs
cannot hang it. The one argument is `full` or `fast`.
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
mode=$1; count=0
set --
while read -r device mount type options rest; do
    case $type in
        ext[234]|xfs|btrfs|zfs|bcachefs|f2fs|jfs|reiserfs|vfat|exfat|ntfs*) ;;
        overlay) [ "$mount" = / ] || continue ;;
        *) continue ;;
    esac
    [ $count -lt 64 ] || continue
    count=$((count + 1))
    echo "mount $device $mount $type $options"
    set -- "$@" "$(printf '%b' "$mount")"
done </proc/mounts
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
