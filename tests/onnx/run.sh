#!/bin/bash
# ONNX's own test cases through import, compile (tcc) and predict, against the outputs that come with
# them; and files that must be refused. `run.sh slow` runs the whole networks instead.
# The cases are in $NETCC_DATA (default: ../shared/data); B names the build folder.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
build=$PWD/${B:-build}
data=${NETCC_DATA:-../shared/data}
export NETCC_PLUGINS=${NETCC_PLUGINS:-$build}
unset NETCC_DATA
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=$folder/cache

# Operators and inputs that netcc refuses, by name. A case refused for another reason has failed.
refused=' Gradient SequenceConstruct SequenceEmpty SplitToSequence StringNormalizer
    Expand Conv ConvTranspose '

passed=0
failed=0
good() { passed=$((passed + 1)); }
bad() { # MESSAGE
    failed=$((failed + 1))
    echo "FAIL $1"
}

if [ ! -f "$build/onnx.so" ]; then
    echo "SKIP onnx: netcc was built without libprotobuf-c and libonnx-dev"
    echo "onnx: 0 passed, 0 failed"
    exit 0
fi

# Runs cases; what was refused goes to the file `refusals`, a line each.
cases() {
    local status rest word
    "$build/conformance" "$@" >"$folder/said" 2>"$folder/err"
    [ $? -le 1 ] || bad "conformance died after: $(tail -n 1 "$folder/said") $(tail -n 3 "$folder/err")"
    while read -r status rest; do
        case $status in
        ok) good ;;
        none)
            word=${rest#*: }
            word=${word%% *}
            [[ " "$refused" " == *[[:space:]]"$word"[[:space:]]* ]] || bad "refused: $rest"
            echo "$word" >>"$folder/refusals"
            ;;
        *) bad "$rest" ;;
        esac
    done <"$folder/said"
}

conformance() {
    if [ ! -d "$data/onnx-backend" ]; then
        echo "SKIP onnx: $data/onnx-backend is not there"
        return
    fi
    : >"$folder/refusals"
    if [ "${1:-}" = slow ]; then
        cases "$data"/onnx-backend/light/*.onnx
        return
    fi
    cases "$data"/onnx-backend/{pytorch-converted,pytorch-operator,simple,node}/test_* \
        "$data"/weights/onnx/mnist_cntk
    echo "refused by operator, $(wc -l <"$folder/refusals") cases:"
    sort "$folder/refusals" | uniq -c
}

shopt -s nullglob
conformance "${1:-}"
for part in tests/onnx/parts/*.sh; do
    [ "${1:-}" = slow ] || . "$part"
done
echo "onnx: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
