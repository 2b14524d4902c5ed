#!/bin/bash
# Products: what `netcc emit --train` writes is compiled into programs (product.c) that predict,
# refuse, learn and compare themselves with `netcc predict`: to the bit where this machine runs the
# documented flags, to 1e-5 elsewhere; and stateful networks (stateful.c). Two compilers and their levels, weights as text, by .incbin,
# mapped and read, two models in C++, sanitizers, valgrind, 32 bits, x87, AArch64 under qemu. Also
# what an object may contain, and examples/embed. NETCC names the program to test; what a missing
# tool forbids is skipped, visibly.
# shellcheck disable=SC2317 # called through start
cd "$(dirname "$0")" || exit 2
here=$PWD
netcc=$(realpath "${NETCC:-../../build/netcc}")
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
warn="-Wall -Wextra -Wpedantic -Werror"
math="-fno-math-errno -fno-trapping-math -ffp-contract=off"
jobs=0

# Results are files, since tests run side by side.
good() { # label
    echo "ok   embed/$1"
}
bad() { # label log
    echo "FAIL embed/$1"
    head -n 12 "$2"
}
skip() { # label reason
    start echo "SKIP embed/$1: $2"
}
# start COMMAND...: as a job, JOBS at a time, by default one for each core
start() {
    jobs=$((jobs + 1))
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do
        wait -n
    done
    "$@" >"$folder/result.$(printf %03d $jobs)" 2>&1 &
}
# runs LABEL COMMAND...: good if it succeeds
runs() {
    if "${@:2}" >"$folder/log.$BASHPID" 2>&1; then
        good "$1"
    else
        bad "$1" "$folder/log.$BASHPID"
    fi
}
finish() {
    wait
    cat "$folder"/result.* >"$folder/results"
    cat "$folder/results"
    failed=$(grep -c '^FAIL' "$folder/results")
    echo "embed: $(grep -c '^ok' "$folder/results") passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

has() { command -v "$1" >/dev/null 2>&1; }

# model NAME: the macros that tell product.c about it
model() {
    case $1 in
    small) echo "-DM=small -DU=SMALL -DHEADER=\"small.h\" -DIN=72 -DOUT=5 -DINTEGER_TARGETS=1 -DTHREADED=0" ;;
    wide) echo "-DM=wide -DU=WIDE -DHEADER=\"wide.h\" -DIN=72 -DOUT=5 -DINTEGER_TARGETS=0 -DTHREADED=1" ;;
    esac
}
linked() { # NAME: its weights as a source
    case $1 in
    small) echo "small_weights.c" ;;
    wide) echo "wide_weights.S" ;;
    esac
}

# product LABEL MODEL TOLERANCE RUNNER COMPILER...: compile, link, run
build_and_run() {
    local label=$1 name=$2 tolerance=$3 runner=$4 log=log.$BASHPID
    shift 4
    # shellcheck disable=SC2046,SC2086
    if "$@" $warn $(model "$name") -DLINKED -I. "$here/product.c" "$name.c" "$(linked "$name")" \
        -Wa,-I,. -o "$label.exe" -lm -lpthread >"$log" 2>&1; then
        runs "$label" $runner "./$label.exe" "$name.npy" "$name.y.npy" "$name.weights" "$tolerance"
    else
        bad "$label: does not compile" "$log"
    fi
    rm -f "$label.exe"
}
product() {
    start build_and_run "$@"
}

# The same of a stateful network
build_and_run_stateful() { # LABEL TOLERANCE RUNNER COMPILER...
    local label="stateful-$1" tolerance=$2 runner=$3 log=log.$BASHPID
    shift 3
    # shellcheck disable=SC2086
    if "$@" $warn -I. "$here/stateful.c" half.c half_weights.c whole.c whole_weights.c \
        -o "$label.exe" -lm -lpthread >"$log" 2>&1; then
        runs "$label" $runner "./$label.exe" half.npy half.y.npy "$tolerance"
    else
        bad "$label: does not compile" "$log"
    fi
    rm -f "$label.exe"
}
stateful() {
    start build_and_run_stateful "$@"
}

tcc_product() {
    # shellcheck disable=SC2046
    gcc -O1 $(model small) -DLINKED -I. -c "$here/product.c" -o tcc_test.o &&
        tcc -I. -c small.c -o tcc_small.o && tcc -I. -c small_weights.c -o tcc_weights.o &&
        gcc tcc_*.o -o tcc.exe -lm -lpthread &&
        ./tcc.exe small.npy small.y.npy small.weights 1e-5
}

