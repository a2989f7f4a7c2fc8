"""Programs for developers, which run a real Home Assistant with stations."""
