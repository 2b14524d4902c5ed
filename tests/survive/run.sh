#!/bin/bash
# What a run survives: kills at random moments, signals in mid-epoch, a full disk, a folder or a data
# file that vanishes. Whatever happened, a run that goes on ends with the bits of one that nothing
# disturbed. KILLS says how many kills (12); NETCC names the program to test.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
here=$PWD
netcc=$(realpath -- "${NETCC:-$here/../../build/netcc}") || exit 2
kills=${KILLS:-12}
cache=$(mktemp -d) || exit 2
memory=/dev/shm # what kills and signals leave behind does not depend on the disk
[ -w $memory ] || memory=${TMPDIR:-/tmp}
folder=$(mktemp -d -p $memory) || exit 2
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$folder" "$cache"' EXIT
cd "$folder" || exit 2
export NETCC_CACHE=${NETCC_CACHE:-$cache} NETCC_SAVE_SECONDS=0.03
cp "$here"/*.yaml .
passed=0
failed=0

ok() {
    echo "ok   survive/$1"
    passed=$((passed + 1))
}
fail() { # NAME WHY
    echo "FAIL survive/$1: $2"
    [ ! -s err ] || head -8 err | sed 's/^/     /'
    failed=$((failed + 1))
}
check() { # NAME WHY CONDITION...
    local name=$1 why=$2
    shift 2
    if "$@"; then ok "$name"; else fail "$name" "$why"; fi
}

code=0
run() { # OUT OPTION...: one run to its end
    local to=$1
    shift
    "$netcc" train "${spec:-net.yaml}" --out "$to" "$@" >out 2>err
    code=$?
    return $code
}
go_on() { # OUT OPTION...: from the checkpoint, or anew where the run came to none
    local to=$1
    shift
    if [ -f "$to/checkpoint.safetensors" ]; then run "$to" --resume "$@"; else run "$to" "$@"; fi
}
disturb() { # SIGNAL SECONDS OUT OPTION...: sends it after that time; the run's code to $code
    local signal=$1 seconds=$2 to=$3 more=
    shift 3
    [ ! -f "$to/checkpoint.safetensors" ] || more=--resume
    "$netcc" train "${spec:-net.yaml}" --out "$to" $more "$@" >out 2>err &
    local pid=$!
    sleep "$seconds"
    kill -"$signal" $pid 2>/dev/null
    { wait $pid; } 2>/dev/null
    code=$?
}
await() { # FILE: until it is there, a minute at most
    local try
    for ((try = 0; try < 12000; try++)); do
        [ ! -f "$1" ] || return
        sleep 0.005
    done
}
disturb_after() { # SIGNAL FILE OUT OPTION...: sends it once the run has written that file
    local signal=$1 file=$2 to=$3
    shift 3
    "$netcc" train "${spec:-net.yaml}" --out "$to" "$@" >out 2>err &
    local pid=$!
    await "$to/$file"
    kill -"$signal" $pid 2>/dev/null
    { wait $pid; } 2>/dev/null
    code=$?
}
moment() { # up to $1 thousandths of a second
    printf '0.%03d' $((RANDOM * $1 / 32768))
}
same_run() { # A B: the same weights and the same epochs in the log
    cmp -s "$1/weights.safetensors" "$2/weights.safetensors" &&
        cmp -s "$1/best.safetensors" "$2/best.safetensors" &&
        cmp -s <(cut -d, -f1-5 "$1/log.csv") <(cut -d, -f1-5 "$2/log.csv") &&
        [ "$(wc -l <"$1/log.jsonl")" = "$(wc -l <"$2/log.jsonl")" ]
}
quickly() { # the backends and threads in turn
    local backends=(tcc cc auto)
    echo "--backend ${backends[$1 % 3]} --threads $(($1 / 3 % 3 + 1))"
}

# ---- kills and signals ------------------------------------------------------------------------------

run whole --backend tcc || { fail whole "exit code $code"; echo "survive: 0 passed, 1 failed"; exit 1; }
start=$(date +%s%N)
run timed --backend tcc --quiet
span=$((($(date +%s%N) - start) / 1000000))
[ $span -lt 950 ] || span=950
check "two runs, one result" "other bits" same_run whole timed

test_kills() {
    local i from where
    for ((i = 1; i <= kills; i++)); do
        # shellcheck disable=SC2046
        disturb KILL "$(moment $((span * 3 / 4)))" killed $(quickly "$i")
        if ((i % 2)); then # every other one is killed twice
            # shellcheck disable=SC2046
            disturb KILL "$(moment $((span / 3)))" killed $(quickly $((i + 1)))
        fi
        from=$([ -f killed/log.csv ] && tail -1 killed/log.csv | cut -d, -f1)
        # shellcheck disable=SC2046
        go_on killed $(quickly $((i + 2)))
        where="kill $i, after epoch ${from:-0}"
        if [ $code = 0 ]; then
            check "$where" "other bits than the undisturbed run's" same_run whole killed
        else
            fail "$where" "exit code $code"
        fi
        [ -z "$(find killed -name '*.part')" ] || fail "$where" "$(ls killed)"
        rm -rf killed
    done
}

test_signals() {
    local signal
    local long=(--set train.batch_size=1 --set train.epochs=15)
    run long "${long[@]}"
    for signal in INT TERM; do
        disturb_after $signal checkpoint.safetensors stopped "${long[@]}"
        check "SIG$signal: exit code 0, and how to go on" "exit code $code, or no word of it" \
            test $code = 0 -a "$(grep -c -- '--out stopped --resume' err)" = 1
        check "SIG$signal: in mid-epoch" "$(cat err)" \
            grep -Eq 'interrupted in epoch [0-9]+ after step [0-9]+ of 2400' err
        go_on stopped "${long[@]}" --backend cc --threads 1
        check "SIG$signal: it goes on" "exit code $code, or other bits" same_run long stopped
        rm -rf stopped
    done
}

# Within a long epoch there are checkpoints as well, though few.
test_long_epoch() {
    local slow=(--set train.batch_size=1 --set train.epochs=1 --set layers.1.dense.units=400)
    run slow "${slow[@]}"
    NETCC_SAVE_SECONDS=0.0005 disturb_after KILL checkpoint.safetensors between "${slow[@]}"
    check "a kill in a long epoch: a checkpoint, but no log" "$(ls between)" \
        test -f between/checkpoint.safetensors -a ! -s between/log.csv
    go_on between "${slow[@]}"
    check "a kill in a long epoch: it goes on" "exit code $code, or other bits" same_run slow between
    rm -rf slow between
}

test_resume() {
    run steps --steps 100
    run steps --resume --steps 101
    run steps --resume --seed 99
    check "another seed is refused" "exit code $code" test $code = 1 -a "$(grep -c seed err)" -gt 0
    run steps --resume --set layers.1.dense.units=31 --set train.optimizer=sgd
    check "another network is refused, with a table" "exit code $code, or no table" \
        test $code = 1 -a "$(grep -Ec 'layers.1.dense.units +32 +31' err)" = 1
    run steps --resume --set train.epochs=3
    run steps --resume
    check "steps, fewer epochs, all epochs" "other bits" same_run whole steps
    run steps --resume
    check "a finished run says so" "exit code $code" test $code = 0 -a \
        "$(grep -c 'was finished' err)" = 1
    check "a finished run stays as it is" "other bits" same_run whole steps
    run none --resume
    check "without a checkpoint: exit code 1" "exit code $code" test $code = 1 -a ! -e none
    head -c 3000 whole/checkpoint.safetensors >steps/checkpoint.safetensors
    run steps --resume
    check "a damaged checkpoint: exit code 1" "exit code $code" test $code = 1 -a -s err
}

test_stopping() {
    local stop='train.early_stopping={monitor: accuracy, mode: min, patience: 2, restore_best_weights: true}'
    run short --set train.epochs=1 --set "train.early_stopping=null"
    run early --set "$stop"
    check "patience ends it" "$(cat early/log.csv)" test "$(wc -l <early/log.csv)" = 4
    check "the best weights come back" "other bits" \
        cmp -s short/weights.safetensors early/weights.safetensors
    run early --resume --set "$stop"
    check "a stopped run stays as it is" "exit code $code, or other bits" \
        cmp -s short/weights.safetensors early/weights.safetensors
    run each --set train.epochs=2 --set train.checkpoint.save_best_only=false
    check "save_best_only: false keeps every epoch" "$(ls each)" \
        test -f each/epoch-0001.safetensors -a -f each/epoch-0002.safetensors
}

# ---- disks and files --------------------------------------------------------------------------------

# A checkpoint takes 320 KB, its successor lies beside it for a moment: 600 KB hold one of them.
test_full_disk() {
    mkdir disk
    if mount -t tmpfs -o size=600k tmpfs disk 2>/dev/null; then
        mounted=$folder/disk
        run disk/run --set train.epochs=50
        cp -r disk/run full
        umount disk
        mounted=
    else
        run full --steps 200
        (ulimit -f 200 && "$netcc" train net.yaml --out full --resume >out 2>err)
        code=$?
    fi
    check "a full disk: exit code 1 and a message" "exit code $code" \
        test $code = 1 -a "$(grep -c 'cannot be written' err)" = 1
    run full --resume --set train.epochs=16
    check "a full disk: the last checkpoint is whole" "exit code $code, or other bits" \
        same_run whole full
}

test_vanished_folder() {
    run lost --set train.epochs=100000 --set train.early_stopping=null &
    await lost/checkpoint.safetensors
    mv lost gone # at once, while files come and go in it
    wait $!
    code=$?
    rm -rf gone
    check "a vanished folder: exit code 1 and a message" "exit code $code" \
        test $code = 1 -a "$(grep -c 'cannot be written' err)" = 1
}

npy() { # SHAPE: bytes from stdin
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': ($1), }"
    cat
}

test_vanished_data() {
    local spec=files.yaml
    head -c $((4000 * 784)) /dev/urandom | npy "4000, 784" >x.npy
    head -c 4000 /dev/zero | npy "4000," >y.npy
    run data --backend tcc &
    await data/checkpoint.safetensors
    truncate -s 4096 x.npy
    wait $!
    code=$?
    check "a data file that shrinks: exit code 1 and its name" "exit code $code" \
        test $code = 1 -a "$(grep -c 'x.npy' err)" = 1
    head -c $((4000 * 784)) /dev/urandom | npy "4000, 784" >x.npy
    run there --backend tcc --set train.epochs=40 &
    await there/checkpoint.safetensors
    rm x.npy
    wait $!
    check "a data file that is removed: nothing happens" "exit code $?" test -f there/weights.safetensors
}

# Fifty times the step size, in epochs of eight steps: it goes wrong in the second or third.
test_not_finite() {
    local wild=(--set 'train.optimizer={sgd: {learning_rate: 50}}')
    run huge --set 'train.optimizer={sgd: {learning_rate: 1e30}}'
    check "a loss that is no number: exit code 1, and step and epoch" "exit code $code" \
        test $code = 1 -a "$(grep -c 'not a number at step 2 of epoch 1' err)" = 1
    check "a loss that is no number: the layer" "not named" \
        grep -q "layer 'batch_normalization' is the first whose output is not finite" err
    run huge "${wild[@]}" --set train.batch_size=300
    check "a loss that is no number: in a later epoch" "not named" grep -Eq \
        "the first (parameter that|whose output) is not finite" err
    check "a loss that is no number: the checkpoint before is kept" "exit code $code" \
        test $code = 1 -a "$(grep -c 'checkpoint is huge/checkpoint.safetensors' err)" = 1
    run huge "${wild[@]}" --set train.batch_size=300 --resume --set train.epochs=1
    check "a loss that is no number: that checkpoint is good" "exit code $code" test $code = 0
}

# COMMAND... reads x.npy, which loses its end once it is in use. Where that happens before the rows are
# read, an ordinary message says so; then it is tried again.
shrink_while() {
    local try child
    for try in 1 2 3 4 5 6; do
        truncate -s 4096 x.npy
        truncate -s $((128 + 60000 * 784)) x.npy
        "$@" >out 2>err &
        child=$!
        until grep -q x.npy /proc/$child/maps 2>/dev/null || ! kill -0 $child 2>/dev/null; do :; done
        sleep "0.$try"
        truncate -s 4096 x.npy
        wait $child
        code=$?
        grep -q 'x.npy: the file has become shorter' err && return
    done
}

test_vanished_samples() {
    local wide=(--set layers.0.dense.units=3000 --threads 1)
    npy "60000, 784" </dev/null >x.npy
    truncate -s $((128 + 60000 * 784)) x.npy
    head -c 60000 /dev/zero | npy "60000," >y.npy
    "$netcc" train files.yaml --out wide --steps 1 --quiet "${wide[@]}" >out 2>err
    CC=$here/../quick_cc "$netcc" build files.yaml -o wide/exe --weights wide/weights.safetensors \
        "${wide[@]:0:2}" 2>err
    shrink_while "$netcc" eval files.yaml --weights wide/weights.safetensors \
        --set data.test='{npy: [x.npy, y.npy]}' "${wide[@]}"
    check "eval of a file that shrinks: exit code 1 and its name" "exit code $code" \
        test $code = 1 -a "$(grep -c 'x.npy: the file has become shorter' err)" = 1 -a ! -s out
    shrink_while "$netcc" predict files.yaml --weights wide/weights.safetensors --input x.npy \
        -o wide/y.npy "${wide[@]}"
    check "predict of a file that shrinks: exit code 1 and its name" "exit code $code" \
        test $code = 1 -a "$(grep -c 'x.npy: the file has become shorter' err)" = 1 -a ! -e wide/y.npy
    shrink_while wide/exe predict --input x.npy --output wide/y.npy --threads 1
    check "an executable and a file that shrinks: exit code 1 and its name" "exit code $code" \
        test $code = 1 -a "$(grep -c 'x.npy: the file has become shorter' err)" = 1 -a ! -e wide/y.npy
}

test_kills
test_signals
test_long_epoch
test_resume
test_stopping
test_full_disk
test_vanished_folder
test_vanished_data
test_vanished_samples
test_not_finite
echo "survive: $passed passed, $failed failed"
[ $failed -eq 0 ]
