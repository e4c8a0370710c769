"""The Groq API: active probes through its SDK, and what the application itself tells of its calls."""
