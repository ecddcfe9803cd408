"""What is kept of a run: its folder, what the training did, the licences of its data, the manifest."""
