"""Bytes to the terminal and processor time of the screen: idle, and a dashboard on which every figure moves."""

from __future__ import annotations

from benchmarks.terminal import Terminal, python

SECONDS = 20


def measure(name: str, *arguments: str) -> None:
    """Print one row."""
    terminal = Terminal(python("-m", "benchmarks.simulated", *arguments))
    terminal.read(8)
    cpu = terminal.cpu()
    came = len(terminal.read(SECONDS))
    used = terminal.cpu() - cpu
    share = 100 * used / SECONDS
    print(f"{name:<58} {came / SECONDS:7.0f} B/s  {share:5.1f} % of a core  {terminal.resident_mb():4.0f} MB resident")
    terminal.close()


def main() -> None:
    """Print a row for each case, 120x40, refresh 2 s."""
    measure("nothing to show (clock only)", "0", "0", "0", "0")
    measure("1 host, 20 VMs, 50 containers, 100 sessions", "1", "20", "50", "100")
    measure("3 hosts, 6 VMs, 12 containers, 20 sessions each", "3", "6", "12", "20")
    for hosts in ("25", "50", "100"):
        measure(f"{hosts} hosts, 6 VMs, 12 containers, 20 sessions each", hosts, "6", "12", "20")


if __name__ == "__main__":
    main()
