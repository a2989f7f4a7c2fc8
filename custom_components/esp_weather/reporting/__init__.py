"""Reports over HTTP: views, authentication and answers."""
