"""Corpora for pre-training: builders of texts (one folder each) and the pipeline that cleans and de-duplicates them."""
