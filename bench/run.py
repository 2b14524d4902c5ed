"""netcc beside PyTorch and ONNX Runtime, alternately; `make bench` runs it, bench/README.md tells how."""
import argparse
import contextlib
import datetime
import glob
import json
import math
import os
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

import report
import rows

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WORK = os.path.join(ROOT, "build", "bench")
NETCC = os.path.join(ROOT, "build", "netcc")
PYTHON = "/usr/bin/python3"  # Debian's, which python3-torch belongs to
TRIAL = 0.15  # part of a contender's time for the trial of each of its settings
LEAST_CALLS, LEAST_ROUNDS = 5, 3  # calls of a slice; slices, where the calls are long
CORES = {1: {0}, 2: {0, 1}}
STARTS = 21  # one-step runs
FOREVER = 1e6  # seconds


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


@contextlib.contextmanager
def on_cores(threads):
    """A process that is started meanwhile stays on them, without a program in between that starts it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES[threads] & ours or ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


class Process:
    """A command on its cores, which can be stopped and go on; none is left behind by `with`."""

    def __init__(self, words, threads, **more):
        self.words, self.written = words, b""
        self.first = self.seconds = None  # from its start to its first output, and to its end
        self.peak_kb = None
        self.errors = tempfile.TemporaryFile()
        with on_cores(threads):
            self.begin = time.perf_counter()
            self.popen = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=self.errors,
                                          bufsize=0, cwd=ROOT, env=environment(**more))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()
        self.errors.close()

    def run(self, seconds=FOREVER, to_output=False):
        """Lets it go on for so long, or to its next output; whether it has ended, else it is stopped."""
        if self.popen.returncode is not None:
            return True
        os.kill(self.popen.pid, signal.SIGCONT)
        until = time.perf_counter() + seconds
        while select.select([self.popen.stdout], [], [], max(0, until - time.perf_counter()))[0]:
            more = os.read(self.popen.stdout.fileno(), 1 << 16)
            self.first = self.first or time.perf_counter() - self.begin
            self.written += more
            if not more:
                self.end()
                return True
            if to_output:
                break
        os.kill(self.popen.pid, signal.SIGSTOP)
        return False

    def end(self):
        _, status, usage = os.wait4(self.popen.pid, 0)
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        self.seconds, self.peak_kb = time.perf_counter() - self.begin, usage.ru_maxrss

    def output(self):
        if self.popen.returncode:
            self.errors.seek(0)
            last = self.errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            self.fail(f"{last[0]} (exit {self.popen.returncode})")
        return self.written.decode()

    def answer(self):
        """What it says on its last line, in JSON"""
        output = self.output()
        try:
            return json.loads(output.strip().splitlines()[-1])
        except (IndexError, ValueError):
            return self.fail(f"no JSON in '{output[-80:]}'")

    def fail(self, why):
        raise Failure(f"{' '.join(self.words)}: {why}".replace(ROOT + "/", ""))


def launch(words, threads, **more):
    """The process of a command that has done its work."""
    with Process(words, threads, **more) as process:
        process.run()
        process.output()
        return process


def answer(words, threads, **more):
    return launch(words, threads, **more).answer()


# ---- contenders -----------------------------------------------------------------------------------


class Contender:
    """Gives the command that measures a row, and reads from its answer the milliseconds of a call."""

    def settings(self, _row):
        """Those to choose from: a name and what `command` is told"""
        return {"": ()}

    def start(self, _ms):
        """The most seconds until it is warm: peers say it, by their first line"""
        return FOREVER

    def milliseconds(self, found):
        return found["ms"]


class Netcc(Contender):
    """By one of its backends"""

    STARTING = 0.3  # seconds; it says nothing when it is warm

    def __init__(self, backend):
        self.name = backend

    def runs(self, row):
        return self.name == "cc" or row.kind == "train"

    def start(self, ms):
        return self.STARTING + ms / 1e3

    def command(self, row, threads, seconds):
        spec = os.path.join("bench", "specs", row.network + ".yaml")
        return [NETCC, "bench", spec, "--" + row.kind, "--batch", str(row.batch), "--threads", str(threads),
                "--backend", self.name, "--seconds", str(math.ceil(seconds)), "--json"], {}

    def milliseconds(self, found):
        return found["latency_ms"]


class Torch(Contender):
    name = "PyTorch"
    forms = {"train": ["foreach", "plain"], "predict": ["frozen", "optimized"]}

    def __init__(self):
        folders = [os.environ.get("OPENBLAS_OPENMP", ""), *glob.glob("/usr/lib/*/openblas-openmp")]
        self.blas = next((f for f in folders if f and os.path.isdir(f)), None)
        self.version = answer(self.script("version"), 1)["version"]

    @staticmethod
    def script(*words):
        return [PYTHON, os.path.join(HERE, "torch_peer.py"), *map(str, words)]

    def runs(self, row):
        return True

    def variables(self, isa=""):
        more = {"ATEN_CPU_CAPABILITY": isa} if isa else {}
        if self.blas:
            more["LD_LIBRARY_PATH"] = self.blas
        return more

    def settings(self, row):
        """Its forms, with its own choice of instructions or AVX-512"""
        isas = ["", "avx512"] if "avx512f" in report.cpu_flags() else [""]
        return {f"{form}, {isa}" if isa else form: (form, isa)
                for form in self.forms[row.kind] for isa in isas}

    def command(self, row, threads, seconds, form, isa):
        return self.script(row.kind, row.network, row.batch, threads, seconds, form), self.variables(isa)


class Onnx(Contender):
    name = "ONNX Runtime"

    def __init__(self):
        self.version = answer(self.script("version"), 1)["version"]

    @staticmethod
    def script(*words):
        return ["node", os.path.join(HERE, "onnx_peer.js"), *map(str, words)]

    def runs(self, row):
        return row.kind == "predict"

    def command(self, row, threads, seconds):
        path = os.path.join(WORK, f"{row.network}_{row.batch}.onnx")
        shape = path + ".json"
        if not os.path.exists(shape):
            made = answer(Torch.script("onnx", row.network, row.batch, path), 1)
            with open(shape, "w", encoding="utf-8") as f:
                json.dump(made["shape"], f)
        with open(shape, encoding="utf-8") as f:
            dimensions = json.load(f)
        return self.script("predict", path, threads, seconds, *dimensions), {}


class Kann(Contender):
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

    def settings(self, _row):
        """Its flags, with OpenBLAS's own choice of processor or AVX-512"""
        cores = ["", "SkylakeX"] if self.blas and "avx512f" in report.cpu_flags() else [""]
        return {f"{flags} {core}".strip(): (flags, core) for flags in self.flags for core in cores}

    def command(self, row, threads, seconds, flags, core):
        more = {"OPENBLAS_NUM_THREADS": "1", **({"OPENBLAS_CORETYPE": core} if core else {})}
        return [self.programs[flags], str(row.batch), str(threads), str(seconds)], more


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


