#!/bin/bash
# The whole path on real data: train, eval, predict and grad as a user runs them. MNIST and
# Fashion-MNIST are sought in $NETCC_DATA, else in ../shared/data beside the checkout; what needs them
# is skipped where they are missing. NETCC names the program to test.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
here=$PWD
root=$(cd ../.. && pwd) || exit 2
netcc=$(realpath -- "${NETCC:-$root/build/netcc}") || exit 2
if [ ! -x "$netcc" ]; then
    echo "e2e: $netcc is not there; run make" >&2
    exit 2
fi
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
data=${NETCC_DATA:-$root/../shared/data}
export NETCC_DATA
NETCC_DATA=$(realpath -m -- "$data")
export NETCC_CACHE=$folder/cache HOME=$folder/home
export NETCC_PLUGINS=${NETCC_PLUGINS:-$(dirname "$netcc")}
unset XDG_CACHE_HOME
mkdir "$HOME"
cd "$folder" || exit 2

runtime=$root/runtime
"${CC:-cc}" -std=c11 -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$runtime" "$here/probe.c" \
    "$runtime"/data/{array,file,idx,npy,spool}.c -ljansson -lz -lm -o probe || exit 2

# ---- checks ---------------------------------------------------------------------------------------

passed=0
failed=0
skipped=0
ok() {
    echo "ok   e2e/$1"
    passed=$((passed + 1))
}
fail() { # NAME WHY
    echo "FAIL e2e/$1: $2"
    [ ! -s err ] || head -5 err | sed 's/^/     /'
    failed=$((failed + 1))
}
skip() {
    echo "SKIP e2e/$1: $2"
    skipped=$((skipped + 1))
}
check() { # NAME WHY CONDITION... : ok where the command CONDITION succeeds
    local name=$1 why=$2
    shift 2
    if "$@"; then ok "$name"; else fail "$name" "$why"; fi
}
same() { # NAME A B
    check "$1" "'$2' is not '$3'" test -n "$2" -a "$2" = "$3"
}
at_least() { # NAME VALUE LEAST
    check "$1 (${2:-none})" "less than $3" holds "${2:-0}" "$3" 'a >= b'
}
close() { # NAME A B TOLERANCE
    check "$1 ($2 and $3)" "further apart than $4" \
        holds "${2:-1e9}" "${3:-0}" "a - b <= $4 && b - a <= $4"
}
holds() { # A B CONDITION-ON-a-AND-b
    awk -v a="$1" -v b="$2" "BEGIN { exit !($3) }"
}

# Runs netcc with stdout to `out`, stderr to `err`; the code to $code.
code=0
run() {
    : >out
    "$netcc" "$@" >out 2>err
    code=$?
    return $code
}
train() { # OUT SPEC OPTION...
    local to=$1 spec=$2
    shift 2
    run train "$here/$spec.yaml" --json --out "$to" "$@" || return
    cp out "$to/log"
}
field() { # LOG EVENT FIELD: the last one
    ./probe get "$1" "$2" "$3" 2>/dev/null | tail -1
}
bits() {
    sha256sum <"$1/weights.safetensors" 2>/dev/null
}

# ---- without data files ---------------------------------------------------------------------------

test_digits() {
    train digits digits --backend tcc || { fail digits "exit code $code"; return; }
    at_least "digits reach 95 %" "$(field digits/log eval accuracy)" 0.95
    check "digits: five epochs" "other events" \
        test "$(./probe get digits/log epoch epoch | tr '\n' ' ')" = "1 2 3 4 5 "
    check "digits: valid JSON" "$(./probe json digits/log 2>&1)" ./probe json digits/log
    check "done.weights is a file" "no such file" test -f "$(field digits/log "done" weights)"
    run train "$here/digits.yaml" --out plain --backend tcc --steps 3
    check "plain lines in a pipe" "escapes or JSON" \
        test "$code" = 0 -a -s out -a -z "$(grep -P '[\x00-\x08\x0b-\x1f]|^\{' out)"
}

