#!/usr/bin/env python3
"""Measures Quire's indexes beside those of other libraries: recall against throughput, on the same files and at the same time.

usage: Benchmarks/peers.py --data DIR [--metric cosine|l2] [--engines A,B] [--rows N] [--rounds N] [--json FILE] [--svg FILE]
       Benchmarks/peers.py --list

Needs the packages of Benchmarks/requirements.txt and a release build of quire-bench. Every engine has a process of its own, which
builds once. Then all are asked in turn, setting by setting and round after round, so that a machine that is slow for a while is
slow for all of them; the median of the rounds counts. DIR is as for `quire-bench index`.

Engines get the same float32 queries in one call of their own batch search with a set number of threads, so no time is spent in
Python. Under cosine the others get vectors and queries of norm 1 and compare inner products; Quire gets them as they are in the
files, and normalises each query as part of the search. A row as near as the tenth, up to 1e-6, counts as found.
"""
import argparse
import ctypes
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

# They are set on some machines for the sake of old builds of OpenBLAS, and slow the current one.
for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
SWEEP = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 400, 800]
TARGETS = (0.95, 0.99, 0.999)
SHORTEST, LONGEST = 0.3, 5.0  # seconds of one measurement


# Reading a data directory

def read_table(path):
    if path.suffix == ".npy":
        return np.load(path)
    words = np.fromfile(path, np.int32)
    rows = words.reshape(-1, words[0] + 1)[:, 1:]
    return rows.view(np.float32) if path.suffix == ".fvecs" else rows


def find_table(directory, name, endings):
    for ending in endings:
        path = directory / f"{name}.{ending}"
        if path.exists():
            return path
    return None


def read_vectors(directory, name):
    path = find_table(directory, name, ("f16.npy", "npy", "fvecs"))
    if path is None:
        sys.exit(f"{directory} has no {name}.f16.npy, .npy or .fvecs")
    return np.ascontiguousarray(read_table(path), dtype=np.float32)


