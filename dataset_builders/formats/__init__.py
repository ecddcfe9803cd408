"""What the files of several datasets have in common: a module per format, and how texts are cut and decoded."""
