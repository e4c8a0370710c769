"""What the README claims about speed, as programs: `make bench` runs them all."""
