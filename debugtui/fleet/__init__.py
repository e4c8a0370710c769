"""The supervisor: polls every source of every host, keeps freshness and a short history, publishes changes."""
