"""What runs on the host for a container's log file: constant scripts, everything else as arguments."""

from __future__ import annotations

# First argument of each: sudo, or empty.
_MAY = r"""
how=$1
shift
may() { if [ "$how" = sudo ]; then sudo -n "$@"; else "$@"; fi; }
"""

# Argument: the log. Says, one a line, by which way it can be emptied (plain, sudo or none), its device and inode, its size in
# bytes, its real path, where saved tails go, and how many bytes are free there. "link" alone where it is no plain file.
LOOK = r"""
for how in plain sudo none; do
  case $how in
    plain) test -r "$1" && test -w "$1" && break ;;
    sudo) sudo -n test -f "$1" > /dev/null 2>&1 && break ;;
  esac
done
may() { if [ "$how" = sudo ]; then sudo -n "$@"; else "$@"; fi; }
if [ "$how" = none ]; then echo none; exit 0; fi
if may test -L "$1" || ! may test -f "$1"; then echo link; exit 0; fi
folder=${XDG_STATE_HOME:-$HOME/.local/state}/debugtui/logs
near=$folder
while [ ! -d "$near" ] && [ "$near" != / ]; do near=$(dirname "$near"); done
echo "$how"
may stat -c '%d:%i' -- "$1"
may stat -c '%s' -- "$1"
may readlink -f -- "$1"
echo "$folder"
LC_ALL=C df -P -B1 -- "$near" | awk 'NR == 2 { print $(NF - 2) }'
"""

# Arguments: sudo or empty, the log, the folder, the file's name there, how many bytes. Says how many were saved.
SAVE = (
    _MAY
    + r"""
umask 077
mkdir -p "$2" || exit 3
part=$2/$3.part
may tail -c "$4" -- "$1" | gzip -c > "$part"
gzip -t "$part" || exit 4
saved=$(gzip -dc "$part" | wc -c)
[ "$saved" -gt 0 ] || exit 5
mv "$part" "$2/$3"
echo "$saved"
"""
)

# Arguments: sudo or empty, the log, its device and inode. Says its size before and after; does nothing to another file.
TRUNCATE = (
    _MAY
    + r"""
if may test -L "$1" || ! may test -f "$1"; then echo "no regular file any more"; exit 3; fi
if [ "$(may stat -c '%d:%i' -- "$1")" != "$2" ]; then echo "another file by now"; exit 3; fi
before=$(may stat -c '%s' -- "$1")
may truncate -s 0 -- "$1" || exit 4
echo "$before $(may stat -c '%s' -- "$1")"
"""
)

# Arguments: sudo or empty, a path. Says its size in bytes.
SIZE = _MAY + "may stat -c '%s' -- \"$1\"\n"
