"""Prometheus, Alertmanager, Loki and Grafana: what their HTTP APIs tell of themselves and of what they watch. Read only."""
