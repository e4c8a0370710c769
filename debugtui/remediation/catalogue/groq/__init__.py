"""Repairs of what uses the Groq API: its key, its model, its timeouts, its concurrency."""
