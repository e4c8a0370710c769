"""Run every benchmark: `make bench`."""

from __future__ import annotations

from benchmarks import chrome, diagnosis, keys, merged_logs, peers, poll, start, traffic, web_probe, widgets_speed


def main() -> None:
    """Print every figure."""
    start.main()
    traffic.main()
    keys.main()
    poll.main()
    diagnosis.main()
    widgets_speed.main()
    merged_logs.main()
    web_probe.main()
    chrome.main()
    peers.main()


if __name__ == "__main__":
    main()
