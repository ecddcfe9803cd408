"""How the upstream files of public Italian medical datasets become examples.

- `formats/`: what the files of several datasets have in common (brat, IOB, JSON Lines, rows of the Hub, …).
- `datasets/`: one folder per dataset or corpus, which the catalogue names by its id.
- here: the tools that work on all of them (build, verify, mirror, leakage, cards, publish, pin).
- `corpus_pipeline/`: the steps that make a pre-training corpus of built datasets.

A builder is a module `datasets/ID/__init__.py` with

- `VERSION`: of its examples, raised whenever they change;
- `SOURCES`: where the raw files come from, pinned;
- `CONFIGS`: its views, each with one of the schemas of `ita_med.schema`;
- `read(files, configs, report)`: yields (config, split, examples) and counts in the report what it cannot keep;
  a split that memory should not hold comes in chunks, the same (config, split) several times, each with all examples
  of its documents (`ita_med.dataset_builders.formats.text_chunks` makes them);

beside `card.md` (what no code can say), `sample/` (synthetic files in upstream's format: the embedded mirror) and
`SHA256SUMS` (the pinned upstream files). Licence, access and citation stand in `ita_med/catalogue.toml`.
"""
