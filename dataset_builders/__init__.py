"""How the upstream files of public Italian medical datasets become examples.

- `formats/`: what the files of several datasets have in common (brat, IOB, JSON Lines, rows of the Hub, …).
- `datasets/`: one folder per dataset or corpus, which the catalogue names by its id.
- `corpus_pipeline/`: the steps that make a pre-training corpus of built datasets.
- here, the tools that work on all of them:

  | tool | does |
  |---|---|
  | `build` | raw files → validated examples → Parquet; `build_record` is what a build read and counted |
  | `pin` | the checksums and counts of the real files, which every later build must meet |
  | `verify` | derives again what is claimed of raw files or of a built folder |
  | `mirror` | a folder of raw files for machines without a network |
  | `cards`, `croissant` | what is said of a dataset, to people and to programs; `known_overlaps` is part of it |
  | `publish` | Parquet and card to the Hub, as far as the licence allows |
  | `leakage`, `leakage_page` | evaluation texts that lie in training splits; `same_text` says what the same text is |

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
