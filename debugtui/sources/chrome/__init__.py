"""The front end as a browser sees it, driven through MCP."""
