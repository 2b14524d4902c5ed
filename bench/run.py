"""netcc beside PyTorch and ONNX Runtime, alternately; `make bench` runs it, bench/README.md tells how."""
import argparse
import datetime
import glob
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time

import report
import rows

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WORK = os.path.join(ROOT, "build", "bench")
NETCC = os.path.join(ROOT, "build", "netcc")
PYTHON = "/usr/bin/python3"  # Debian's, which python3-torch belongs to
TRIAL = 0.25  # part of the time for finding a peer's best setting
CORES = {1: "0", 2: "0,1"}
STARTS = 21  # one-step runs


class Failure(Exception):
    pass


# ---- processes ----------------------------------------------------------------------------------


def environment(**more):
    """Ours without what would slow a peer down."""
    spoilers = ("OPENBLAS_", "OMP_", "GOMP_", "MKL_", "ATEN_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(spoilers)}
    kept.update(NETCC_CACHE=os.path.join(WORK, "cache"), PYTHONDONTWRITEBYTECODE="1")
    kept.update(more)
    return kept


def on_cores(words, threads):
    return ["taskset", "-c", CORES[threads], *words] if shutil.which("taskset") else words


def launch(words, threads, **more):
    """The output of a command on its cores, its seconds and its peak memory in kB."""
    words = on_cores(words, threads)
    begin = time.perf_counter()
    with open(os.path.join(WORK, "errors.txt"), "w+", encoding="utf-8") as errors:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT,
                                   env=environment(**more))
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        errors.seek(0)
        if process.returncode:
            last = errors.read().strip().splitlines()[-1:] or ["no message"]
            text = f"{' '.join(words)}: {last[0]} (exit {process.returncode})"
            raise Failure(text.replace(ROOT + "/", ""))
    return output, seconds, usage.ru_maxrss


def answer(words, threads, **more):
    """What a command says on its last line, in JSON"""
    output = launch(words, threads, **more)[0]
    try:
        return json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise Failure(f"{' '.join(words)}: no JSON in '{output[-80:]}'".replace(ROOT + "/", "")) from None


# ---- contenders: each gives milliseconds of a call ------------------------------------------------


class Netcc:
    """By one of its backends"""

    def __init__(self, backend):
        self.name = backend

    def runs(self, row):
        return self.name == "cc" or row.kind == "train"

    def measure(self, row, threads, seconds):
        spec = os.path.join("bench", "specs", row.network + ".yaml")
        found = answer([NETCC, "bench", spec, "--" + row.kind, "--batch", str(row.batch), "--threads",
                        str(threads), "--backend", self.name, "--seconds", str(max(1, round(seconds))),
                        "--json"], threads)
        return found["latency_ms"], found


class Torch:
    name = "PyTorch"
    forms = {"train": ["foreach", "plain"], "predict": ["frozen", "optimized"]}

    def __init__(self):
        self.best = {}  # (row, threads): (form, instruction set of its kernels)
        folders = [os.environ.get("OPENBLAS_OPENMP", ""), *glob.glob("/usr/lib/*/openblas-openmp")]
        self.blas = next((f for f in folders if f and os.path.isdir(f)), None)
        self.version = answer(self.script("version"), 1)["version"]

    @staticmethod
    def script(*words):
        return [PYTHON, os.path.join(HERE, "torch_peer.py"), *map(str, words)]

    def runs(self, row):
        return True

    def settings(self, isa):
        more = {"ATEN_CPU_CAPABILITY": isa} if isa else {}
        if self.blas:
            more["LD_LIBRARY_PATH"] = self.blas
        return more

    def call(self, row, threads, seconds, forms, isa):
        words = self.script(row.kind, row.network, row.batch, threads, seconds, *forms)
        return answer(words, threads, **self.settings(isa))

    def find_best(self, row, threads, seconds):
        """The quickest of its forms, with its own choice of instructions or AVX-512."""
        tried = {}
        for isa in ["", "avx512"] if "avx512f" in report.cpu_flags() else [""]:
            for form, ms in self.call(row, threads, TRIAL * seconds, self.forms[row.kind], isa).items():
                tried[form, isa] = ms
        self.best[row, threads] = min(tried, key=tried.get)

    def measure(self, row, threads, seconds):
        if (row, threads) not in self.best:
            self.find_best(row, threads, seconds)
        form, isa = self.best[row, threads]
        ms = self.call(row, threads, seconds, [form], isa)[form]
        return ms, {"form": f"{form}, {isa}" if isa else form}


