"""What runs on the host itself: detached commands, dead-man reverts, leases."""
