"""Text for pre-training: one folder per corpus."""