class Onnx:
    name = "ONNX Runtime"

    def __init__(self):
        self.version = answer(self.script("version"), 1)["version"]

    @staticmethod
    def script(*words):
        return ["node", os.path.join(HERE, "onnx_peer.js"), *map(str, words)]

    def runs(self, row):
        return row.kind == "predict"

    def measure(self, row, threads, seconds):
        path = os.path.join(WORK, f"{row.network}_{row.batch}.onnx")
        shape = path + ".json"
        if not os.path.exists(shape):
            made = answer(Torch.script("onnx", row.network, row.batch, path), 1)
            with open(shape, "w", encoding="utf-8") as f:
                json.dump(made["shape"], f)
        with open(shape, encoding="utf-8") as f:
            dimensions = json.load(f)
        return answer(self.script("predict", path, threads, seconds, *dimensions), threads)["all"], {}


class Kann:
    """The C library kann, compiled from the folder that KANN names, its products by OpenBLAS"""

    name = "kann"
    flags = ["-O2", "-O3 -march=native -ffast-math"]

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        header = report.first_match(os.path.join(self.folder, "kann.h"), r'KANN_VERSION "(.*)"')
        self.version, self.blas = header + " with OpenBLAS", True
        try:
            self.programs = self.compile_all(["-DHAVE_CBLAS"], ["-lopenblas"])
        except Failure:
            self.version, self.blas = header + " without OpenBLAS", False
            self.programs = self.compile_all([], [])
        self.best = {}  # threads: (flags, OpenBLAS's choice of processor)

    def compile_all(self, defines, libraries):
        sources = [os.path.join(HERE, "kann_peer.c"),
                   *(os.path.join(self.folder, name) for name in ("kann.c", "kautodiff.c"))]
        programs = {}
        for i, flags in enumerate(self.flags):
            programs[flags] = os.path.join(WORK, f"kann_peer{i}")
            launch(["cc", *flags.split(), "-w", "-DHAVE_PTHREAD", *defines, "-I" + self.folder, *sources,
                    "-o", programs[flags], *libraries, "-lpthread", "-lm"], 1)
        return programs

    def runs(self, row):
        return (row.kind, row.network) == ("train", "mlp128")

    def call(self, row, threads, seconds, flags, core):
        more = {"OPENBLAS_NUM_THREADS": "1", **({"OPENBLAS_CORETYPE": core} if core else {})}
        return answer([self.programs[flags], str(row.batch), str(threads), str(seconds)], threads,
                      **more)["ms"]

    def measure(self, row, threads, seconds):
        if threads not in self.best:
            cores = ["", "SkylakeX"] if self.blas and "avx512f" in report.cpu_flags() else [""]
            tried = {(flags, core): self.call(row, threads, TRIAL * seconds, flags, core)
                     for flags in self.flags for core in cores}
            self.best[threads] = min(tried, key=tried.get)
        flags, core = self.best[threads]
        return self.call(row, threads, seconds, flags, core), {"form": f"{flags} {core}".strip()}


