"""What is seen from outside: Prometheus metrics and log lines, without content, keys or unbounded labels."""
