"""Run every benchmark: `make bench`."""

from __future__ import annotations

from benchmarks import keys, start, traffic


def main() -> None:
    """Print every figure."""
    start.main()
    traffic.main()
    keys.main()


if __name__ == "__main__":
    main()