def normalised(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distances(base, queries, metric):
    """In float64, by the definition of the metric."""
    base, queries = base.astype(np.float64), queries.astype(np.float64)
    if metric == "cosine":
        return 1 - normalised(queries) @ normalised(base).T
    return np.sqrt(np.maximum((queries ** 2).sum(axis=1)[:, None] + (base ** 2).sum(axis=1) - 2 * queries @ base.T, 0))


def exact_answers(base, queries, metric, count=100):
    found = np.empty((len(queries), count), np.int32)
    for start in range(0, len(queries), 50):
        block = distances(base, queries[start:start + 50], metric)
        nearest = np.argpartition(block, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(block, nearest, axis=1), axis=1, kind="stable")
        found[start:start + 50] = np.take_along_axis(nearest, order, axis=1)
    return found


def prepare(directory, metric, rows, target):
    """A directory with everything that the engines read: the given one, or `target` with less of it or with exact answers."""
    if rows is None and find_table(directory, f"exact_{metric}", ("npy", "ivecs")):
        return directory
    base, queries = read_vectors(directory, "base")[:rows], read_vectors(directory, "queries")
    print(f"exact answers of {len(queries):,} queries over {len(base):,} rows", file=sys.stderr)
    np.save(target / "base.npy", base)
    np.save(target / "queries.npy", queries)
    np.save(target / f"exact_{metric}.npy", exact_answers(base, queries, metric))
    return target


def accepted_rows(base, queries, answers, metric, count):
    """By query, the rows that count as found, filled up with -1."""
    candidates = answers[:, :2 * count]
    accepted = np.full(candidates.shape, -1, np.int64)
    for number, query in enumerate(queries):
        near = distances(base[candidates[number]], query[None], metric)[0]
        bound = near[count - 1] + 1e-6 * max(1, abs(near[count - 1]))
        keep = near <= bound
        keep[:count] = True
        accepted[number, keep] = candidates[number, keep]
    return accepted


# Engines: each has build(base), search(queries, count, setting, threads) -> row numbers

class Engine:
    package = None
    is_exact = False

    def __init__(self, dimension, metric, threads, m, ef_construction):
        self.dimension, self.metric, self.threads, self.m, self.ef_construction = dimension, metric, threads, m, ef_construction


class HNSWLib(Engine):
    package = "hnswlib"

    def build(self, base):
        import hnswlib
        self.index = hnswlib.Index("ip" if self.metric == "cosine" else "l2", self.dimension)
        self.index.init_index(len(base), ef_construction=self.ef_construction, M=self.m)
        self.index.add_items(base, num_threads=self.threads)

    def search(self, queries, count, setting, threads):
        self.index.set_ef(setting)
        return self.index.knn_query(queries, count, num_threads=threads)[0]


class Faiss(Engine):
    package = "faiss-cpu"

    def build(self, base):
        import faiss
        self.faiss = faiss
        faiss.omp_set_num_threads(self.threads)
        self.index = self.make(faiss, faiss.METRIC_INNER_PRODUCT if self.metric == "cosine" else faiss.METRIC_L2)
        self.index.train(base)
        self.index.add(base)

    def search(self, queries, count, setting, threads):
        self.faiss.omp_set_num_threads(threads)
        self.adopt(setting, count)
        return self.index.search(queries, count)[1]


class FaissHNSW(Faiss):
    def make(self, faiss, metric):
        index = faiss.IndexHNSWFlat(self.dimension, self.m, metric)
        index.hnsw.efConstruction = self.ef_construction
        return index

    def adopt(self, setting, count):
        self.index.hnsw.efSearch = setting


class FaissHNSWSQ8(Faiss):
    """The graph over codes of 8 bits; up to four times as many as asked for are scored with the vectors."""

    def make(self, faiss, metric):
        self.graph = faiss.IndexHNSWSQ(self.dimension, faiss.ScalarQuantizer.QT_8bit, self.m, metric)
        self.graph.hnsw.efConstruction = self.ef_construction
        return faiss.IndexRefineFlat(self.graph)

    def adopt(self, setting, count):
        self.graph.hnsw.efSearch = setting
        self.index.k_factor = max(1, min(4, setting / count))


class FaissFlat(Faiss):
    """One query at a time, as a server gets them: a product of matrices over all queries would answer another question."""
    is_exact = True

    def make(self, faiss, metric):
        faiss.cvar.distance_compute_blas_threshold = 1 << 30
        return faiss.IndexFlat(self.dimension, metric)

    def adopt(self, setting, count):
        pass


class USearch(Engine):
    package = "usearch"
    precision = "f32"

    def build(self, base):
        from usearch.index import Index
        self.index = Index(
            ndim=self.dimension, metric="ip" if self.metric == "cosine" else "l2sq", dtype=self.precision, connectivity=self.m,
            expansion_add=self.ef_construction)
        self.index.add(np.arange(len(base)), base, threads=self.threads)

    def search(self, queries, count, setting, threads):
        self.index.expansion_search = setting
        return self.index.search(queries, count, threads=threads).keys


class USearchBF16(USearch):
    precision = "bf16"


class SVS(Engine):
    """A Vamana graph; its nodes have 2 m links, as those of an HNSW graph have on the lowest level."""
    package = "scalable-vs"
    residual_bits = None

    def build(self, base):
        import svs
        inner = self.metric == "cosine"
        parameters = svs.VamanaBuildParameters(
            alpha=0.95 if inner else 1.2, graph_max_degree=2 * self.m, window_size=self.ef_construction)
        distance = svs.DistanceType.MIP if inner else svs.DistanceType.L2
        if self.residual_bits is None:
            self.index = svs.Vamana.build(parameters, base, distance, num_threads=self.threads)
            return
        with tempfile.TemporaryDirectory(prefix="quire-svs-") as directory:
            path = f"{directory}/base.fvecs"
            svs.write_vecs(base, path)
            loader = svs.VectorDataLoader(path, svs.DataType.float32, dims=self.dimension)
            codes = svs.LVQLoader(loader, primary=4, residual=self.residual_bits, strategy=svs.LVQStrategy.Auto)
            self.index = svs.Vamana.build(parameters, codes, distance, num_threads=self.threads)

    def search(self, queries, count, setting, threads):
        if self.index.num_threads != threads:
            self.index.num_threads = threads
        self.index.search_window_size = setting
        return self.index.search(queries, count)[0]


class SVSLVQ4x8(SVS):
    residual_bits = 8


class RaBitQHNSW(Engine):
    package = "rabitqlib"

    def build(self, base):
        import rabitqlib
        clusters = rabitqlib.RaBitQKMeans(self.dimension, 16, num_threads=self.threads)
        clusters.train(base)
        self.index = rabitqlib.HnswIndex(
            dim=self.dimension, max_elements=len(base), M=self.m, ef_construction=self.ef_construction, nbits=7,
            metric="ip" if self.metric == "cosine" else "l2")
        self.index.build(base, clusters.centroids, clusters.assignments, num_threads=self.threads)

    def search(self, queries, count, setting, threads):
        return self.index.search(queries, count, ef=setting, num_threads=threads)[0]


class SymphonyQG(Engine):
    """Static: there is no adding and no removing."""
    package = "rabitqlib"

    def build(self, base):
        import rabitqlib
        self.index = rabitqlib.SymqgIndex(dim=self.dimension, max_degree=2 * self.m, metric="ip" if self.metric == "cosine" else "l2")
        self.index.build(base, self.ef_construction, num_threads=self.threads)

    def search(self, queries, count, setting, threads):
        return self.index.search_batch(queries, count, setting, num_threads=threads)[0]


PEERS = {
    "hnswlib": HNSWLib, "faiss-hnsw": FaissHNSW, "faiss-hnsw-sq8": FaissHNSWSQ8, "faiss-flat": FaissFlat, "usearch": USearch,
    "usearch-bf16": USearchBF16, "svs": SVS, "svs-lvq4x8": SVSLVQ4x8, "rabitq-hnsw": RaBitQHNSW, "symphonyqg": SymphonyQG,
}
QUIRE = {
    "quire-hnsw": ("hnsw", "none"), "quire-hnsw-int8": ("hnsw", "int8"), "quire-exact": ("brute_force", "none"),
    "quire-exact-int8": ("brute_force", "int8"),
}


# A worker: the process of one engine. It speaks as `quire-bench index --serve` does.

def anonymous_bytes():
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path("/proc/self/status").read_text()).group(1)) * 1024


