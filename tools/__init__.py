"""What a developer runs: Home Assistant with stations."""
