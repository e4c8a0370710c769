"""One Redis: memory, persistence, replication, and the lists and streams in it that are queues."""
