"""The steps that make a pre-training corpus of built datasets: clean, de-duplicate, decontaminate, mask."""
