"""The lock on a target, kept on the watched host itself, so that operators on different machines exclude each other.

It is a lease: it ends by itself when nobody renews it, judged by the host's own clock. Its files lie in a directory that every
login may write to and nobody may remove others' files from; each change is made under flock(1), in one short script.
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

_HOLDER_LIMIT = 300

# Arguments: what, key, token, holder, seconds. The file holds one line: expiry, beginning, token, holder. A link in its place
# is never followed. umask 0: another login has to be able to take over what has expired.
SCRIPT = r"""
set -u
umask 0
for base in /run/lock /var/lock /tmp; do
  [ -d "$base" ] && [ -w "$base" ] && break
done
dir=$base/debugtui
mkdir -m 1777 "$dir" 2>/dev/null
if [ -L "$dir" ] || [ ! -d "$dir" ] || [ ! -w "$dir" ]; then echo "unusable $dir"; exit 0; fi
file=$dir/$2.lease
guard=$dir/$2.guard
if [ -L "$file" ] || [ -L "$guard" ]; then echo "unusable $file"; exit 0; fi
[ -e "$guard" ] || (set -C; : > "$guard") 2>/dev/null
exec 9<"$guard" || { echo "unusable $guard"; exit 0; }
if ! flock -w 5 9; then echo "busy"; exit 0; fi
now=$(date +%s)
expiry=0 began=0 token=- holder=
if [ -f "$file" ]; then IFS=' ' read -r expiry began token holder < "$file" || :; fi
case $expiry in ''|*[!0-9]*) expiry=0;; esac
case $began in ''|*[!0-9]*) began=0;; esac
case $1 in
take)
  if [ "$expiry" -gt "$now" ] && [ "$token" != "$3" ]; then printf 'held %s %s\n' "$began" "$holder"; exit 0; fi
  if [ -e "$file" ] && [ ! -w "$file" ]; then rm -f "$file" 2>/dev/null; fi
  printf '%s %s %s %s\n' $((now + $5)) "$now" "$3" "$4" > "$file" && sync "$file" 2>/dev/null
  IFS=' ' read -r expiry began token holder < "$file"
  if [ "$token" = "$3" ]; then echo taken; else echo "unusable $file"; fi;;
renew)
  if [ "$token" = "$3" ] && [ "$expiry" -gt "$now" ]; then
    printf '%s %s %s %s\n' $((now + $5)) "$began" "$3" "$4" > "$file" && echo renewed
  else echo lost; fi;;
give)
  if [ "$token" = "$3" ]; then rm -f "$file"; fi
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
        key = hashlib.sha256(target.encode()).hexdigest()[:40]
        words = line(holder, _HOLDER_LIMIT)
        lease = cls(link, key, token or secrets.token_hex(16), words, ttl_s)
        answer = await lease._ask("take")
        word, _, rest = answer.partition(" ")
        if word == "taken":
            return lease
        if word == "held":
            began, _, who = rest.partition(" ")
            since = datetime.fromtimestamp(int(began) if began.isdigit() and len(began) < 12 else 0, UTC)
            raise LeaseHeldError(line(who, _HOLDER_LIMIT) or "somebody", since)
        hint = "it needs flock(1), and a directory for locks that its logins share"
        raise LinkError(Problem(f"the host keeps no locks: {line(answer, 200) or 'no answer'}", hint))

    async def renew(self) -> bool:
        """Let it live on; False: it was lost.

        Raises:
            LinkError: the host could not be asked.
        """
        return await self._ask("renew") == "renewed"

    async def give_back(self) -> None:
        """End it.

        Raises:
            LinkError: the host could not be asked; it then ends by itself.
        """
        await self._ask("give")

    async def _ask(self, what: str) -> str:
        words = ["sh", "-c", SCRIPT, "debugtui-lease", what, self._key, self._token, self._holder, str(self._ttl_s)]
        done = await self._link.run(words, timeout=LIMIT, limit=4_096)
        return clean(done.stdout, 2_000).strip() or line(done.stderr, 300)
