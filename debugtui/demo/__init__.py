"""The embedded lab: real SSH, real PostgreSQL, simulated neighbours, scripted incidents."""
