"""Plans, approvals, and the only code that changes anything on a host."""
