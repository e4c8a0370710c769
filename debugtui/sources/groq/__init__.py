"""The Groq API: what a probe finds, and what the application itself tells."""
