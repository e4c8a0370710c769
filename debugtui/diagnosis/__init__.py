"""From readings and topology to findings with evidence; runbooks."""
