"""A folder that looks like a router."""
