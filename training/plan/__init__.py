"""What is known of a run before it starts: its data, its size, what would stop it, and the dry run."""
