"""The table of `make bench` in Markdown.

usage: report.py build/bench/measured.json      writes it to stdout
"""
import json
import os
import re
import subprocess
import sys

from rows import (AIM_OF_PEAK, KANN_LEAST, START_MS, TCC_OF_CC, TRAINING_MB, Row, scaling_target, title)

SLOWEST = 3  # kernels of a row
FRAMEWORKS = ("PyTorch", "ONNX Runtime")  # the peers that a row's targets are ratios to


# ---- the machine --------------------------------------------------------------------------------


def first_match(path, pattern):
    with open(path, encoding="utf-8") as f:
        found = re.search(pattern, f.read(), re.MULTILINE)
    return found.group(1) if found else ""


def cpu_flags():
    return first_match("/proc/cpuinfo", r"^flags\s*:\s*(.*)$").split()


def machine(flags):
    words = flags.split()
    answer = subprocess.run([words[0] if words else "cc", "--version"], capture_output=True,
                            text=True, check=False)
    memory = int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)")) / 2**20
    guest = ", a virtual machine" if "hypervisor" in cpu_flags() else ""
    return {"cpu": first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"), "cores": os.cpu_count(),
            "memory": f"{memory:.0f} GiB", "guest": guest, "flags": flags,
            "compiler": (answer.stdout.splitlines() or ["unknown"])[0]}


# ---- figures ------------------------------------------------------------------------------------


class Figures:
    """What was measured of a row"""

    def __init__(self, measured, peak=None):
        self.peak = peak  # of one core, GFLOP/s: the machine's best in the whole run
        self.row = Row(**measured["row"])
        self.results = {(r["by"], r["threads"]): r for r in measured["results"]}
        self.failures = measured["failures"]

    def ms(self, by, threads=1):
        found = self.results.get((by, threads))
        return found["ms"] if found else None

    def rate(self, by, threads=1):
        ms = self.ms(by, threads)
        return 1e3 * self.row.batch / ms if ms else None

    def ratio(self, by, other, threads=1, other_threads=None):
        """How many times as fast as another"""
        mine, others = self.ms(by, threads), self.ms(other, other_threads or threads)
        return others / mine if mine and others else None

    def best_peer(self, threads=1, among=FRAMEWORKS):
        times = {by: r["ms"] for (by, count), r in self.results.items()
                 if count == threads and by in among}
        return min(times, key=times.get) if times else None

    def bench(self, threads=1):
        return self.results.get(("cc", threads))

    def mflop(self):
        found = self.bench()
        return found["gflops"] * 1e3 / found["samples_per_second"] if found else None

    def peak_share(self):
        """Of this row's median, not of the mean that netcc gives"""
        return self.mflop() * 1e-3 * self.rate("cc") / self.peak if self.bench() else None


def verdict(value, least, aim):
    if value is None:
        return "not measured"
    if least is None:
        return ""
    if aim is not None and value >= aim:
        return "aim met"
    return "met" if value >= least else f"**missed by {100 * (1 - value / least):.0f} %**"


def times_text(value):
    return "-" if value is None else f"{value:.2f} x"


def rate_text(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ms_text(value):
    if value is None:
        return "-"
    return f"{1e3 * value:.1f} us" if value < 0.1 else f"{value:.3g} ms"


def mflop_text(f):
    return f"{f.mflop():.3g}" if f.mflop() else "-"


def percent_text(value):
    return "-" if value is None else f"{100 * value:.0f} %"


def line(measured):
    """A row in brief, for whom it is watched by"""
    f = Figures(measured)
    peer = f.best_peer()
    ratio = f.ratio("cc", peer) if peer else None
    two = f.ratio("cc", "cc", 2, 1)
    return (f"{f.row.kind:7} {title(f.row):20} cc {ms_text(f.ms('cc')):>9}  {peer or 'no peer'} "
            f"{ms_text(f.ms(peer)):>9}  {times_text(ratio)}, "
            f"{verdict(ratio, f.row.least, f.row.aim).strip('*')}"
            + (f"; two threads {times_text(two)}" if two else ""))


# ---- tables -------------------------------------------------------------------------------------


def table(head, lines):
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines]) + "\n"


