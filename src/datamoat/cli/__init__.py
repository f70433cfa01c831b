"""What a person types: one command a step, no logic."""
