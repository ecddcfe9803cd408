"""What the finished runs of a study say: scores, means over seeds, tables and figures."""
