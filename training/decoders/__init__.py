"""Causal language models: fine-tuning and continual pre-training with TRL."""