def target_text(f):
    if f.row.aim:
        return f"{f.row.least:g} x / {f.row.aim:g} x"
    return f"{f.row.least:g} x / {100 * AIM_OF_PEAK:.0f} % of peak"


def row_verdict(f):
    ratio = f.ratio("cc", f.best_peer()) if f.best_peer() else None
    found = verdict(ratio, f.row.least, f.row.aim)
    aim_by_peak = f.row.aim is None and (f.peak_share() or 0) >= AIM_OF_PEAK
    return "aim met" if found == "met" and aim_by_peak else found


def beside_kann(f):
    kann, ratio = f.results.get(("kann", 1)), f.ratio("cc", "kann")
    if not kann:
        return [""] * 4
    return [rate_text(f.rate("kann")), kann["form"], times_text(ratio),
            verdict(ratio, KANN_LEAST, None)]


def training(all_):
    lines = []
    kann = any(f.ms("kann") for f in all_)
    for f in all_:
        torch, share = f.results.get(("PyTorch", 1)), f.ratio("tcc", "cc")
        lines.append([title(f.row), mflop_text(f), rate_text(f.rate("cc")),
                      percent_text(f.peak_share()), rate_text(f.rate("tcc")),
                      rate_text(f.rate("PyTorch")), torch["form"] if torch else "-",
                      times_text(f.ratio("cc", "PyTorch")), target_text(f), row_verdict(f),
                      percent_text(share), verdict(share, TCC_OF_CC, None),
                      *(beside_kann(f) if kann else [])])
    return table(["samples/s", "MFLOP", "cc", "of peak", "tcc", "PyTorch", "its setting",
                  "cc / PyTorch", "at least / aim", "verdict", "tcc / cc",
                  f"at least {100 * TCC_OF_CC:.0f} %",
                  *(["kann", "its flags", "cc / kann", f"at least {KANN_LEAST:g} x"] if kann else [])],
                 lines)


def prediction(all_):
    lines = []
    for f in all_:
        torch, peer = f.results.get(("PyTorch", 1)), f.best_peer()
        lines.append([title(f.row), mflop_text(f), ms_text(f.ms("cc")),
                      percent_text(f.peak_share()), ms_text(f.ms("PyTorch")),
                      torch["form"] if torch else "-", ms_text(f.ms("ONNX Runtime")),
                      times_text(f.ratio("cc", peer) if peer else None), target_text(f),
                      row_verdict(f)])
    return table(["time of a call", "MFLOP", "cc", "of peak", "PyTorch", "its setting",
                  "ONNX Runtime", "cc / the best", "at least / aim", "verdict"], lines)


def two_threads(all_):
    lines = []
    for f in all_:
        gain, target = f.ratio("cc", "cc", 2, 1), scaling_target(f.row, f.mflop())
        peer = f.best_peer(2, (*FRAMEWORKS, "kann"))
        lines.append([f"{f.row.kind} {title(f.row)}", rate_text(f.rate("cc", 2)), times_text(gain),
                      f"{target:g} x" if target else "none", verdict(gain, target, None),
                      times_text(f.ratio("tcc", "tcc", 2, 1)),
                      f"{rate_text(f.rate(peer, 2))}, {peer}" if peer else "-",
                      times_text(f.ratio("cc", peer, 2)) if peer else "-"])
    return table(["two threads, samples/s", "cc", "of one", "at least", "verdict", "tcc, of one",
                  "the best peer", "cc / peer"], lines)


def slowest(all_):
    lines = []
    for f in all_:
        bench = f.bench()
        kernels = sorted(bench["kernels"], key=lambda k: -k["share"])[:SLOWEST] if bench else []
        for i, k in enumerate(kernels):
            lines.append([f"{f.row.kind} {title(f.row)}" if i == 0 else "", k["name"],
                          percent_text(k["share"]), f"{k['gflops']:.1f}",
                          percent_text(k["gflops"] / f.peak),
                          f"{percent_text(k['limit_share'])} of {k['bound']}"])
    return table(["one thread, cc", "kernel", "of the time", "GFLOP/s", "of peak", "of its limit"],
                 lines)


