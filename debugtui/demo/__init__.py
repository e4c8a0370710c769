"""The embedded lab: real SSH, real PostgreSQL, simulated neighbours, scripted incidents. Touches nothing of the machine."""