@contextlib.contextmanager
def noted(failures, contender, threads):
    try:
        yield
    except Failure as why:
        failures.append((contender.name, threads, str(why)))
        print(f"bench: {why}", file=sys.stderr)


# A contender by its quickest setting: how long it took to get warm, and all that it said
Trial = namedtuple("Trial", "ms start contender form setting found")


def try_out(contender, row, threads, seconds):
    trials = []
    for form, setting in contender.settings(row).items():
        words, more = contender.command(row, threads, seconds, *setting)
        process = launch(words, threads, **more)
        found = process.answer()
        ms = contender.milliseconds(found)
        start = min(contender.start(ms), process.first)
        trials.append(Trial(ms, start, contender, form, setting, found))
    return min(trials, key=lambda trial: trial.ms)


def plan(trials, rounds, seconds):
    """The slice of each, which holds several calls, and how many; fewer, but enough, where it is long."""
    slices = [max(seconds, LEAST_CALLS * trial.ms / 1e3) for trial in trials]
    fitting = round(rounds * seconds * len(slices) / sum(slices))
    return slices, min(rounds, max(LEAST_ROUNDS, fitting))


def warmed_up(stack, row, threads, trials, seconds):
    """A stopped process of each, which measures for so long from when the last of them is warm."""
    processes = []
    for i, trial in enumerate(trials):
        later = sum(other.start for other in trials[i + 1:])
        words, more = trial.contender.command(row, threads, seconds + later, *trial.setting)
        processes.append(stack.enter_context(Process(words, threads, **more)))
        processes[-1].run(trial.contender.start(trial.ms), to_output=True)
    return processes


def alternate(processes, slices):
    """One at a time, until each has ended by itself: the clocks of the others go on."""
    live = list(zip(processes, slices))
    while live:
        live = [(process, slice_) for process, slice_ in live if not process.run(slice_)]


def measure(row, threads, contenders, rounds, seconds, failures):
    trials, results = [], []
    for contender in contenders:
        with noted(failures, contender, threads):
            trials.append(try_out(contender, row, threads, TRIAL * rounds * seconds))
    if not trials:
        return []
    slices, rounds = plan(trials, rounds, seconds)
    with contextlib.ExitStack() as stack:
        processes = warmed_up(stack, row, threads, trials, rounds * sum(slices))
        alternate(processes, slices)
        for process, trial in zip(processes, trials):
            with noted(failures, trial.contender, threads):
                ms = trial.contender.milliseconds(process.answer())
                results.append({"by": trial.contender.name, "threads": threads, "form": trial.form,
                                **trial.found, "ms": ms})
    return results


def measure_row(row, contenders, rounds, seconds):
    """Everyone, on one thread and then on two. What netcc says of its kernels is of its trial: no stop
    falls into them there."""
    results, failures = [], []
    for threads in [1, 2] if rows.scales(row) and os.cpu_count() > 1 else [1]:
        running = [c for c in contenders if c.runs(row)]
        results += measure(row, threads, running, rounds, seconds, failures)
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


def measure_start(contenders):
    spec, size = write_samples()
    one_step = train_words(spec, "--steps", "1", "--json")
    launch(one_step, 1)
    runs = [launch(one_step, 1) for _ in range(STARTS)]
    training = launch(train_words(spec, "--json", "--set", "train.epochs=4"), 1)
    start = {"first_step_ms": 1e3 * statistics.median(run.first for run in runs),
             "run_ms": 1e3 * statistics.median(run.seconds for run in runs),
             "training_kb": training.peak_kb, "data_kb": size / 1024,
             "epoch_rate": epoch_rate(training.output())}
    if any(c.name == "PyTorch" for c in contenders):
        runs = [launch(Torch.script("step", "mlp128", 128), 1) for _ in range(3)]
        start["torch_ms"] = 1e3 * statistics.median(run.seconds for run in runs)
        start["torch_kb"] = statistics.median(run.peak_kb for run in runs)
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
    parser.add_argument("--rounds", type=int, default=12, help="slices of each, alternating (12)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each slice (0.3)")
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
    if not hasattr(os, "sched_setaffinity"):
        notes.append("runs are not pinned to their cores, as this system has no sched_setaffinity")
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
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: stopped; the rows so far are in build/bench/RESULTS.md")
    except Failure as failure:
        sys.exit(f"bench: {failure}")