cd "$folder" || exit 2
cc -O1 -o samples "$here/samples.c" && ./samples || exit 2
for name in small wide; do
    spec=$here/$name.yaml
    # shellcheck disable=SC2015
    NETCC_DATA=$folder "$netcc" train "$spec" --steps 5 --out $name.run --quiet >log 2>&1 &&
        "$netcc" predict "$spec" --weights $name.run/weights.safetensors --input $name.npy \
            --output $name.y.npy >log 2>&1 &&
        "$netcc" emit "$spec" --train --weights $name.run/weights.safetensors -o . >log 2>&1 ||
        { start bad "$name: netcc" log; finish; }
done

spec=$here/recurrent.yaml
weights=half.run/weights.safetensors
# shellcheck disable=SC2015
NETCC_DATA=$folder "$netcc" train "$spec" --steps 5 --out half.run --quiet >log 2>&1 &&
    "$netcc" predict "$spec" --weights $weights --input half.npy --output half.y.npy >log 2>&1 &&
    "$netcc" emit "$spec" --train --weights $weights -o . >log 2>&1 &&
    "$netcc" emit "$spec" --set name=whole --set input.0=8 --batch 6 --weights $weights -o . >log 2>&1 ||
    { start bad "half: netcc" log; finish; }

# ---- compilers and levels ------------------------------------------------------------------------
for level in 0 1 2 3 s; do
    # shellcheck disable=SC2086
    product "gcc-O$level" small 0 "" gcc -std=c99 -D_GNU_SOURCE -O$level -march=native $math
    # shellcheck disable=SC2086
    product "clang-O$level" small 0 "" clang -std=c99 -D_GNU_SOURCE -O$level -march=native $math
done
# shellcheck disable=SC2086
product "gcc-wide" wide 0 "" gcc -std=c99 -D_GNU_SOURCE -O3 -march=native $math -DQUICK
# shellcheck disable=SC2086
product "clang-wide" wide 0 "" clang -std=c99 -D_GNU_SOURCE -O3 -march=native $math -DQUICK
product "gcc-plain" small 1e-5 "" gcc -O2
product "clang-plain" small 1e-5 "" clang
if has tcc; then
    start runs "tcc" tcc_product
else
    skip "tcc" "tcc is not installed"
fi
product "gcc-scalar" small 1e-5 "" gcc -Og -DNC_SCALAR
for level in 0 2 3; do
    # shellcheck disable=SC2086
    stateful "gcc-O$level" 0 "" gcc -std=c99 -D_GNU_SOURCE -O$level -march=native $math
    # shellcheck disable=SC2086
    stateful "clang-O$level" 0 "" clang -std=c99 -D_GNU_SOURCE -O$level -march=native $math
done
# shellcheck disable=SC2086
stateful "g++" 0 "" g++ -std=c++11 -x c++ -O2 -march=native $math
stateful "gcc-plain" 1e-5 "" gcc -O2
stateful "gcc-scalar" 1e-5 "" gcc -Og -DNC_SCALAR
# shellcheck disable=SC2086
product "gcc-lto" wide 0 "" gcc -DQUICK -O2 -flto -march=native $math