test_options() {
    local events='get seven/log epoch epoch'
    train seven digits --backend tcc --steps 7 --set train.batch_size=1000 --set train.epochs=9
    # shellcheck disable=SC2086
    same "--steps counts across epochs, --set changes the spec" "$(./probe $events | tail -1)" 2
    check "the spec is kept with --set applied" "not in spec.yaml" \
        grep -q 'batch_size: 1000' seven/spec.yaml
    train seed1 digits --backend tcc --steps 20 --seed 5
    train seed2 digits --backend tcc --steps 20 --seed 5
    train seed3 digits --backend tcc --steps 20 --seed 6
    same "one --seed, one result" "$(bits seed1)" "$(bits seed2)"
    check "another --seed, another result" "the same bits" \
        test "$(bits seed1)" != "$(bits seed3)"
    train set digits --backend tcc --steps 20 --set train.seed=5
    same "--seed is train.seed" "$(bits set)" "$(bits seed1)"
}

test_refusals() {
    local word
    for word in "train $here/digits.yaml --stpes 3" "trian" "train" \
        "train $here/digits.yaml --steps 0" "train $here/digits.yaml --backend gcc"; do
        # shellcheck disable=SC2086
        run $word
        check "exit code 2: netcc ${word//"$here/"/}" "exit code $code, or output" \
            test "$code" = 2 -a ! -s out -a -s err
    done
    mkdir bare
    sed 's#mnist/#nowhere/#g' "$here/mlp.yaml" >bare/mlp.yaml
    (cd bare && "$netcc" train mlp.yaml --out new >../out 2>../err)
    code=$?
    check "a missing data file: exit code 1" "exit code $code, or output" \
        test "$code" = 1 -a ! -s out
    check "a missing data file: file:line:col and its name" "another message" \
        grep -Eq '^mlp.yaml:[0-9]+:[0-9]+: error: .*nowhere/' err
    check "a missing data file: nothing is left behind" "$(ls bare bare/new 2>/dev/null)" \
        test "$(ls bare)" = mlp.yaml -o -z "$(ls bare/new 2>/dev/null)"
    : >err
}

# ---- MNIST ----------------------------------------------------------------------------------------

# PyTorch's own 5 epochs of this MLP (4 seeds, same initialiser and Adam) end at 97.2 to 97.4 %.
test_accuracy() { # SPEC LEAST
    local backend
    for backend in tcc cc auto; do
        train "$1-$backend" "$1" --backend $backend ||
            { fail "$1 with $backend" "exit code $code"; continue; }
        at_least "$1 with $backend" "$(field "$1-$backend/log" eval accuracy)" "$2"
    done
}

test_wider() {
    train wide mlp --backend cc --set layers.1.dense.units=256 --set train.epochs=8
    at_least "256 units, 8 epochs" "$(field wide/log eval accuracy)" 0.975
}

test_cache() {
    local before after cached loss
    before=$(find cache -name 'idx-*' -printf '%f %i %T@\n' | sort)
    check "inflated data in NETCC_CACHE" "$(ls cache)" \
        test "$(echo "$before" | wc -l)" -ge 4
    check "nothing in HOME" "$(find home)" test -z "$(ls -A home)"
    run eval "$here/mlp.yaml" --weights mlp-tcc/weights.safetensors --backend tcc --json
    loss=$(field out eval loss)
    after=$(find cache -name 'idx-*' -printf '%f %i %T@\n' | sort)
    same "the second run inflates nothing" "$before" "$after"
    cached=$(find cache -name 'idx-*' -size -8000k -size +6000k | head -1)
    ./probe spoil "$cached" # the test images
    run eval "$here/mlp.yaml" --weights mlp-tcc/weights.safetensors --backend tcc --json
    check "the second run reads the cache" "the same loss from a spoilt cache" \
        test "$(field out eval loss)" != "$loss"
    rm "$cached"
    NETCC_CACHE=$folder/other run eval "$here/mlp.yaml" --json --backend tcc \
        --weights mlp-tcc/weights.safetensors
    same "a fresh cache, the same loss" "$(field out eval loss)" "$loss"
    check "NETCC_CACHE says where" "nothing in it" test -n "$(ls -A other)"
}