def peers():
    """Those that are installed, and a line on each that is not."""
    found, notes = [], []
    try:
        found.append(Torch())
        if not found[0].blas:
            notes.append("no libopenblas0-openmp: PyTorch's products on two threads are by the "
                         "library's default, which is slower (OPENBLAS_OPENMP=folder names one that "
                         "is unpacked)")
        found.append(Onnx())
    except (Failure, OSError):
        notes.append("onnxruntime-node is not installed in bench/node_modules or NODE_PATH: "
                     "prediction is compared with PyTorch alone" if found else
                     "PyTorch is not installed (Debian: python3-torch): no peer but kann")
    try:
        found.append(Kann(os.environ["KANN"]))
        if not found[-1].blas:
            notes.append("no libopenblas-dev: kann's products are by its own loops, which are slower")
    except KeyError:
        notes.append("KANN names no folder of kann's sources: mlp128 is not compared with it")
    except (Failure, OSError) as why:
        notes.append(f"kann in KANN does not compile: {why}")
    return found, notes


# ---- a row --------------------------------------------------------------------------------------


def middle(runs):
    """The run whose time is the median; of an even number the slower of two."""
    return sorted(runs, key=lambda run: run["ms"])[len(runs) // 2]


def measure_row(row, contenders, rounds, seconds):
    """Everyone once a round, on one thread and then on two; medians."""
    threads = [1, 2] if rows.scales(row) and os.cpu_count() > 1 else [1]
    runs, failures = {}, []
    for _ in range(rounds):
        for count in threads:
            for contender in contenders:
                key = contender.name, count
                if not contender.runs(row) or key in {f[:2] for f in failures}:
                    continue
                try:
                    ms, more = contender.measure(row, count, seconds)
                    runs.setdefault(key, []).append({"ms": ms, **more})
                except Failure as why:
                    failures.append((*key, str(why)))
                    print(f"bench: {why}", file=sys.stderr)
    results = [{"by": by, "threads": count, **middle(list_), "all_ms": [run["ms"] for run in list_]}
               for (by, count), list_ in runs.items() if (by, count) not in {f[:2] for f in failures}]
    for result in results:
        result["ms"] = statistics.median(result["all_ms"])
    return {"row": row._asdict(), "results": results, "failures": failures}


# ---- start and memory -----------------------------------------------------------------------------

SAMPLES = 60000


def write_samples():
    """MNIST's shape, random: images of 784 bytes and labels, as idx files; the spec beside them."""
    images, labels = os.path.join(WORK, "images-idx"), os.path.join(WORK, "labels-idx")
    with open(images, "wb") as f:
        f.write(struct.pack(">BBBBII", 0, 0, 8, 2, SAMPLES, 784))
        for _ in range(SAMPLES):  # not at once: a child's peak memory includes ours before its exec
            f.write(os.urandom(784))
    with open(labels, "wb") as f:
        f.write(struct.pack(">BBBBI", 0, 0, 8, 1, SAMPLES) + bytes(i % 10 for i in range(SAMPLES)))
    with open(os.path.join(HERE, "specs", "mlp128.yaml"), encoding="utf-8") as f:
        network = f.read()
    spec = os.path.join(WORK, "start.yaml")
    with open(spec, "w", encoding="utf-8") as f:
        f.write(f"{network}data:\n  train: {{idx: [{images}, {labels}]}}\n  scale: 1/255\n")
    return spec, os.path.getsize(images) + os.path.getsize(labels)


def train_words(spec, *more):
    return [NETCC, "train", spec, "--backend", "tcc", "--threads", "1", "--out",
            os.path.join(WORK, "run"), *more]


def epoch_rate(output):
    events = [json.loads(line) for line in output.splitlines()]
    rates = [e["samples_per_second"] for e in events if e.get("event") == "epoch"]
    return statistics.median(rates[1:])


def first_line(words):
    """Milliseconds from a command's start to its first line of output"""
    begin = time.perf_counter()
    with subprocess.Popen(on_cores(words, 1), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=ROOT, env=environment()) as process:
        line = process.stdout.readline()
        seconds = time.perf_counter() - begin
        process.stdout.read()
    if process.returncode or not line:
        raise Failure(f"{' '.join(words)}: no line".replace(ROOT + "/", ""))
    return 1e3 * seconds


def measure_start(contenders):
    spec, size = write_samples()
    one_step = train_words(spec, "--steps", "1", "--json")
    launch(one_step, 1)
    first = [first_line(one_step) for _ in range(STARTS)]
    run = [1e3 * launch(one_step, 1)[1] for _ in range(STARTS)]
    output, _, peak = launch(train_words(spec, "--json", "--set", "train.epochs=4"), 1)
    start = {"first_step_ms": statistics.median(first), "run_ms": statistics.median(run),
             "training_kb": peak, "data_kb": size / 1024, "epoch_rate": epoch_rate(output)}
    if any(c.name == "PyTorch" for c in contenders):
        runs = [launch(Torch.script("step", "mlp128", 128), 1)[1:] for _ in range(3)]
        start["torch_ms"] = 1e3 * statistics.median(run[0] for run in runs)
        start["torch_kb"] = statistics.median(run[1] for run in runs)
    return start


# ---- all ----------------------------------------------------------------------------------------


def compiler_words():
    """How netcc calls the C compiler for this machine: seen by standing in its way once."""
    folder = os.path.join(WORK, "path")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    log = os.path.join(folder, "words.txt")
    for name in ("cc", "gcc", "clang"):
        real = shutil.which(name)
        if real:
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(f'#!/bin/sh\necho "{name} $*" >>"{log}"\nexec "{real}" "$@"\n')
            os.chmod(path, 0o755)
    launch([NETCC, "bench", "bench/specs/mlp128.yaml", "--backend", "cc", "--seconds", "1"], 1,
           NETCC_CACHE=os.path.join(folder, "cache"), PATH=folder + ":" + os.environ["PATH"])
    with open(log, encoding="utf-8") as f:
        compile_ = next((line for line in f if " -shared" in line), "")
    words = compile_.split()
    return " ".join(w for i, w in enumerate(words) if "/" not in w and w != "-o" and words[i - 1] != "-o")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="which, such as 'kcnn train:vgg start' (all)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, alternating (3)")
    parser.add_argument("--seconds", type=float, default=2, help="of each run (2)")
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("--rounds and --seconds are greater than 0")
    return args


