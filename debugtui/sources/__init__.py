"""One room per watched system. Sources only read."""
