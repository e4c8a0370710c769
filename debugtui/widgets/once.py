"""A timer that fires once, however busy the machine is."""

from __future__ import annotations

from textual.message_pump import MessagePump
from textual.timer import Timer, TimerCallback


def once(node: MessagePump, delay_s: float, callback: TimerCallback) -> Timer:
    """Call something once after a while.

    Textual's timers leave out the ticks that they are too late for. Where the machine takes the processor away for longer than
    `delay_s` between two lines of a timer's beginning, that is the only tick of a timer that fires once: it never would. So
    this one leaves out none (`_skip`, which `set_timer` does not take, is read when the timer's task begins: after this).

    Args:
        node: whose timer it is: it ends with it.
        delay_s: seconds.
        callback: what is called.
    """
    timer = node.set_timer(delay_s, callback)
    timer._skip = False  # noqa: SLF001 - a private hook of the pinned Textual
    return timer
