"""What `make bench` measures, and what it is held to: ratios to the best peer on as many threads."""
from collections import namedtuple

# batch: samples of a call; least, aim: how many times as fast as the best peer on one thread
Row = namedtuple("Row", "kind network batch least aim")

ROWS = [
    Row("train", "mlp128", 128, 3.0, 4.0),
    Row("train", "mlp128_64", 32, 2.8, 4.0),
    Row("train", "mlp512", 128, 1.45, 1.8),
    Row("train", "kcnn", 128, 2.0, 2.6),
    Row("train", "vgg", 64, 1.7, 2.2),
    Row("train", "resnet20", 128, 1.5, 2.0),
    Row("train", "head", 32, 2.0, 2.6),
    Row("predict", "mlp128", 1, 3.5, 4.5),
    Row("predict", "kcnn", 1, 1.05, 1.2),
    Row("predict", "vgg", 1, 1.1, 1.25),
    Row("predict", "resnet20", 1, 1.15, 1.4),
    Row("predict", "resnet50", 1, 1.05, 1.3),
    Row("predict", "mbv1", 1, 1.15, 1.3),
    Row("predict", "mbv2", 1, 1.2, 1.45),
    Row("predict", "mlp128", 64, 1.0, None),  # its aim is a share of the peak
    Row("predict", "kcnn", 64, 1.0, 1.2),
    Row("predict", "vgg", 64, 1.0, 1.2),
    Row("predict", "resnet20", 64, 1.0, 1.2),
    Row("predict", "resnet50", 8, 1.0, 1.2),
    Row("predict", "mbv1", 8, 1.0, 1.2),
    Row("predict", "mbv2", 8, 1.0, 1.2),
]

AIM_OF_PEAK = 0.92  # of a batched multilayer perceptron
KANN_LEAST = 1.8  # training mlp128 beside kann, on one thread
TCC_OF_CC = 0.65  # training by tcc beside cc
START_MS = 15  # process start to the first finished step of training, as its line says
TRAINING_MB = 20  # peak memory of a training process beyond its data
LARGE_MFLOP = 20  # of a sample, forward


def forward_mflop(kind, mflop):
    return mflop / 3 if kind == "train" else mflop


def scaling_target(row, mflop):
    """How many times as fast two threads are to be as one, or None."""
    if row.kind == "train" and row.network == "mlp128":
        return 1.6
    large = forward_mflop(row.kind, mflop) > LARGE_MFLOP
    return 1.8 if large and row.batch > 1 else None


def scales(row):
    """Whether a row is measured on two threads, too."""
    return row.batch > 1


def title(row):
    return f"{row.network}, batch {row.batch}"


def selected(words):
    """The rows that words like `kcnn`, `train` or `predict:vgg` name, and whether `start` is measured."""
    if not words:
        return ROWS, True
    kinds = {row.kind for row in ROWS}
    chosen = []
    for word in words:
        kind, _, network = word.rpartition(":")
        found = [row for row in ROWS
                 if (word == row.kind or network == row.network) and kind in ("", row.kind)]
        if not found and word != "start":
            known = sorted(kinds) + sorted({row.network for row in ROWS}) + ["start"]
            raise SystemExit(f"bench: no row '{word}'; there are: {', '.join(known)}, "
                             "and pairs such as train:kcnn")
        chosen += found
    return [row for row in ROWS if row in chosen], "start" in words