test_epoch() {
    local trained
    trained=$(./probe get mlp-tcc/log epoch seconds | paste - <(./probe get mlp-tcc/log epoch \
        samples_per_second) | awk '{ printf "%.0f ", $1 * $2 / 10 }')
    same "60,000 samples an epoch" "$trained" "6000 6000 6000 6000 6000 "
    check "MNIST: valid JSON" "$(./probe json mlp-tcc/log 2>&1)" ./probe json mlp-tcc/log
    train one mlp --backend tcc --set train.epochs=1
    train steps mlp --backend tcc --steps 469
    same "an epoch is 469 steps" "$(bits one) $(field steps/log epoch epoch)" "$(bits steps) 1"
}

test_bits() {
    if ! grep -qw fma /proc/cpuinfo; then
        skip "the same bits" "this CPU has no FMA"
        return
    fi
    train one-again mlp --backend tcc --set train.epochs=1
    train one-cc mlp --backend cc --set train.epochs=1
    train one-auto mlp --backend auto --set train.epochs=1
    train one-thread mlp --backend tcc --set train.epochs=1 --threads 1
    train two-threads mlp --backend tcc --set train.epochs=1 --threads 2
    train three-threads mlp --backend cc --set train.epochs=1 --threads 3
    local run
    for run in one-again one-cc one-auto one-thread two-threads three-threads; do
        same "the same bits: $run" "$(bits one)" "$(bits $run)"
    done
    same "the same bits: 5 epochs, tcc and cc" "$(bits mlp-tcc)" "$(bits mlp-cc)"
    same "the same bits: 5 epochs, tcc and auto" "$(bits mlp-tcc)" "$(bits mlp-auto)"
}

# What training said of its last epoch must come out of the saved weights.
test_agreement() {
    local weights=mlp-tcc/weights.safetensors loss accuracy backend eval_loss
    loss=$(field mlp-tcc/log eval loss)
    accuracy=$(field mlp-tcc/log eval accuracy)
    same "val_loss of the last epoch is the test's" "$(field mlp-tcc/log epoch val_loss)" "$loss"
    for backend in tcc cc auto; do
        run eval "$here/mlp.yaml" --weights $weights --json --backend $backend
        close "eval of saved weights, $backend: loss" "$(field out eval loss)" "$loss" 1e-6
        same "eval of saved weights, $backend: accuracy" "$(field out eval accuracy)" "$accuracy"
    done
    ./probe slice "$NETCC_DATA/mnist/t10k-images-idx3-ubyte.gz" x.npy 10000
    ./probe slice "$NETCC_DATA/mnist/t10k-labels-idx1-ubyte.gz" y.npy 10000
    run predict "$here/mlp.yaml" --weights $weights --input x.npy --output p.npy
    close "predict into npy" "$(./probe accuracy p.npy y.npy)" "$accuracy" 5e-5
    ./probe slice "$NETCC_DATA/mnist/t10k-images-idx3-ubyte.gz" x.npy 500
    ./probe slice "$NETCC_DATA/mnist/t10k-labels-idx1-ubyte.gz" y.npy 500
    cp "$here/slice.yaml" slice.yaml
    run eval slice.yaml --weights $weights --json
    check "eval: valid JSON" "$(./probe json out 2>&1)" ./probe json out
    eval_loss=$(field out eval loss)
    run grad slice.yaml --weights $weights --input x.npy --target y.npy --output g.npz --json
    close "grad: the loss of 500 samples" "$(field out grad loss)" "$eval_loss" 1e-6
    run train slice.yaml --weights $weights --set train.optimizer=sgd --steps 4 --out tuned --json
    close "train --weights starts there" "$(field out epoch loss)" "$eval_loss" 0.02
}

test_digits
test_options
test_refusals
if [ -f "$NETCC_DATA/mnist/train-images-idx3-ubyte.gz" ]; then
    test_accuracy mlp 0.97
    test_wider
    test_cache
    test_epoch
    test_bits
    test_agreement
else
    skip mnist "no $NETCC_DATA/mnist; NETCC_DATA says where the data are"
fi
if [ -f "$NETCC_DATA/fashion-mnist/train-images-idx3-ubyte.gz" ]; then
    test_accuracy fashion 0.86
else
    skip fashion-mnist "no $NETCC_DATA/fashion-mnist; NETCC_DATA says where the data are"
fi
echo "e2e: $passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ]
