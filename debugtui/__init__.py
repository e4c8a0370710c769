"""DebugTUI: watch, diagnose and repair production on KVM hosts, from one terminal."""

__version__ = "0.1.0"
