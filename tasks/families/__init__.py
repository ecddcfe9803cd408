"""The families of tasks: how each one asks, reads an answer and counts it."""
