"""What libvirt's refusals mean for the operator."""

from __future__ import annotations

from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.libvirt.worker import CallError

# virErrorNumber (virterror.h). By number: the library is not loaded here.
NO_SUPPORT, OPERATION_DENIED, SYSTEM_ERROR, RPC = 3, 29, 38, 39
NO_DOMAIN, NO_NETWORK, NO_POOL = 42, 43, 49
AUTH_FAILED, NO_SNAPSHOT, ARGUMENT_UNSUPPORTED, AUTH_CANCELLED, ACCESS_DENIED, AUTH_UNAVAILABLE = 45, 72, 74, 79, 88, 94

MISSING = Problem(
    "libvirt-python is not installed", "apt install libvirt-dev pkg-config gcc, then pip install 'debugtui[libvirt]'"
)

_HINTS = {
    NO_SUPPORT: "this driver or daemon does not offer it",
    ARGUMENT_UNSUPPORTED: "this driver or daemon does not offer it",
    OPERATION_DENIED: "it needs more than a read-only connection",
    ACCESS_DENIED: "a polkit rule on the host refuses it to the login user (org.libvirt.api)",
    **dict.fromkeys((AUTH_FAILED, AUTH_CANCELLED, AUTH_UNAVAILABLE), "add the login user to the group libvirt on the host"),
    RPC: "libvirtd ended or restarts; it is tried again",
}
_ENDED = ("End of file", "reset by peer", "refused", "Broken pipe")


def problem_of(error: CallError, *, modular: bool = False) -> Problem:
    """Return what happened, and what helps.

    Args:
        error: what libvirt said.
        modular: it came through the socket of one modular daemon, which has neither networks nor pools.
    """
    says = line(error.says, 300)
    if error.code == SYSTEM_ERROR and any(sign in says for sign in _ENDED):
        return Problem(says, _HINTS[RPC])
    if modular and error.code == NO_SUPPORT:
        return Problem(says, "virtqemud serves VMs alone: systemctl enable --now virtproxyd-ro.socket on the host")
    return Problem(says, _HINTS.get(error.code, ""))


def no_answer(seconds: float) -> Problem:
    """Return the problem of a call that took longer than `seconds`."""
    return Problem(f"libvirt did not answer within {seconds:.0f} s", "is libvirtd hung, or the host overloaded?")


def not_loaded(error: ImportError) -> Problem:
    """Return the problem of a library that is not there, or cannot be loaded."""
    if isinstance(error, ModuleNotFoundError):
        return MISSING
    return Problem(f"libvirt-python cannot be loaded: {line(str(error), 200)}", "apt install libvirt0, or build it again")
