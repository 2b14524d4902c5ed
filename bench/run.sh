#!/usr/bin/env bash
# Side by side with PyTorch, where Debian's python3-torch is installed: training on one thread.
# netcc's rate is that of whole epochs of MNIST, with shuffling, gathering and conversion of bytes;
# PyTorch's that of steps on floats in memory. Runs alternate; medians; one machine, one run.
set -u
cd "$(dirname "$0")/.." || exit 2
netcc=build/netcc
rounds=${ROUNDS:-3}
data=${NETCC_DATA:-../shared/data}
export NETCC_DATA=$data
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=$folder/cache
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
pin=""
command -v taskset >/dev/null && pin="taskset -c 0"
[ -f "$data/mnist/train-images-idx3-ubyte.gz" ] || { echo "no MNIST in '$data': set NETCC_DATA"; exit 1; }

median() { sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

# The median epoch of a run, without the first, in samples per second.
netcc_rate() { # SPEC BACKEND
    $pin "$netcc" train "$1" --backend "$2" --threads 1 --json --out "$folder/run" |
        sed -n 's/.*"event":"epoch".*"samples_per_second":\([0-9.]*\).*/\1/p' | tail -n +2 | median
}

torch_rate() { $pin /usr/bin/python3 bench/train_torch.py "$1" 4; }
have_torch=0
/usr/bin/python3 -c 'import torch' 2>/dev/null && have_torch=1
[ $have_torch = 1 ] || echo "python3-torch is not installed: no peer"
ldconfig -p | grep -q openblas || echo "libopenblas0 is not installed: PyTorch runs on a reference BLAS"

printf '%-10s %12s %12s %12s %9s %9s\n' model 'cc 1/s' 'tcc 1/s' 'torch 1/s' cc/torch tcc/torch
for model in mlp128 mlp128_64 mlp512; do
    : >"$folder/cc"; : >"$folder/tcc"; : >"$folder/torch"
    for ((i = 0; i < rounds; i++)); do
        netcc_rate "bench/$model.yaml" cc >>"$folder/cc"
        netcc_rate "bench/$model.yaml" tcc >>"$folder/tcc"
        [ $have_torch = 0 ] || torch_rate "$model" >>"$folder/torch"
    done
    cc=$(median <"$folder/cc"); tcc=$(median <"$folder/tcc"); torch=$(median <"$folder/torch")
    awk -v m="$model" -v c="$cc" -v t="$tcc" -v p="${torch:-0}" 'BEGIN {
        printf "%-10s %12.0f %12.0f %12.0f", m, c, t, p
        if (p > 0) printf " %8.2fx %8.2fx", c / p, t / p
        print "" }'
done

# From process start to the end of the first training step, by tcc, on plain idx files.
for f in train-images-idx3 train-labels-idx1; do
    gzip -dc "$data/mnist/$f-ubyte.gz" >"$folder/$f"
done
sed -e "s|mnist/train-images-idx3-ubyte.gz|$folder/train-images-idx3|" \
    -e "s|mnist/train-labels-idx1-ubyte.gz|$folder/train-labels-idx1|" -e '/^  test:/d' \
    bench/mlp128.yaml >"$folder/first.yaml"
for ((i = 0; i < 21; i++)); do
    start=$(date +%s%N)
    $pin "$netcc" train "$folder/first.yaml" --backend tcc --threads 1 --steps 1 --quiet --out "$folder/run" >/dev/null
    echo $((($(date +%s%N) - start) / 1000))
done | median | awk '{printf "process start to the end of a one-step run (tcc): %.1f ms\n", $1 / 1000}'
if command -v /usr/bin/time >/dev/null; then
    /usr/bin/time -f '%M' "$netcc" train "$folder/first.yaml" --backend tcc --threads 1 --quiet --out "$folder/run" 2>"$folder/rss" >/dev/null
    awk -v d="$(stat -c %s "$folder/train-images-idx3")" \
        '{printf "peak RSS %.1f MB, of which up to %.1f MB is the mapped file\n", $1 / 1024, d / 1048576}' "$folder/rss"
fi