def start(s):
    beyond = (s["training_kb"] - s["data_kb"]) / 1024
    torch = [f"{s['torch_ms']:.0f} ms", f"{s['torch_kb'] / 1024:.0f} MB"] if "torch_ms" in s else "--"
    late, large = s["first_step_ms"] / START_MS - 1, beyond / TRAINING_MB - 1
    judge = lambda over: "met" if over <= 0 else f"**missed by {100 * over:.0f} %**"
    return table(["mlp128 by tcc, one thread", "netcc", "at most", "verdict", "PyTorch"], [
        ["process start to the end of the first step", f"{s['first_step_ms']:.1f} ms",
         f"{START_MS} ms", judge(late), ""],
        ["process start to the end of the run, its files synced", f"{s['run_ms']:.1f} ms", "", "",
         torch[0]],
        ["peak memory of training beyond the mapped data", f"{beyond:.1f} MB", f"{TRAINING_MB} MB",
         judge(large), torch[1] + (" in all, one batch" if "torch_kb" in s else "")],
        ["whole epochs of 60,000 images of bytes, samples/s", f"{s['epoch_rate']:,.0f}", "", "", ""]])


# ---- the page -----------------------------------------------------------------------------------


def peaks(rows):
    """Of one core, by the rows' own measurements of it"""
    return [r["peak_gflops"] for row in rows for r in row["results"]
            if r["by"] == "cc" and r["threads"] == 1]


def peak_text(found):
    if not found:
        return "not measured"
    return f"{max(found):.0f} GFLOP/s; {min(found):.0f} in the least quiet row"


def head(m, all_):
    peers = ", ".join(f"{name} {version}" for name, version in m["peers"].items()) or "none"
    box = m["machine"]
    isa = next((f.bench()["isa"] for f in all_ if f.bench()), "unknown")
    return f"""# Results of `make bench`

{m['date']}{'' if m['whole'] else ', selected rows'}. Medians of the calls in {m['rounds']} alternating \
slices of {m['seconds']:g} s, in fewer and longer ones where a call takes long; \
{m.get('minutes', 0):.0f} minutes in all; load average {m['load']:.2f} at the start.

- {box['cpu']}, {box['cores']} cores, {box['memory']}{box['guest']}; {isa}
- peak of one core as netcc measures it: {peak_text(peaks(m['rows']))}
- {box['compiler']}: `{box['flags']}`
- peers: {peers}
{''.join(f'- {note}' + chr(10) for note in m['notes'])}
One thread is pinned to core 0, two to cores 0 and 1; `OPENBLAS_*` and `OMP_*` are unset. All work on one
batch of random samples in memory, again and again, in fp32; training is forward, loss, backward and
Adam. A peer's setting is the quickest of those that bench/README.md lists. MFLOP are of one sample.

Networks with 3 x 3 convolutions are computed by Winograd's transforms; "of peak" counts the multiply-adds of
their definition, so it may exceed 100 %.
"""


def markdown(m):
    peak = max(peaks(m["rows"]), default=None)
    all_ = [Figures(r, peak) for r in m["rows"]]
    train = [f for f in all_ if f.row.kind == "train"]
    single = [f for f in all_ if f.row.kind == "predict" and f.row.batch == 1]
    batched = [f for f in all_ if f.row.kind == "predict" and f.row.batch > 1]
    pairs = [f for f in all_ if f.bench(1) and f.bench(2)]
    parts = [head(m, all_)]
    for name, make, some in (("Training, one thread", training, train),
                             ("Prediction, one sample, one thread", prediction, single),
                             ("Prediction, a batch, one thread", prediction, batched),
                             ("Two threads", two_threads, pairs),
                             ("Where the time goes", slowest, all_)):
        if some:
            parts.append(f"## {name}\n\n{make(some)}")
    if "start" in m:
        parts.append(f"## Start and memory\n\n{start(m['start'])}")
    failures = [f"- {f.row.kind} {title(f.row)}, {count} thread{'s' if count > 1 else ''}: {by}: `{why}`\n"
                for f in all_ for by, count, why in f.failures]
    if failures:
        parts.append("## Failed\n\n" + "".join(failures))
    return "\n".join(parts)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as measured_file:
        sys.stdout.write(markdown(json.load(measured_file)))
