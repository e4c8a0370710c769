"""What went wrong on the way to a host, in words: which hop, which stage, and what mends it."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Sequence
from enum import StrEnum

import asyncssh

from debugtui.hosts.hops import Hop
from debugtui.hosts.hostkeys import Entry
from debugtui.hosts.link import LinkError
from debugtui.model.source import Problem
from debugtui.model.text import line

#: Most seconds that one hop may take from the look-up of its name to the end of authentication.
CONNECT_LIMIT = 10.0


class Stage(StrEnum):
    """How far the connection to a hop got."""

    TCP = "TCP connect"
    EXCHANGE = "key exchange"
    HOST_KEY = "host key"
    LOGIN = "authentication"


def fingerprint(key: asyncssh.SSHKey) -> str:
    """Return `ssh-ed25519 SHA256:...`."""
    return f"{line(key.get_algorithm(), 60)} {key.get_fingerprint()}"


def words(error: BaseException) -> str:
    """Return what an error says, safe to show, never empty."""
    if isinstance(error, OSError) and error.errno and error.errno > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return line(str(error), 300) or type(error).__name__


# --- connecting ----------------------------------------------------------------------------------------------------------


def connecting(hop: Hop, stage: Stage, error: BaseException, *, tunnelled: bool) -> LinkError:
    """Translate a failure to connect to a hop. `tunnelled`: it was tried through the hop before it."""
    if isinstance(error, TimeoutError) and error.errno is None:  # our own limit; the kernel's has a number
        return _timed_out(hop, stage)
    if isinstance(error, socket.gaierror):
        return LinkError(
            Problem(
                f"{hop}: the name {line(hop.host, 100)} is not found in the DNS: {line(error.strerror or str(error), 100)}",
                "check the spelling of the address, and this machine's name resolution",
            )
        )
    if isinstance(error, asyncssh.ChannelOpenError) and tunnelled:
        return _not_forwarded(hop, error)
    if isinstance(error, OSError) and stage is Stage.TCP:
        return _refused(hop, error)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return LinkError(
            Problem(
                f"{hop}: key exchange failed: {words(error)}",
                "the host's sshd and this client share no algorithm: update sshd, or set KexAlgorithms or HostKeyAlgorithms",
            )
        )
    if isinstance(error, asyncssh.ProtocolNotSupported) or (
        stage is Stage.EXCHANGE and isinstance(error, asyncssh.ProtocolError)
    ):
        return LinkError(Problem(f"{hop}: no SSH server answers there: {words(error)}", "check the port"))
    if stage is Stage.EXCHANGE:
        return LinkError(
            Problem(
                f"{hop}: connection closed during key exchange: {words(error)}",
                "sshd may be overloaded (MaxStartups) or block this address (fail2ban, hosts.deny)",
            )
        )
    return LinkError(Problem(f"{hop}: {stage.value} failed: {words(error)}"))


def _timed_out(hop: Hop, stage: Stage) -> LinkError:
    hints = {
        Stage.TCP: "a firewall drops the packets, the address is wrong, or the host is down",
        Stage.EXCHANGE: "something accepts the connection but does not speak SSH in time: is sshd hung, is the port right?",
        Stage.LOGIN: "the host does not finish the login: slow DNS or PAM there, or an agent here that waits for its user",
    }
    return LinkError(Problem(f"{hop}: {stage.value}: no answer within {CONNECT_LIMIT:.0f} s", hints.get(stage, "")))


def _refused(hop: Hop, error: OSError) -> LinkError:
    number = _number(error)
    if hop.proxied:
        return LinkError(Problem(f"{hop}: ProxyCommand failed: {words(error)}", "run the ProxyCommand by hand to see why"))
    says = {
        errno.ECONNREFUSED: ("TCP connection refused", "is sshd running there, and is the port right?"),
        errno.ETIMEDOUT: ("TCP connection timed out", "a firewall drops the packets, or the host is down"),
        errno.EHOSTUNREACH: ("no route to the host", "the host is down, or this machine is not in the right network or VPN"),
        errno.ENETUNREACH: ("the network is unreachable", "is this machine online, or in the right network or VPN?"),
        errno.ECONNRESET: ("TCP connection reset", "something between here and the host closes it"),
    }
    what, hint = says.get(number, (f"TCP connection failed: {words(error)}", ""))
    return LinkError(Problem(f"{hop}: {what}", hint))


def _number(error: OSError) -> int:
    """The errno; asyncio puts those of several addresses into the text only."""
    if error.errno:
        return error.errno
    numbers = {int(found) for found in re.findall(r"\[Errno (\d+)\]", str(error))}
    return numbers.pop() if len(numbers) == 1 else 0


def _not_forwarded(hop: Hop, error: asyncssh.ChannelOpenError) -> LinkError:
    """The hop before would not, or could not, connect to this one."""
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return LinkError(
            Problem(
                f"{hop}: the jump host before it does not allow TCP forwarding: {words(error)}",
                "set AllowTcpForwarding yes (and PermitOpen) in the jump host's sshd_config, no restrict in authorized_keys",
            )
        )
    return LinkError(
        Problem(
            f"{hop}: not reachable from the jump host before it: {words(error)}",
            "is the address right as seen from there, and is sshd running on it?",
        )
    )


# --- the host key --------------------------------------------------------------------------------------------------------


def key_changed(hop: Hop, offered: asyncssh.SSHKey, known: Sequence[Entry]) -> LinkError:
    """The host shows another key than the known ones. There is no way to accept it from here."""
    old = "; ".join(f"{fingerprint(entry.key)} in {line(entry.where, 200)}" for entry in known[:4])
    first = known[0]
    return LinkError(
        Problem(
            f"{hop}: THE HOST KEY HAS CHANGED: it now shows {fingerprint(offered)}, known is {old}",
            "somebody may be listening in. Only if you know why it changed (a reinstalled host): remove "
            f"line {first.number} of {line(str(first.file), 200)} yourself, then try again",
        ),
        refused=True,
    )


def key_revoked(hop: Hop, revoked: Sequence[Entry]) -> LinkError:
    """The host shows a key, or a certificate signed by one, that is marked @revoked."""
    where = "; ".join(f"{fingerprint(entry.key)} in {line(entry.where, 200)}" for entry in revoked[:4])
    return LinkError(
        Problem(
            f"{hop}: its host key is revoked: {where}", "do not connect; give the host a new key, or ask who revoked this one"
        ),
        refused=True,
    )


def key_not_trusted(hop: Hop, offered: asyncssh.SSHKey) -> LinkError:
    """The operator said no to an unknown key, or nobody was there to ask."""
    file = line(str(hop.user_files[0]), 200) if hop.user_files else "known_hosts"
    return LinkError(
        Problem(
            f"{hop}: its host key is not known, and nobody accepted it: {fingerprint(offered)}",
            f"compare the fingerprint with the host's own, then connect again and accept it, or add the key to {file}",
        ),
        refused=True,
    )


def certificate_refused(hop: Hop, error: BaseException) -> LinkError:
    """The host shows a certificate that is not valid for it."""
    return LinkError(
        Problem(
            f"{hop}: its host certificate is refused: {words(error)}", "renew the host's certificate (principals, validity)"
        ),
        refused=True,
    )


def files_unusable(hop: Hop, error: BaseException) -> LinkError:
    """A known_hosts file cannot be used."""
    return LinkError(Problem(f"{hop}: {words(error)}", "mend the file; no host is trusted without it"), refused=True)


# --- logging in ----------------------------------------------------------------------------------------------------------


def login_refused(hop: Hop, tried: Sequence[str], notes: Sequence[str], error: BaseException) -> LinkError:
    """No key was accepted. Trying again by itself could lock the account."""
    what = ", ".join(line(name, 120) for name in tried[:6]) or "no key at all"
    more = f" and {len(tried) - 6} more" if len(tried) > 6 else ""
    also = f"; {'; '.join(line(note, 200) for note in notes[:4])}" if notes else ""
    many = "too many" in str(error).lower()
    hint = (
        "too many keys were offered: name the right one (identity in the configuration, or IdentityFile and IdentitiesOnly)"
        if many
        else f"add a public key to ~/.ssh/authorized_keys of {line(hop.user, 60)} there, or name another user or identity"
    )
    return LinkError(
        Problem(f"{hop}: authentication refused ({words(error)}); tried publickey with {what}{more}{also}", hint), refused=True
    )


def no_passphrase(hop: Hop, path: str, *, tries: int) -> LinkError:
    """An encrypted key that is needed stays closed."""
    why = f"{tries} wrong passphrases" if tries else "no passphrase was given"
    return LinkError(
        Problem(
            f"{hop}: the key {line(path, 200)} stays locked: {why}", "connect again to be asked again, or load it with ssh-add"
        ),
        refused=True,
    )


def key_unreadable(hop: Hop, path: str, error: BaseException) -> LinkError:
    """The named identity cannot be used."""
    return LinkError(
        Problem(f"{hop}: the key {line(path, 200)} cannot be used: {words(error)}", "correct identity (or IdentityFile)"),
        refused=True,
    )


# --- afterwards ----------------------------------------------------------------------------------------------------------


def lost(hop: Hop, error: BaseException | None) -> Problem:
    """Why a connection that was up is gone."""
    if isinstance(error, asyncssh.ConnectionLost) and "keepalive" in str(error):
        return Problem(f"{hop}: no answer any more: sshd is hung, or the network is gone", "connecting again by itself")
    if error is None or (isinstance(error, asyncssh.ConnectionLost) and str(error) == "Connection lost"):
        return Problem(f"{hop}: the host closed the connection", "sshd was stopped or restarted; connecting again by itself")
    return Problem(f"{hop}: the connection was lost: {words(error)}", "connecting again by itself")
