"""De-duplication of a corpus: ours against datatrove as it is, rensa and polars, on the same files in one run.

    python benchmarks/corpus.py MIRROR [--megabytes 150] [--jobs ours-1 plain-1 …]

The corpus is made from E3C layer 3: chunks of about 150 words, a quarter of them again as exact copies, half of them
again with 3 % of their words replaced. "plain" is datatrove's exact and MinHash de-duplication with its own (spaCy)
tokenizer; "light" is the same with a regular expression in its place; both write the documents they keep, as ours
does. rensa finds near-duplicates, polars exact ones. Every job is a process of its own; memory is the peak of its tree
(pages that processes share count in each). CPU seconds miss the workers of jobs with two of them. Needs psutil, rensa
and polars beside the extra `corpora`.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil

SHARDS, CHUNK = 8, 150
JOBS = ("polars-1", "rensa-1", "ours-1", "ours-2", "light-1", "light-2", "plain-1", "plain-2")


def make_corpus(mirror: str, megabytes: float, folder: Path) -> int:
    """Write the shards; the number of bytes."""
    from ita_med.dataset_builders import build

    rng = random.Random(0)
    files = build.open_files("e3c", mirror)
    texts = [e.text for _, _, group in build.examples("e3c", ["layer3"], files=files) for e in group]  # type: ignore[union-attr]
    words = [text.split(" ") for text in texts]
    chunks = [" ".join(w[i : i + CHUNK]) for w in words for i in range(0, len(w), CHUNK)]
    rng.shuffle(chunks)
    vocabulary = [word for w in words[:200] for word in w]
    originals = chunks[: int(megabytes * 1e6 / 1.75 / (sum(map(len, chunks)) / len(chunks)))]
    near = []
    for text in rng.choices(originals, k=len(originals) // 2):
        near.append(" ".join(w if rng.random() > 0.03 else rng.choice(vocabulary) for w in text.split(" ")))
    documents = originals + rng.choices(originals, k=len(originals) // 4) + near
    rng.shuffle(documents)
    folder.mkdir(parents=True)
    per_shard = -(-len(documents) // SHARDS)
    for n in range(SHARDS):
        rows = documents[n * per_shard : (n + 1) * per_shard]
        lines = (orjson.dumps({"id": f"{n}-{i}", "text": text}) + b"\n" for i, text in enumerate(rows))
        (folder / f"{n:02}.jsonl").write_bytes(b"".join(lines))
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{len(documents):,} documents in {SHARDS} files, {size / 1e6:.1f} MB", flush=True)
    return size


Result = tuple[set[str], dict[str, int]]
"""Ids of the kept documents; text -> near-duplicate cluster, where the job finds such."""


def ours(corpus: Path, out: Path, workers: int) -> set[str]:
    import pyarrow.parquet as pq

    from ita_med.dataset_builders.corpus_pipeline import build_corpus
    from ita_med.dataset_builders.corpus_pipeline.corpus_recipe import (
        CorpusRecipe,
        DecontaminateSettings,
        LanguageSettings,
        NormaliseSettings,
        PersonalDataSettings,
        QualitySettings,
    )

    off = {
        "normalise": NormaliseSettings(on=False),
        "language": LanguageSettings(on=False),
        "quality": QualitySettings(on=False),
    }
    recipe = CorpusRecipe(
        **off,
        decontaminate=DecontaminateSettings(on=False),
        personal_data=PersonalDataSettings(on=False),
    )  # type: ignore[arg-type]
    build_corpus.build([str(corpus)], out / "ours", recipe, tasks=SHARDS, workers=workers)
    return {i for p in (out / "ours" / "data").iterdir() for i in pq.read_table(p, columns=["id"])["id"].to_pylist()}


class RegexWords:
    def word_tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text)


def content(document: Any) -> str:
    return str(document.text)


def datatrove(corpus: Path, out: Path, workers: int, light: bool) -> Result:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        ExactDedupFilter,
        ExactDedupSignature,
        ExactFindDedups,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    def run(name: str, tasks: int, *steps: Any) -> None:
        LocalPipelineExecutor(
            list(steps), tasks=tasks, workers=min(tasks, workers), logging_dir=str(out / "logs" / name)
        ).run()

    config = ExactDedupConfig(content)
    folders = {
        name: str(out / name) for name in ("hashes", "same", "unique", "signatures", "buckets", "remove", "kept")
    }
    run("1", SHARDS, JsonlReader(str(corpus)), ExactDedupSignature(folders["hashes"], config))
    run("2", 1, ExactFindDedups(folders["hashes"], folders["same"], config))
    run(
        "3", SHARDS, JsonlReader(str(corpus)), ExactDedupFilter(folders["same"], config),
        JsonlWriter(folders["unique"], compression=None),
    )  # fmt: skip
    signature = MinhashDedupSignature(folders["signatures"], language="ita")
    if light:
        signature.word_tokenizer = RegexWords()  # type: ignore[assignment]
    run("4", SHARDS, JsonlReader(folders["unique"]), signature)
    run("5", 14, MinhashDedupBuckets(folders["signatures"], folders["buckets"]))
    run("6", 1, MinhashDedupCluster(folders["buckets"], folders["remove"], save_cluster_id=True))
    run(
        "7", SHARDS, JsonlReader(folders["unique"]), MinhashDedupFilter(folders["remove"]),
        JsonlWriter(folders["kept"], compression=None),
    )  # fmt: skip
    return ids_of(Path(folders["kept"])), clusters_of(Path(folders["unique"]), Path(folders["remove"]))


def clusters_of(unique: Path, remove: Path) -> dict[str, int]:
    """Text (hashed) -> number of its cluster; a text without near-duplicates is a cluster of its own."""
    out: dict[str, int] = {}
    for rank, path in enumerate(sorted(unique.iterdir())):
        file = remove / f"{rank:06}.clusters"
        pairs = np.fromfile(file, "<u4").reshape(-1, 2).tolist() if file.exists() else []
        cluster = dict(pairs)
        for n, line in enumerate(path.open("rb")):
            out[digest(orjson.loads(line)["text"])] = cluster.get(n, -1 - len(out))
    return out


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def ids_of(folder: Path) -> set[str]:
    return {orjson.loads(line)["id"] for path in folder.iterdir() for line in path.open("rb")}


def rensa(corpus: Path) -> set[str]:
    from rensa import RMinHashDeduplicator

    deduplicator = RMinHashDeduplicator(threshold=0.72, num_perm=112, use_lsh=True, num_bands=14)
    kept = set()
    for path in sorted(corpus.iterdir()):
        for line in path.open("rb"):
            row = orjson.loads(line)
            words = re.findall(r"\w+", row["text"].lower())
            grams = [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]
            if deduplicator.add(row["id"], _sketch(grams)):
                kept.add(row["id"])
    return kept


def _sketch(grams: list[str]) -> Any:
    from rensa import RMinHash

    sketch = RMinHash(num_perm=112, seed=42)
    sketch.update(grams)
    return sketch


def polars(corpus: Path, out: Path) -> set[str]:
    import polars as pl

    lazy = pl.scan_ndjson(corpus / "*.jsonl").with_columns(hash=pl.col("text").hash())
    out.mkdir(parents=True)
    lazy.unique("hash", keep="first", maintain_order=True).drop("hash").sink_ndjson(out / "kept.jsonl")
    return ids_of(out)


def job(name: str, corpus: Path, out: Path) -> None:
    """Run one job in this process and print its seconds and kept ids."""
    kind, workers = name.split("-")
    started = time.perf_counter()
    clusters: dict[str, int] = {}
    if kind == "ours":
        kept = ours(corpus, out, int(workers))
    elif kind == "rensa":
        kept = rensa(corpus)
    elif kind == "polars":
        kept = polars(corpus, out)
    else:
        kept, clusters = datatrove(corpus, out, int(workers), light=kind == "light")
    seconds = time.perf_counter() - started
    print(orjson.dumps({"seconds": seconds, "kept": sorted(kept), "clusters": clusters}).decode())


def cpu_seconds() -> float:
    """Of all processes that this one and its children have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(name: str, corpus: Path, out: Path) -> dict[str, Any]:
    """Run a job as a process; its result with the peak memory of its tree."""
    command = [sys.executable, __file__, "--job", name, "--corpus", str(corpus), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peak, before = 0, cpu_seconds()

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            try:
                root = psutil.Process(process.pid)
                peak = max(peak, sum(p.memory_info().rss for p in [root, *root.children(recursive=True)]))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed = process.communicate()[0]
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{name} failed; run it alone: {' '.join(command)}")
    return orjson.loads(printed.strip().splitlines()[-1]) | {"peak": peak, "cpu": cpu_seconds() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mirror", nargs="?")
    parser.add_argument("--megabytes", type=float, default=150)
    parser.add_argument("--jobs", nargs="+", default=JOBS)
    parser.add_argument("--job")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.job:
        job(given.job, given.corpus, given.out)
        return
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / "corpus"
        size = make_corpus(given.mirror, given.megabytes, corpus)
        done: dict[str, dict[str, Any]] = {}
        for name in given.jobs:
            done[name] = result = measured(name, corpus, Path(scratch) / name)
            rate, peak = size / 1e6 / result["seconds"], result["peak"] / 1e6
            print(
                f"{name:9} {result['seconds']:7.1f} s {result['cpu']:7.1f} CPU s {rate:7.2f} MB/s {peak:6.0f} MB, "
                f"{len(result['kept']):,} documents kept", flush=True,
            )  # fmt: skip
        compare(done, corpus)


def compare(done: dict[str, dict[str, Any]], corpus: Path) -> None:
    """Ours next to datatrove's own: speed, how many are kept, and whether one of each of its clusters is."""
    rows = (orjson.loads(line) for path in corpus.iterdir() for line in path.open("rb"))
    texts = {row["id"]: digest(row["text"]) for row in rows}
    for own in (name for name in done if name.startswith("ours")):
        for peer in (name for name in done if name[:5] in ("plain", "light") and name[-1] == own[-1]):
            kept, clusters = done[own]["kept"], done[peer]["clusters"]
            held = Counter(clusters.get(texts[i], None) for i in kept)
            once = sum(held[c] == 1 for c in set(clusters.values())) / len(set(clusters.values()))
            faster, less = (done[peer][unit] / done[own][unit] for unit in ("seconds", "cpu"))
            more = len(kept) / len(done[peer]["kept"]) - 1
            print(f"{own} is {faster:.1f} times as fast as {peer} ({less:.1f} by CPU time); it keeps ", end="")
            print(f"{more:+.3%} documents, and exactly one of {once:.3%} of the peer's clusters")


if __name__ == "__main__":
    main()
