"""Why a UNIX socket of a host cannot be used, in words; the same words for a local and a remote host."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from debugtui.hosts.link import LinkError, NoSuchSocketError
from debugtui.model.source import Problem
from debugtui.model.text import line


class Verdict(StrEnum):
    """What was found out about a socket."""

    MISSING = "missing"
    NOT_A_SOCKET = "no-socket"
    DENIED = "denied"
    SILENT = "silent"
    LISTENING = "listening"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out, where (the socket, or the folder that is closed), who owns that, and who asked."""

    verdict: Verdict
    culprit: str = ""
    owner: str = ""
    group: str = ""
    mode: str = ""
    user: str = ""


#: Asks the host why a socket cannot be used. Prints the verdict, the culprit's `ls -ld` and the user's name, a line each.
#: Arguments: the path. POSIX sh and what every busybox has; reads only.
SCRIPT = r"""
path=$1
real=$(readlink -f "$path" 2>/dev/null) || real=$path
[ -n "$real" ] || real=$path
folder=$real
while :; do
  folder=$(dirname "$folder")
  if [ -d "$folder" ] && [ ! -x "$folder" ]; then verdict=denied culprit=$folder; break; fi
  if [ -d "$folder" ] || [ "$folder" = / ] || [ "$folder" = . ]; then verdict=; break; fi
done
if [ -z "$verdict" ]; then
  culprit=$path
  if [ ! -e "$path" ]; then verdict=missing
  elif [ ! -S "$path" ]; then verdict=no-socket
  elif [ ! -w "$path" ]; then verdict=denied culprit=$real
  elif [ ! -r /proc/net/unix ]; then verdict=unknown
  elif (while read -r _ _ _ flags _ _ _ name; do
      [ "$flags" = 00010000 ] && [ "${name##*/}" = "${real##*/}" ] && [ "$(readlink -f "$name")" = "$real" ] && exit 0
    done < /proc/net/unix; exit 1); then verdict=listening
  else verdict=silent
  fi
fi
echo "$verdict"
ls -ld "$culprit" 2>/dev/null || echo -
id -un
"""


def parse(output: bytes, path: str) -> Finding:
    """Read what `SCRIPT` printed; `UNKNOWN` where it is not understood."""
    lines = [line(text, 400) for text in output.split(b"\n")[:3]]
    try:
        verdict = Verdict(lines[0])
    except ValueError:
        return Finding(Verdict.UNKNOWN)
    listed = lines[1].split(None, 8) if len(lines) > 1 else []
    mode, owner, group = (listed[0], listed[2], listed[3]) if len(listed) == 9 else ("", "", "")
    culprit = listed[8] if len(listed) == 9 else path
    return Finding(verdict, culprit, owner, group, mode, lines[2] if len(lines) > 2 else "")


def problem(host: str, path: str, finding: Finding, said: str = "") -> LinkError:
    """Return the error for a socket that cannot be used. `said`: the transport's own words, where nothing better is known."""
    shown, name = line(path, 200), line(host, 100)
    if finding.verdict is Verdict.MISSING:
        return NoSuchSocketError(Problem(f"no such socket on {name}: {shown}", _absent_hint(path)))
    if finding.verdict is Verdict.NOT_A_SOCKET:
        return LinkError(Problem(f"not a socket on {name}: {shown}", "correct the path in the configuration"))
    if finding.verdict is Verdict.DENIED:
        return LinkError(Problem(f"permission denied on {name}: {_denied(finding, shown)}", _denied_hint(finding, name)))
    if finding.verdict is Verdict.SILENT:
        return LinkError(Problem(f"not listening on {name}: {shown} is there, but no service answers", _absent_hint(path)))
    if finding.verdict is Verdict.LISTENING:
        return LinkError(
            Problem(
                f"sshd on {name} does not forward to sockets: {shown} listens, but the channel was refused"
                + (f" ({said})" if said else ""),
                "set AllowStreamLocalForwarding yes in its sshd_config (no DisableForwarding, no restrict in authorized_keys)",
            )
        )
    return LinkError(
        Problem(
            f"{shown} on {name} cannot be reached" + (f": {said}" if said else ""),
            "is the service running, may this user open its socket, and does sshd allow AllowStreamLocalForwarding?",
        )
    )


def _denied(finding: Finding, shown: str) -> str:
    user = f"{finding.user} may not open " if finding.user else ""
    if not finding.owner:
        return f"{user}{shown}"
    return f"{user}{finding.culprit} ({finding.mode} {finding.owner}:{finding.group})"


def _denied_hint(finding: Finding, host: str) -> str:
    user = finding.user or "the user"
    # The group can help only where it may write to a socket, or enter a folder.
    group_may = len(finding.mode) > 6 and (finding.mode[5] == "w" if finding.mode[0] == "s" else finding.mode[6] in "xs")
    if finding.group and finding.group not in {"root", "wheel", "nogroup", "nobody"} and group_may:
        return f"add {user} to the group {finding.group} on {host} (usermod -aG {finding.group} {user}), then connect again"
    return f"give {user} access to it on {host}, or connect as another user"


def _absent_hint(path: str) -> str:
    name = PurePosixPath(path).name
    for sign, hint in (
        ("docker", "is Docker installed and running there? (systemctl status docker)"),
        ("podman", "is Podman's socket enabled there? (systemctl status podman.socket)"),
        ("libvirt", "is libvirtd, or virtqemud, installed and running there? (systemctl status libvirtd)"),
        ("virtqemud", "is virtqemud running there? (systemctl status virtqemud.socket)"),
        (".s.PGSQL.", "is PostgreSQL running there, on that port and with that unix_socket_directories?"),
    ):
        if sign in name:
            return hint
    return "is the service installed and running there, and the path right?"