def save(measured, path):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(report.markdown(measured))
    os.replace(path + ".new", path)
    with open(os.path.join(WORK, "measured.json"), "w", encoding="utf-8") as f:
        json.dump(measured, f, indent=1)


def main():
    args = arguments()
    chosen, start = rows.selected(args.rows.split())
    os.makedirs(WORK, exist_ok=True)
    others, notes = peers()
    contenders = [Netcc("cc"), Netcc("tcc"), *others]
    if not shutil.which("taskset"):
        notes.append("no taskset: runs are not pinned to their cores")
    if os.cpu_count() < 2:
        notes.append("one core: nothing on two threads")
    for note in notes:
        print(f"bench: {note}")
    measured = {"date": datetime.date.today().isoformat(), "rounds": args.rounds,
                "seconds": args.seconds, "whole": not args.rows.strip(), "notes": notes,
                "machine": report.machine(compiler_words()), "load": os.getloadavg()[0],
                "peers": {p.name: p.version for p in others}, "rows": []}
    path = os.path.join(WORK, "RESULTS.md")
    begin = time.time()
    for i, row in enumerate(chosen):
        measured["rows"].append(measure_row(row, contenders, args.rounds, args.seconds))
        measured["minutes"] = (time.time() - begin) / 60
        save(measured, path)
        print(f"{i + 1}/{len(chosen)}  {report.line(measured['rows'][-1])}", flush=True)
    if start:
        measured["start"] = measure_start(contenders)
    measured["minutes"] = (time.time() - begin) / 60
    save(measured, path)
    if measured["whole"]:
        shutil.copyfile(path, os.path.join(HERE, "RESULTS.md"))
        path = os.path.join(HERE, "RESULTS.md")
    print(f"{measured['minutes']:.0f} minutes; the table: {os.path.relpath(path, ROOT)}")
    return 1 if any(row["failures"] for row in measured["rows"]) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: stopped; the rows so far are in build/bench/RESULTS.md")
    except Failure as failure:
        sys.exit(f"bench: {failure}")
