"""What a developer runs: Home Assistant with simulated stations."""