# ---- two models in one program -------------------------------------------------------------------
two() { # COMPILER
    mkdir "$1" && cp ./*.h ./*.c ./*.S ./*.npy ./*.weights "$1" && cd "$1" || return 1
    for name in small wide; do
        # shellcheck disable=SC2046,SC2086
        $1 -std=c++11 $warn $math -O2 -march=native -I. -x c++ -c $name.c -o $name.o &&
            $1 -std=c++11 $warn -O1 $(model $name) -DNO_MAIN -DQUICK -DLINKED -I. -x c++ \
                -c "$here/product.c" -o $name.test.o || return 1
    done
    # shellcheck disable=SC2086
    $1 -std=c++11 $warn -O1 -I. -x c++ -c small_weights.c -o small_weights.o &&
        $1 -c wide_weights.S -Wa,-I,. -o wide_weights.o &&
        $1 -std=c++11 $warn -O1 -I. -c "$here/two.cc" -o two.o &&
        $1 ./*.o -o two.exe -lm -lpthread &&
        ./two.exe small.npy small.y.npy small.weights wide.npy wide.y.npy wide.weights 0
}
start runs "two models in C++11, g++" two g++
start runs "two models in C++11, clang++" two clang++

# ---- sanitizers and valgrind ---------------------------------------------------------------------
product "gcc-sanitizers" small 1e-5 "" gcc -O1 -g1 -DQUICK -fsanitize=address,undefined \
    -fno-sanitize-recover=undefined
if echo 'int main(void) { return 0; }' | clang -fsanitize=address,undefined -x c - -o probe 2>log; then
    product "clang-sanitizers" small 1e-5 "" clang -O0 -g -DQUICK \
        -fsanitize=address,undefined -fno-sanitize-recover=undefined
else
    skip "clang-sanitizers" "clang has no runtime for them here"
fi
stateful "gcc-sanitizers" 1e-5 "" gcc -O1 -g1 -fsanitize=address,undefined \
    -fno-sanitize-recover=undefined
stateful "gcc-threads" 1e-5 "setarch -R" gcc -O1 -g1 -fsanitize=thread
product "gcc-threads" small 1e-5 "setarch -R" gcc -O1 -g1 -DQUICK -fsanitize=thread
if has valgrind; then
    product "valgrind" small 1e-5 "valgrind -q --error-exitcode=1 --leak-check=full" gcc -O1 -g -DQUICK
else
    skip "valgrind" "valgrind is not installed"
fi

# ---- other machines --------------------------------------------------------------------------------
if echo 'int main(void) { return 0; }' | gcc -m32 -x c - -o probe 2>log && ./probe; then
    product "m32-sse2" small 1e-5 "" gcc -m32 -msse2 -mfpmath=sse -O2
    product "m32-x87" small 1e-5 "" gcc -m32 -march=i686 -O2
    stateful "m32-x87" 1e-5 "" gcc -m32 -march=i686 -O1
    product "m32-wide" wide 1e-5 "" gcc -m32 -march=i686 -O2 -std=c99 -D_GNU_SOURCE -DQUICK
else
    skip "m32" "gcc -m32 needs gcc-multilib"
fi
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64)
cross=aarch64-linux-gnu-gcc
if [ "$(uname -m)" = aarch64 ]; then
    skip "aarch64" "this machine is one"
elif has $cross && [ -n "$qemu" ]; then
    # shellcheck disable=SC2086
    product "aarch64" small 1e-5 "$qemu" $cross -static -std=c99 -D_GNU_SOURCE -O3 $math -DQUICK
    # shellcheck disable=SC2086
    stateful "aarch64" 1e-5 "$qemu" $cross -static -std=c99 -D_GNU_SOURCE -O3 $math
    product "aarch64-wide" wide 1e-5 "$qemu" $cross -static -O2 -DQUICK
else
    skip "aarch64" "needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user"
fi

# ---- what an object contains -----------------------------------------------------------------------
symbols() { # MODEL COMPILER...
    local name=$1 label="nm ${*:2}, $1" object=$BASHPID.o log=log.$BASHPID foreign written stray
    shift
    "$@" -c "$name.c" -o "$object" && nm "$object" >"$log"
    foreign=$(awk '$1 == "U" { print $2 }' "$log" |
        grep -vxE 'mem(cpy|move|set)|(sqrt|fabs|fma|floor)f?|_GLOBAL_OFFSET_TABLE_')
    written=$(awk '$2 ~ /^[dDbBcCgGsS]$/ { print $3 }' "$log")
    stray=$(awk '$2 ~ /^[A-Z]$/ && $2 != "U" { print $3 }' "$log" | grep -v "^${name}_")
    if grep -q "T ${name}_predict" "$log" && [ -z "$foreign$written$stray" ]; then
        good "$label: only libm, no writable data, all symbols are ${name}_..."
    else
        echo "needs: $foreign writes: $written exports: $stray" >"$log"
        bad "$label" "$log"
    fi
}
for compiler in gcc clang; do
    for level in 0 2; do
        start symbols small $compiler -O$level
        start symbols wide $compiler -O$level
        start symbols half $compiler -O$level
    done
done

# ---- a product that learns on the fly ---------------------------------------------------------------
start runs "examples/embed" make -s -C "$here/../../examples/embed" NETCC="$netcc" OUT="$folder/example" run

finish
