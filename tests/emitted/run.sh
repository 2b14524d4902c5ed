#!/bin/sh
# Emitted C is clean as C99 and as C++11 under gcc and clang: the units of the drivers (`netcc dump SPEC
# --after emit`) and the products (`netcc emit`, predict alone and with training), for x86-64 and its
# levels, and so are weights that are compiled in. The specs are those of tests/golden and two deep ones,
# whose entries are cut into parts; the first is compiled for every level, the others for v3. C++ is
# hardly optimised: its front ends are the point, behind them is what C's have. Clang stops behind its
# optimiser, which has the last warnings. NETCC names the program to test.
cd "$(dirname "$0")" || exit 2
netcc=$(realpath "${NETCC:-../../build/netcc}")
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
warn="-Wall -Wextra -Wpedantic -Werror"
math="-fno-math-errno -fno-trapping-math -ffp-contract=off"
optimize=${OPTIMIZE:--O2}
passed=0
failed=0

compile() { # label file level
    for compiler in "gcc -std=c99 $optimize" "g++ -std=c++11 -x c++ -Og" "clang -std=c99 -emit-llvm $optimize" \
        "clang++ -std=c++11 -x c++ -O0"; do
        # shellcheck disable=SC2086
        if $compiler $warn $math -march="$3" -I"$folder" -c "$2" -o "$folder/out.o" \
            >"$folder/log" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL emitted/$1 $compiler -march=$3"
            grep -E 'error|warning' "$folder/log" | sort | uniq -c | head -3
        fi
    done
}

# All files of $1 for the levels $3...
compile_all() { # label files level...
    label=$1
    files=$2
    shift 2
    before=$failed
    for level in "$@"; do
        for file in $files; do
            compile "$label $(basename "$file")" "$file" "$level"
        done
    done
    [ "$failed" -eq "$before" ] && echo "ok   emitted/$label ($*)"
}

made() { # label command...
    label=$1
    shift
    "$@" >"$folder/made" 2>"$folder/err" && return 0
    failed=$((failed + 1))
    echo "FAIL emitted/$label: $*"
    head -5 "$folder/err"
    return 1
}

levels="x86-64 x86-64-v3 x86-64-v4"
for spec in ../golden/mlp.yaml ../golden/dag.yaml ../golden/conv.yaml ../golden/rnn.yaml \
    ../golden/stateful.yaml deep.yaml slices.yaml; do
    name=$(basename "$spec" .yaml)
    # shellcheck disable=SC2086
    if made "$name unit" "$netcc" dump "$spec" --after emit; then
        mv "$folder/made" "$folder/unit.c"
        compile_all "$name unit" "$folder/unit.c" $levels
    fi
    for train in "" --train; do
        # shellcheck disable=SC2086
        if made "$name product $train" "$netcc" emit "$spec" -o "$folder" $train; then
            compile_all "$name product $train" "$folder/$name.c" $levels
            printf '#include "%s.h"\nint main(void);\nint main(void) { return 0; }\n' "$name" \
                >"$folder/header.c"
            compile_all "$name header $train" "$folder/header.c" x86-64
        fi
    done
    levels=x86-64-v3
done
# Weights as words of C, and where they are more than 256 KB as a file that the assembler includes
digits=../../examples/digits/digits.yaml
for units in 8 128; do
    set="--set layers.1.dense.units=$units"
    # shellcheck disable=SC2086
    made "weights $units" "$netcc" train $digits $set --steps 1 --out "$folder/run" --quiet &&
        made "weights $units" "$netcc" emit $digits $set -o "$folder/$units" \
            --weights "$folder/run/weights.safetensors" &&
        compile_all "weights $units" "$(echo "$folder/$units"/*.c)" x86-64-v3
done
if gcc -I"$folder/128" -c "$folder/128/digits_weights.S" -o "$folder/out.o" -Wa,-I"$folder/128"; then
    passed=$((passed + 1))
    echo "ok   emitted/weights 128 digits_weights.S"
else
    failed=$((failed + 1))
    echo "FAIL emitted/weights 128 digits_weights.S"
fi
echo "emitted: $passed passed, $failed failed"
[ $failed -eq 0 ]