def work(options):
    engine_class = PEERS[options.worker]
    module = {"faiss-cpu": "faiss", "scalable-vs": "svs"}.get(engine_class.package, engine_class.package)
    # What libraries print goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    __import__(module)
    base, queries = read_vectors(options.data, "base"), read_vectors(options.data, "queries")
    answers = read_table(find_table(options.data, f"exact_{options.metric}", ("npy", "ivecs")))
    accepted = accepted_rows(base, queries, answers, options.metric, options.count)
    if options.metric == "cosine":
        base, queries = normalised(base), np.ascontiguousarray(normalised(queries))

    engine = engine_class(base.shape[1], options.metric, options.threads, options.m, options.ef_construction)
    trim = ctypes.CDLL("libc.so.6").malloc_trim
    trim(0)
    before = anonymous_bytes()
    start = time.perf_counter()
    engine.build(base)
    seconds = time.perf_counter() - start
    trim(0)
    greeting = {"build_seconds": seconds, "bytes_per_vector": (anonymous_bytes() - before) / len(base)}
    del base
    print(json.dumps(greeting), file=replies, flush=True)

    # An exact search takes long; it is measured over as many queries as there is time for.
    step = 50 if engine.is_exact else len(queries)
    for line in sys.stdin:
        setting, threads = map(int, line.split())
        elapsed = answered = hits = 0
        while elapsed < SHORTEST:
            for first in range(0, len(queries), step):
                start = time.perf_counter()
                found = engine.search(queries[first:first + step], options.count, setting, threads)
                elapsed += time.perf_counter() - start
                right = accepted[first:first + step]
                hits += int((np.asarray(found).astype(np.int64)[:, :, None] == right[:, None, :]).any(axis=2).sum())
                answered += len(right)
                if elapsed > LONGEST:
                    break
        reply = {"setting": setting, "threads": threads, "recall": hits / answered / options.count, "queries_per_second": answered / elapsed}
        print(json.dumps(reply), file=replies, flush=True)


# Measuring

