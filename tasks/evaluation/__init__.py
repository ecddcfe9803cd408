"""Running a model on tasks: its requests, the answers it gave, and the folder that says how they were made."""
