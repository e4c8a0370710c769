"""From readings to table rows: pure functions, one file per pane."""
