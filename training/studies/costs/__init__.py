"""What trainings and answers take: operations, energy, tokens, and their price."""
