"""When to open the windows: the advice, and when it will change."""