class Worker:
    def __init__(self, name, command):
        self.name = name
        # A file and not a pipe, which would fill up: it is read only when the worker has failed.
        self.complaints = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints, text=True)
        self.building = self.reply()
        self.points = {}

    def reply(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.complaints.seek(0)
            raise RuntimeError(f"{self.name}: {self.complaints.read().strip()[-800:] or f'ended with {self.process.returncode}'}")
        return json.loads(line)

    def measure(self, setting, threads):
        print(setting, threads, file=self.process.stdin, flush=True)
        return self.reply()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    @property
    def is_exact(self):
        return "flat" in self.name or "exact" in self.name

    def settings(self, threads):
        """The sweep, and more where recall crosses a target."""
        if self.is_exact:
            return [0]
        recalls = {}
        wanted = list(SWEEP)
        for _ in range(3):
            for setting in wanted:
                recalls[setting] = self.measure(setting, threads)["recall"]
            ordered = sorted(recalls)
            wanted = set()
            for low, high in zip(ordered, ordered[1:]):
                middle = round(math.sqrt(low * high))
                if low < middle < high and any(recalls[low] < target <= recalls[high] for target in TARGETS):
                    wanted.add(middle)
        return sorted(recalls)


def rate_at(recall, points):
    """Queries per second at a recall: between two settings their logarithm is taken as linear in recall."""
    if not points:
        return None
    if points[0][0] >= recall:
        return points[0][1]
    for (low, low_rate), (high, high_rate) in zip(points, points[1:]):
        if low < recall <= high:
            share = (recall - low) / (high - low)
            return math.exp(math.log(low_rate) * (1 - share) + math.log(high_rate) * share)
    return None


def start(name, options, directory):
    if name in QUIRE:
        index, quantization = QUIRE[name]
        command = [
            options.quire, "index", "--serve", "--data", directory, "--metric", options.metric, "--index", index, "--quantization",
            quantization, "--threads", options.threads, "--count", options.count]
        if index == "hnsw":
            command += ["--parameter", f"m={options.m}", "--parameter", f"ef_construction={options.ef_construction}"]
    else:
        command = [
            sys.executable, __file__, "--worker", name, "--data", directory, "--metric", options.metric, "--threads", options.threads,
            "--count", options.count, "--m", options.m, "--ef-construction", options.ef_construction]
    return Worker(name, [str(part) for part in command])


def version(name):
    if name in QUIRE:
        commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
        return commit or None
    return importlib.metadata.version(PEERS[name].package)


def summary(worker, threads):
    measured = {}
    for count in sorted({1, threads}):
        curve = []
        for (setting, used), point in sorted(worker.points.items()):
            if used == count:
                curve.append((point["recall"], statistics.median(point["rounds"])))
        measured[count] = {target: rate_at(target, curve) for target in TARGETS} | {"best_recall": max(recall for recall, _ in curve)}
    return measured


def print_table(results, threads):
    counts = sorted({1, threads})
    print(f"\n{'':<18}" + "".join(f"{'one thread' if count == 1 else f'{count} threads':>27}" for count in counts))
    heads = "".join(f"{f'@{target}'.replace('0.', '.'):>9}" for target in TARGETS)
    print(f"{'queries/s':<18}" + heads * len(counts) + f"{'build s':>10}{'B/vector':>10}{'best':>8}")

    def shown(rate):
        return f"{rate:>9,.0f}" if rate else f"{'–':>9}"

    def order(result):
        return -(result["rates"][str(counts[0])][str(TARGETS[0])] or 0)

    for result in sorted(results, key=order):
        rates = "".join(shown(result["rates"][str(count)][str(target)]) for count in counts for target in TARGETS)
        print(f"{result['name']:<18}{rates}{result['build_seconds']:>10.1f}{result['bytes_per_vector']:>10,.0f}{result['best_recall']:>8.4f}")


def draw(results, head, path):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "quire"})
    counts = sorted({1, head["threads"]})
    ticks = [0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999]
    figure, panels = plt.subplots(1, len(counts), figsize=(5.4 * len(counts) + 1.6, 5), sharey=True, squeeze=False)
    colours = plt.get_cmap("tab10").colors
    for panel, count in zip(panels[0], counts):
        peer = 0
        for result in results:
            points = [(p["recall"], p["queries_per_second"]) for p in result["points"] if p["threads"] == count and p["recall"] >= ticks[0]]
            # More work than is needed for the highest recall shown would be a line straight down.
            best = next((number for number, (recall, _) in enumerate(points) if recall >= ticks[-1]), len(points))
            points = points[:best + 1]
            ours = result["name"] in QUIRE
            if ours:
                style = {"color": "black", "linewidth": 2.2, "linestyle": "--" if "int8" in result["name"] else "-", "zorder": 3}
            else:
                style = {"color": colours[peer % 10], "linewidth": 1.3}
                peer += 1
            marker = "s" if len(points) == 1 else "o"
            panel.plot(
                [-math.log10(1 - min(recall, ticks[-1])) for recall, _ in points], [rate for _, rate in points], marker=marker,
                markersize=6 if len(points) == 1 else 3, label=result["name"], **style)
        panel.set_yscale("log")
        panel.set_xticks([-math.log10(1 - tick) for tick in ticks], [f"{tick}"[1:] for tick in ticks[:-1]] + ["≥.9999"])
        panel.set_title("one thread" if count == 1 else f"{count} threads", loc="left", fontsize=10, fontweight="bold")
        panel.set_xlabel(f"recall@{head['count']}")
        panel.grid(color="#e4e4e4")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("queries per second")
    figure.suptitle(f"{head['rows']:,} vectors of {head['dimension']}, {head['metric']}", x=0.02, ha="left", fontsize=12, fontweight="bold")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", frameon=False)
    figure.tight_layout(rect=(0, 0, 1 - 1.6 / (5.4 * len(counts) + 1.6), 1))
    figure.savefig(path, metadata={"Date": None})


