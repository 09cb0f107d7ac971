"""What is seen from outside: liveness, metrics and the dashboard, over HTTP, in a thread of the daemon."""
