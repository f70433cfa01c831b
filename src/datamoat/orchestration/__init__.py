"""What the DAGs call, when they run, and who is notified."""
