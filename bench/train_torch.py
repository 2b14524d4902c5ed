"""PyTorch's side of `make bench`: forward, loss, backward and Adam on random samples in memory.

usage: train_torch.py MODEL SECONDS      one thread; prints samples per second, the median of 10 runs
"""
import statistics
import sys
import time

import torch
from torch import nn

MODELS = {
    # name: (sizes, dropout after the first layer, batch)
    "mlp128": ([784, 128, 10], 0.2, 128),
    "mlp128_64": ([784, 128, 64, 10], 0.0, 32),
    "mlp512": ([784, 512, 512, 10], 0.0, 128),
}


def build(sizes, dropout):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            layers.append(nn.ReLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def measure(sizes, dropout, batch, foreach, seconds):
    torch.manual_seed(1)
    model = build(sizes, dropout).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=foreach)
    loss_function = nn.CrossEntropyLoss()
    batches = max(2, 4096 // batch)
    x = torch.rand(batches * batch, sizes[0])
    y = torch.randint(0, sizes[-1], (batches * batch,))

    def step(i):
        rows = slice(i % batches * batch, (i % batches + 1) * batch)
        optimizer.zero_grad(set_to_none=True)
        loss_function(model(x[rows]), y[rows]).backward()
        optimizer.step()

    start, steps = time.perf_counter(), 0
    while steps < 5 or time.perf_counter() - start < seconds / 4:
        step(steps)
        steps += 1
    per_run = max(1, int(seconds / 10 * steps / (time.perf_counter() - start)))
    rates = []
    for _ in range(10):
        start = time.perf_counter()
        for i in range(per_run):
            step(i)
        rates.append(per_run * batch / (time.perf_counter() - start))
    return statistics.median(rates)


def main():
    name, seconds = sys.argv[1], float(sys.argv[2])
    torch.set_num_threads(1)
    # Adam's foreach form is faster for small steps, slower for others: the better one counts.
    print(round(max(measure(*MODELS[name], foreach, seconds / 2) for foreach in (False, True))))


main()
