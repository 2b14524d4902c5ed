"""PyTorch's side of `make bench`: one JSON line on stdout, behind one that says when it is warm.

usage: torch_peer.py version
       torch_peer.py train   NETWORK BATCH THREADS SECONDS FORM
       torch_peer.py predict NETWORK BATCH THREADS SECONDS FORM
       torch_peer.py step    NETWORK BATCH             one step of training, for its start and memory
       torch_peer.py head    NETWORK SAMPLES BATCH FORM   an epoch of a head on its frozen trunk
       torch_peer.py onnx    NETWORK BATCH FILE        the network for ONNX Runtime, the batch fixed

Like `netcc bench`, every call works on the same batch of random samples in memory: milliseconds of a
call, the median over SECONDS. FORM: `foreach` and `plain` are Adam's two in training, `frozen` and
`optimized` (torch.jit.freeze and optimize_for_inference) those of prediction.
"""
import json
import statistics
import sys
import time
import warnings

import torch
from torch.nn import functional

from networks import SHAPES, build, dense

WARM_UP = 0.3  # seconds, before it counts
LEAST_CALLS = 3


def batch_of(name, batch):
    return torch.rand(batch, *SHAPES[name])


def trainer(name, batch, form):
    model = build(name).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=form == "foreach")
    x = batch_of(name, batch)
    y = torch.randint(0, 10, (batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def predictor(name, batch, form):
    x = batch_of(name, batch)
    with torch.no_grad():
        model = torch.jit.freeze(torch.jit.trace(build(name).eval(), x))
        if form == "optimized":
            model = torch.jit.optimize_for_inference(model)

    def call():
        with torch.no_grad():
            model(x)

    return call


def head_epoch(name, samples, batch, form):
    """The trunk, as `predictor` has it, and a step of a new head, for every batch."""
    torch.set_num_threads(1)
    batch, x = int(batch), batch_of(name, int(samples))
    y = torch.randint(0, 2, (len(x),))
    with torch.no_grad():
        trunk = torch.jit.freeze(torch.jit.trace(build(name)[:-1].eval(), x[:batch]))
        if form == "optimized":
            trunk = torch.jit.optimize_for_inference(trunk)
        trunk(x[:batch])
    channels = build(name)[-1].in_features
    head = dense(channels, 1024, 512, 2)
    optimizer = torch.optim.Adam(head.parameters(), foreach=True)
    start = time.perf_counter()
    for rows, targets in zip(x.split(batch), y.split(batch)):
        with torch.no_grad():
            features = trunk(rows)
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(head(features), targets).backward()
        optimizer.step()
    return {"seconds": time.perf_counter() - start, "form": form}


def median_ms(call, seconds):
    start, calls = time.perf_counter(), 0
    while calls < LEAST_CALLS or time.perf_counter() - start < WARM_UP:
        call()
        calls += 1
    print(json.dumps({"warm": True}), flush=True)
    times, start = [], time.perf_counter()
    while len(times) < LEAST_CALLS or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def measure(make, name, batch, threads, seconds, form):
    torch.set_num_threads(int(threads))
    return {"ms": median_ms(make(name, int(batch), form), float(seconds))}


def one_step(name, batch):
    torch.set_num_threads(1)
    trainer(name, int(batch), "foreach")()
    return {"steps": 1}


def export(name, batch, path):
    warnings.simplefilter("ignore")
    torch.onnx.export(build(name).eval(), batch_of(name, int(batch)), path, opset_version=13,
                      input_names=["x"], output_names=["y"])
    return {"shape": [int(batch), *SHAPES[name]]}


def version():
    return {"version": torch.__version__}


COMMANDS = {
    "version": version,
    "train": lambda *words: measure(trainer, *words),
    "predict": lambda *words: measure(predictor, *words),
    "step": one_step,
    "head": head_epoch,
    "onnx": export,
}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
