"""A finished run on the Hugging Face Hub: its results, its model card, its repository."""
