"""A task with its data: prompts and scores, predictions in files, windows, and the same for lm-evaluation-harness."""
