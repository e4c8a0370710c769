"""Run every benchmark: `make bench`."""

from __future__ import annotations

from benchmarks import keys, peers, poll, start, traffic, widgets_speed


def main() -> None:
    """Print every figure."""
    start.main()
    traffic.main()
    keys.main()
    poll.main()
    widgets_speed.main()
    peers.main()


if __name__ == "__main__":
    main()
