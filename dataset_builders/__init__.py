"""One folder per dataset: how its upstream files become examples.

A builder is a module with

- `VERSION`: of its examples, raised whenever they change;
- `SOURCES`: where the raw files come from, pinned;
- `CONFIGS`: its views, each with one of the schemas of `ita_med.schema`;
- `read(files, configs, report)`: yields (config, split, examples) and counts in the report what it cannot keep;
  a split that memory should not hold comes in chunks, the same (config, split) several times, each with all examples
  of its documents (`ita_med.dataset_builders.documents` makes them);

beside `card.md` (what no code can say), `sample/` (synthetic files in upstream's format: the embedded mirror) and
`SHA256SUMS` (the pinned upstream files). Licence, access and citation stand in `ita_med/catalogue.toml`. A dataset
whose only family is "corpus" lies in `corpora/`.
"""
