"""From a row to a verified fix: offers, parameters, approval, execution."""
