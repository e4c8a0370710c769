"""The lock on a target, kept on the watched host itself, so that operators on different machines exclude each other.

It is a lease: it ends by itself when nobody renews it, judged by the host's own clock since its boot, which no change of date
moves. Its files lie in a directory that every login may write to; each change is made under flock(1), in one short script. Each
holder writes a file of their own and never one of somebody else's: in such directories the kernel refuses that, to root too.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from debugtui.hosts.link import Link, LinkError
from debugtui.model.source import Problem
from debugtui.model.text import clean, line

#: Seconds for one command on the host.
LIMIT = 15.0
#: Longest life of a lease without being renewed, in seconds; a file that claims more is none.
LONGEST_S = 3600

_HOLDER_LIMIT = 300

# Arguments: what, key, token, holder, seconds. The place has to be the same for every login, so it is chosen by its mode and
# not by what we may write to. A lease is a line: boot, expiry in seconds since the boot, beginning, token, holder. What is a
# link, no plain file, or no such line is none, and is not followed. A file is written whole under another name first.
SCRIPT = rf"""
set -u
umask 022
LC_ALL=C
export LC_ALL
command -v flock > /dev/null || {{ echo "unusable: it has no flock(1)"; exit 0; }}
base=/tmp
for one in /run/lock /var/lock; do
  case $(ls -ld "$one/" 2>/dev/null) in drwxrwxrwt*) base=$one; break;; esac
done
dir=$base/debugtui
tries=10
while :; do
  (umask 0; mkdir -m 1777 "$dir" 2>/dev/null)
  case $(ls -ld "$dir" 2>/dev/null) in drwxrwxrwt*) break;; esac
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then echo "unusable $dir: it has to be a directory of mode 1777"; exit 0; fi
  sleep 0.1
done
guard=$dir/$2.guard
[ -e "$guard" ] || [ -L "$guard" ] || (set -C; : > "$guard") 2>/dev/null
if [ -L "$guard" ] || [ ! -f "$guard" ] || [ ! -r "$guard" ]; then echo "unusable $guard: somebody put it there"; exit 0; fi
exec 9< "$guard"
tries=80
until flock -n 9; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then echo "unusable $guard: somebody keeps it locked"; exit 0; fi
  sleep 0.1
done
read -r now rest < /proc/uptime
now=${{now%.*}}
boot=$(cat /proc/sys/kernel/random/boot_id)
mine=$dir/$2.$3.$(id -u).lease
held= since= ours=
for file in "$dir/$2".*.lease; do
  [ -f "$file" ] && [ ! -L "$file" ] && [ -r "$file" ] || continue
  where= until= began= token= holder=
  IFS=" " read -r where until began token holder << END
$(head -c 700 "$file" 2>/dev/null | tr -d "\000")
END
  case $until in ''|*[!0-9]*|??????????*) until=0;; esac
  case $began in ''|*[!0-9]*|????????????*) began=0;; esac
  if [ "$where" != "$boot" ] || [ "$until" -le "$now" ] || [ "$until" -gt $((now + {LONGEST_S})) ]; then
    rm -f "$file" 2>/dev/null
  elif [ "$token" != "$3" ]; then held="$began $holder"
  else
    since=$began
    [ "$file" = "$mine" ] && ours=yes
  fi
done
keep() {{
  new=$(mktemp "$dir/new.XXXXXX") || return 1
  printf "%s %s %s %s %s\n" "$boot" $((now + $5)) "$since" "$3" "$4" > "$new" && chmod 644 "$new" && mv -f "$new" "$mine" \
    || {{ rm -f "$new"; return 1; }}
  [ -f "$mine" ] && [ ! -L "$mine" ]
}}
case $1 in
take)
  if [ -n "$held" ]; then printf "held %s\n" "$held"; exit 0; fi
  [ -n "$since" ] || since=$(date +%s)
  if keep "$@"; then echo taken; else echo "unusable $dir: it cannot be written"; fi;;
renew)
  if [ -n "$held" ] || [ -z "$ours" ]; then rm -f "$mine"; echo lost
  elif keep "$@"; then echo renewed
  else echo "unusable $dir: it cannot be written"; fi;;
give)
  rm -f "$dir/$2.$3".*.lease 2>/dev/null
  echo given;;
esac
"""


class LeaseHeldError(Exception):
    """Somebody else holds the lease.

    Attributes:
        holder: who, in their own words; safe to show.
        since: since when (UTC), by the host's clock.
    """

    def __init__(self, holder: str, since: datetime) -> None:
        super().__init__(f"{holder} since {since:%H:%M:%S}")
        self.holder = holder
        self.since = since


class Lease:
    """A lease that we hold."""

    def __init__(self, link: Link, key: str, token: str, holder: str, ttl_s: int) -> None:
        self._link, self._key, self._token, self._holder, self._ttl_s = link, key, token, holder, ttl_s

    @classmethod
    async def take(cls, link: Link, target: str, holder: str, *, ttl_s: int = 60, token: str = "") -> Lease:
        """Take the lease on a target.

        Args:
            link: the host's link.
            target: `HOST/KIND/NAME`.
            holder: who, in words that another operator understands.
            ttl_s: seconds that it lives without being renewed.
            token: of a lease that we held before, to take it again after a crash; a new one where empty.

        Raises:
            LeaseHeldError: somebody else holds it.
            LinkError: the link is not up, or the host has no place for it.
        """
        if not 1 <= ttl_s <= LONGEST_S:
            raise ValueError(f"a lease lives 1 to {LONGEST_S} s, not {ttl_s}")
        key = hashlib.sha256(target.encode()).hexdigest()[:40]
        # The token becomes part of a file's name.
        name = hashlib.sha256(token.encode()).hexdigest()[:32] if token else secrets.token_hex(16)
        lease = cls(link, key, name, line(holder, _HOLDER_LIMIT), ttl_s)
        answer = await lease._ask("take")
        word, _, rest = answer.partition(" ")
        if word == "taken":
            return lease
        if word == "held":
            began, _, who = rest.partition(" ")
            seconds = int(began) if began.isascii() and began.isdigit() and len(began) < 12 else 0
            raise LeaseHeldError(line(who, _HOLDER_LIMIT) or "somebody", datetime.fromtimestamp(seconds, UTC))
        raise lease._unusable(answer)

    async def renew(self) -> bool:
        """Let it live on; False: it was lost.

        Raises:
            LinkError: the host could not be asked, or cannot write it; it may live still.
        """
        answer = await self._ask("renew")
        if answer not in ("renewed", "lost"):
            raise self._unusable(answer)
        return answer == "renewed"

    async def give_back(self) -> None:
        """End it.

        Raises:
            LinkError: the host could not be asked; it then ends by itself.
        """
        answer = await self._ask("give")
        if answer != "given":
            raise self._unusable(answer)

    def _unusable(self, answer: str) -> LinkError:
        hint = "it needs flock(1), and a directory for locks that its logins share"
        return LinkError(Problem(f"{self._link.host} keeps no locks: {line(answer, 200) or 'no answer'}", hint))

    async def _ask(self, what: str) -> str:
        words = ["sh", "-c", SCRIPT, "debugtui-lease", what, self._key, self._token, self._holder, str(self._ttl_s)]
        done = await self._link.run(words, timeout=LIMIT, limit=4_096)
        return clean(done.stdout, 2_000).strip() or line(done.stderr, 300)
