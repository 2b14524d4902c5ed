"""Pretrained networks measured: import, a new head on a frozen trunk, an executable. One thread.

`python3 bench/transfer.py [import] [head] [executable]`; bench/README.md tells how.
"""
import argparse
import datetime
import json
import os
import random
import shutil
import statistics
import struct
import zlib

import report
from run import HERE, NETCC, PYTHON, ROOT, WORK, Torch, answer, compiler_words, launch

FOLDER = os.path.join(WORK, "transfer")
SPEC = os.path.join(ROOT, "examples", "resnet50-head", "resnet50-head.yaml")
SIDE, BATCH, EPOCHS = 224, 32, 5
RUNS = 3  # of an import and of the executable; the median counts


def path(*names):
    return os.path.join(FOLDER, *names)


def timed(words, threads=1):
    """Seconds and peak megabytes of a command, medians."""
    runs = [launch(words, threads) for _ in range(RUNS)]
    return (statistics.median(run.seconds for run in runs),
            statistics.median(run.peak_kb for run in runs) * 1024 / 1e6)


# ---- pictures -------------------------------------------------------------------------------------


def png(rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
            chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))


def picture(dice):
    """Grainy colour that runs from corner to corner"""
    slope, start = dice.randrange(1, 5), dice.randrange(256)
    width, ramp = SIDE * 3, bytes(range(256)) * 4
    grain = dice.randbytes(2 * width).translate(bytes(i & 15 for i in range(256)))
    for line in range(SIDE):
        smooth = ramp[(start + slope * line) % 256:][:width]
        rough = grain[dice.randrange(width):][:width]
        yield bytes(a ^ b for a, b in zip(smooth, rough))


def write_pictures(count):
    dice = random.Random(1)
    shutil.rmtree(path("pictures"), ignore_errors=True)
    for kind in ("a", "b"):
        os.makedirs(path("pictures", kind))
    for i in range(count):
        with open(path("pictures", "ab"[i % 2], f"{i:04}.png"), "wb") as f:
            f.write(png(picture(dice)))


# ---- the three parts ------------------------------------------------------------------------------


def make_network():
    answer(Torch.script("onnx", "resnet50", 1, path("resnet50.onnx")), 1)
    launch([NETCC, "import", path("resnet50.onnx"), "-o", path("net")], 1)


def measure_import():
    make_network()
    spec, weights = path("net", "spec.yaml"), path("net", "weights.safetensors")
    for kind in ("h5", "npz"):
        launch([NETCC, "export", spec, "--weights", weights, "-o", path("resnet50." + kind)], 1)
    launch([PYTHON, os.path.join(HERE, "weight_files.py"), weights, FOLDER], 1)
    cases = [("ONNX, import", path("resnet50.onnx"), None),
             ("Keras .h5, import", path("dense.h5"), None),
             ("Keras .keras, import", path("dense.keras"), None),
             ("Keras .h5, weights", path("resnet50.h5"), spec),
             ("safetensors, weights", weights, spec),
             ("npz, weights", path("resnet50.npz"), spec),
             ("PyTorch .pt, weights", path("resnet50.pt"), spec)]
    rows = []
    for what, file, of in cases:
        out = path("taken") if of is None else path("taken.safetensors")
        words = ([NETCC, "import", file, "-o", out] if of is None else
                 [NETCC, "export", of, "--weights", file, "-o", out])
        seconds, megabytes = timed(words)
        size = os.path.getsize(file) / 1e6
        rows.append((what, size, seconds, megabytes, megabytes / size))
    return rows


def measure_head(pictures):
    write_pictures(pictures)
    words = [NETCC, "train", SPEC, "--threads", "1", "--json", "--out", path("run"),
             "--set", "pretrained=null", "--set", "train.freeze=[conv*]",
             "--set", f"data={{train: {{images: {path('pictures')}}}}}",
             "--set", f"train.batch_size={BATCH}", "--set", f"train.epochs={EPOCHS}"]
    cold = path("cache")  # what a first run has: the C compiler works beside it
    shutil.rmtree(cold, ignore_errors=True)
    events = [json.loads(line) for line in launch(words, 1, NETCC_CACHE=cold).output().splitlines()]
    trunk = next(e["seconds"] for e in events if e["event"] == "features")
    epochs = [e["seconds"] for e in events if e["event"] == "epoch"]
    return {"pictures": pictures, "trunk": trunk, "epochs": epochs, "torch": torch_epoch(pictures)}


