"""Where detached work keeps its files on a host, and the pieces that its scripts share.

Scripts are constants for a POSIX shell; what is particular comes as arguments and is never spliced in. None of the pieces holds
a single quote: some of them stand inside one.
"""

from __future__ import annotations

import hashlib

#: Sets `dir` and `mask`, or says `unusable` and ends. Not the runtime directory of the login: that goes with its last session.
PLACE = r"""
set -u
mask=$(umask)
umask 077
base=/tmp
[ -w /run ] && base=/run
dir=$base/debugtui-$(id -u)
mkdir -m 700 "$dir" 2>/dev/null
if [ -L "$dir" ] || [ ! -d "$dir" ] || [ ! -O "$dir" ]; then echo "unusable $dir: it is not ours"; exit 0; fi
chmod 700 "$dir"
"""

#: Says `unusable` and ends where logind ends what a login leaves behind: nothing would live on without us there.
STAYS = r"""
if [ "$(id -u)" != 0 ] && timeout 3 busctl get-property org.freedesktop.login1 /org/freedesktop/login1 \
  org.freedesktop.login1.Manager KillUserProcesses 2>/dev/null | grep -q true; then
  echo "unusable: logind ends what a login leaves running (KillUserProcesses=yes)"
  exit 0
fi
"""

#: Runs "$@" under the login's own umask `mask` for at most `limit` seconds. Some more than `most` bytes of each output, and
#: then the status, are kept in the folder `job`. What is beyond is read and dropped: an output must fill no disk, and a reader
#: that leaves would end the command in the middle. (`cat` under a limit on its file: `head` writes nothing before its end.) A
#: service that the command left behind may hold its output: it is not waited for. GNU's timeout ends the whole group of the
#: command; where another one does not, the last lines do.
RUN = r"""
keep() { (ulimit -c 0; ulimit -f $((most / 512 + 1)); exec cat > "$job/$1"); cat > /dev/null; : > "$job/$1.whole"; }
seconds() { read -r up rest < /proc/uptime; echo "${up%.*}"; }
mkfifo "$job/out.pipe" "$job/err.pipe" || exit 1
[ -f "$job/stdin" ] || : > "$job/stdin"
keep out < "$job/out.pipe" &
keep err < "$job/err.pipe" &
began=$(seconds)
(umask "$mask"; exec timeout -k 5 "$limit" "$@") < "$job/stdin" > "$job/out.pipe" 2> "$job/err.pipe"
code=$?
if [ $(($(seconds) - began)) -ge "$limit" ]; then
  case $code in 124|137|143) code=timed_out;; esac
fi
tries=40
while [ "$tries" -gt 0 ] && { [ ! -f "$job/out.whole" ] || [ ! -f "$job/err.whole" ]; }; do
  tries=$((tries - 1))
  sleep 0.05
done
echo "$code" > "$job/status.new" && mv "$job/status.new" "$job/status"
if [ "$code" = timed_out ]; then
  trap "" TERM
  kill -TERM 0
  sleep 5
  kill -KILL 0
fi
"""

#: Most bytes kept of each output.
MOST = 1_000_000


def key_of(mark: str) -> str:
    """Return the name of a mark's folder: no character of the mark itself becomes part of a path."""
    return hashlib.sha256(mark.encode()).hexdigest()[:40]