def processor_name():
    match = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return match.group(1) if match else platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data" / "wordnet")
    parser.add_argument("--metric", choices=("cosine", "l2"), default="cosine")
    parser.add_argument("--engines", help="names with commas between; default: all")
    parser.add_argument("--list", action="store_true", help="lists the engines, and whether their packages are installed")
    parser.add_argument("--rows", type=int, help="use at most that many vectors")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--m", type=int, default=16)
    parser.add_argument("--ef-construction", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quire", type=pathlib.Path, default=ROOT / ".build" / "release" / "quire-bench")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options)
    engines = options.engines.split(",") if options.engines else [*QUIRE, *PEERS]
    if unknown := set(engines) - set(QUIRE) - set(PEERS):
        sys.exit(f"unknown engines {', '.join(sorted(unknown))}; known: {', '.join([*QUIRE, *PEERS])}")

    usable = []
    for name in engines:
        try:
            usable.append((name, version(name)))
        except importlib.metadata.PackageNotFoundError as problem:
            print(f"{name}: the package {problem.name} is not installed", file=sys.stderr)
    if options.list:
        for name, number in usable:
            print(f"{name:<18} {number}")
        return

    with tempfile.TemporaryDirectory(prefix="quire-peers-") as temporary:
        directory = prepare(options.data, options.metric, options.rows, pathlib.Path(temporary))
        base = read_vectors(directory, "base")
        head = {
            "machine": processor_name(), "processors": os.cpu_count(), "date": datetime.date.today().isoformat(), "data": options.data.name,
            "rows": len(base), "dimension": base.shape[1], "metric": options.metric, "count": options.count, "threads": options.threads,
            "m": options.m, "ef_construction": options.ef_construction, "rounds": options.rounds}
        del base
        print(f"{head['machine']}, {head['processors']} processors; {head['data']}: {head['rows']:,} x {head['dimension']}, {head['metric']}")
        workers = []
        try:
            measure(usable, options, directory, workers)
            results = [result_of(worker, number, options.threads) for worker, number in workers]
        finally:
            for worker, _ in workers:
                worker.stop()

    print_table(results, options.threads)
    if options.json:
        options.json.write_text(json.dumps(head | {"engines": results}, indent=1) + "\n")
    if options.svg:
        draw(results, head, options.svg)


def measure(usable, options, directory, workers):
    # One after the other, so that each builds with the machine to itself.
    for name, number in usable:
        try:
            worker = start(name, options, directory)
            worker.list = worker.settings(options.threads)
        except RuntimeError as problem:
            print(problem, file=sys.stderr)
            continue
        workers.append((worker, number))
        building = worker.building
        print(f"{name} {number}: built in {building['build_seconds']:.1f} s, {building['bytes_per_vector']:,.0f} bytes/vector", file=sys.stderr)
    for round in range(options.rounds):
        for threads in sorted({1, options.threads}):
            for position in range(max(len(worker.list) for worker, _ in workers)):
                for worker, _ in workers:
                    if position >= len(worker.list):
                        continue
                    reply = worker.measure(worker.list[position], threads)
                    point = worker.points.setdefault((reply["setting"], threads), {"recall": reply["recall"], "rounds": []})
                    point["rounds"].append(reply["queries_per_second"])
        print(f"round {round + 1} of {options.rounds}", file=sys.stderr)


def result_of(worker, number, threads):
    rates = summary(worker, threads)
    points = [
        {"setting": setting, "threads": used, "recall": point["recall"], "queries_per_second": statistics.median(point["rounds"]), "rounds": point["rounds"]}
        for (setting, used), point in sorted(worker.points.items())]
    return {
        "name": worker.name, "version": number, "build_seconds": worker.building["build_seconds"],
        "bytes_per_vector": worker.building["bytes_per_vector"], "best_recall": rates[threads]["best_recall"],
        "rates": {str(count): {str(target): rate[target] for target in TARGETS} for count, rate in rates.items()}, "points": points}


if __name__ == "__main__":
    main()