def torch_epoch(pictures):
    """By the form that is the quickest on one batch."""
    torch = Torch()

    def epoch(count, form):
        return answer(torch.script("head", "resnet50", count, BATCH, form), 1, **torch.variables())

    trials = [epoch(BATCH, form) for form in torch.forms["predict"]]
    return epoch(pictures, min(trials, key=lambda found: found["seconds"])["form"])


def measure_executable():
    make_network()
    spec, weights, exe = path("net", "spec.yaml"), path("net", "weights.safetensors"), path("exe")
    build = launch([NETCC, "build", spec, "--weights", weights, "-o", exe], 1)
    npy(path("row.npy"))
    words = [exe, "predict", "--input", path("row.npy"), "--output", path("out.npy"), "--threads"]
    seconds, megabytes = timed([*words, "1"])
    on_two, _ = timed([*words, "2"], 2)
    inside = answer([exe, "bench", "--threads", "1", "--json"], 1)
    return {"build": build.seconds, "build_mb": build.peak_kb * 1024 / 1e6, "seconds": seconds,
            "on_two": on_two, "megabytes": megabytes, "weights": os.path.getsize(weights) / 1e6,
            "network": inside["latency_ms"] / 1e3}


def npy(file):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {SIDE}, {SIDE}, 3), }}"
    head += " " * (63 - (len(head) + 10) % 64) + "\n"
    with open(file, "wb") as f:
        f.write(b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head.encode())
        f.write(struct.pack("<f", 0.5) * (3 * SIDE * SIDE))


# ---- the table ------------------------------------------------------------------------------------


def import_table(rows):
    yield "## Import\n\nUnder 1 s and 2.5 x the file is asked.\n"
    yield "| | file, MB | seconds | peak RSS, MB | of the file |\n|---|---|---|---|---|"
    for what, size, seconds, megabytes, share in rows:
        yield f"| {what} | {size:.0f} | {seconds:.2f} | {megabytes:.0f} | {share:.2f} x |"


def head_table(found):
    first, later = found["trunk"] + found["epochs"][0], statistics.median(found["epochs"][1:])
    theirs = found["torch"]["seconds"]
    yield (f"\n## A new head on a frozen ResNet-50, {found['pictures']} pictures of {SIDE}x{SIDE}\n\n"
           "netcc decodes PNG files; PyTorch has tensors in memory and runs the trunk in every epoch "
           f"(`{found['torch']['form']}`).\nNo slower in the first epoch, 50 x faster after it is asked.\n")
    yield "| seconds | netcc | PyTorch | ratio |\n|---|---|---|---|"
    yield f"| the first epoch | {first:.2f} | {theirs:.2f} | {theirs / first:.2f} |"
    yield f"| of it the pictures' features | {found['trunk']:.2f} | | |"
    yield f"| an epoch after it | {later:.3f} | {theirs:.2f} | {theirs / later:.0f} |"


def executable_table(e):
    yield ("\n## A ResNet-50 by `netcc build`\n\n"
           "| | measured | asked |\n|---|---|---|")
    yield f"| process start to result, on two threads | {1e3 * e['on_two']:.0f} ms | 150 ms |"
    yield f"| on one | {1e3 * e['seconds']:.0f} ms | 150 ms |"
    yield f"| of it the network | {1e3 * e['network']:.0f} ms | |"
    yield f"| peak RSS | {e['megabytes']:.0f} MB | {e['weights'] + 60:.0f} MB, the weights and 60 MB |"
    yield f"| netcc build, three levels of instructions | {e['build']:.1f} s | 60 s |"
    yield f"| its peak RSS, of the largest process | {e['build_mb']:.0f} MB | 1000 MB |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--pictures", type=int, default=500)
    given = parser.parse_args()
    parts = given.parts or ["import", "head", "executable"]
    os.makedirs(FOLDER, exist_ok=True)
    m = report.machine(compiler_words())
    lines = ["# Pretrained networks, measured\n\n"
             f"{m['cpu']}, {m['cores']} cores, {m['memory']}{m['guest']}; {m['compiler']}; one thread, pinned "
             f"to core 0; {datetime.date.today()}. `python3 bench/transfer.py`, see README.md.\n"]
    if "import" in parts:
        lines += import_table(measure_import())
    if "head" in parts:
        lines += head_table(measure_head(given.pictures))
    if "executable" in parts:
        lines += executable_table(measure_executable())
    text = "\n".join(lines) + "\n"
    with open(os.path.join(WORK, "RESULTS-transfer.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text)


if __name__ == "__main__":
    main()
