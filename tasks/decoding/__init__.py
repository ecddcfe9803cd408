"""Constrained decoding: answers that always parse, by llguidance for `hf`, by the server's own means elsewhere."""
