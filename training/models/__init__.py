"""What is trained: the model's files on this machine, its size, its adapter, or a new one from scratch."""
