"""One file per widget. Live tables and logs are line widgets: they paint changed cells only."""
