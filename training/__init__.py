"""Training by recipe. Rooms, each of which imports only those above it:

recipe.py   one readable YAML file that says which model is adapted how, on which data
backend     the devices, the libraries, and the settings of their trainers
data        what is learned from: examples without leaks, rows as tokens, corpora
models      what is trained: files on this machine, size, adapter, new models from scratch
record      what is kept of a run: its folder, its licences, its manifest
decoders    causal language models, with TRL
encoders    one small model per task and part, and masked-language pre-training
plan        what is known of a run before it starts, and the dry run
train.py    one run from its recipe to its manifest
publish     a finished run on the Hugging Face Hub
studies     many runs by one plan, which answer one question
cli.py      `ita-med train`, `predict`, `publish`
"""
