"""What is learned from: training examples without leaks, their rows as tokens, and corpora."""
