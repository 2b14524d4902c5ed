#!/bin/bash
# netcc import: the real networks of files.txt against what they must give, where the data are there;
# and broken ones.
# NETCC names the program to test, NETCC_DATA the data.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
root=$(cd "$here/../.." && pwd) || exit 2
netcc=$(realpath -- "${NETCC:-$root/build/netcc}") || exit 2
[ -x "$netcc" ] || { echo "import: $netcc is not there; run make" >&2; exit 2; }
export NETCC=$netcc NETCC_PLUGINS=${NETCC_PLUGINS:-$(dirname "$netcc")}

passed=0
failed=0
ok() {
    passed=$((passed + 1))
    echo "ok   import/$1"
}
fail() { # NAME WHY
    failed=$((failed + 1))
    echo "FAIL import/$1: $2"
}

# ---- real networks ----------------------------------------------------------------------------------

# what_is_due WANTED: `needs KIND CLASS` is `outputs` where netcc has that kind of layer
what_is_due() {
    local word kind class
    read -r word kind class <<<"$1"
    if [ "$word" != needs ]; then
        echo "$1"
    elif "$netcc" ops "$kind" >/dev/null 2>&1; then
        echo outputs
    else
        echo "netcc has no layer of the class $class"
    fi
}

while IFS=$'\t' read -r file wanted got; do
    due=$(what_is_due "$wanted")
    case $got in
    missing) echo "SKIP import/$file: not in ${NETCC_DATA:-../shared/data}" ;;
    *"$due") ok "$file ($due)" ;;
    *) fail "$file" "'$got' is not '$due'" ;;
    esac
done < <("$here/measure.sh")

# ---- blocks -----------------------------------------------------------------------------------------

# Stages as blocks make the network that layer after layer makes, to the names.
data=$(realpath -m -- "${NETCC_DATA:-$root/../shared/data}")
twins=$(mktemp -d) || exit 2
expanded() { # FOLDER: the graphs, without the lines that they come from
    "$netcc" dump "$twins/$1/spec.yaml" --after build | sed -E 's/ spec\.yaml:[0-9]+$//'
}
for file in mlperf_resnet8_cifar10_keras2.4.h5 mlperf_vww96_mobilenet0.25_keras2.4.h5; do
    name="$file as blocks"
    if [ ! -e "$data/weights/keras/$file" ]; then
        echo "SKIP import/$name: not in ${NETCC_DATA:-../shared/data}"
    elif ! "$netcc" import "$data/weights/keras/$file" -o "$twins/blocks" >/dev/null ||
        ! "$netcc" import "$data/weights/keras/$file" --flat -o "$twins/flat" >/dev/null; then
        fail "$name" "is not imported"
    elif ! grep -q '^  - stage_1: {' "$twins/blocks/spec.yaml" ||
        grep -q 'stage_1' "$twins/flat/spec.yaml"; then
        fail "$name" "has none, or --flat has"
    elif [ -z "$(expanded flat)" ] || [ "$(expanded blocks)" != "$(expanded flat)" ]; then
        fail "$name" "is another network"
    elif ! cmp "$twins/blocks/weights.safetensors" "$twins/flat/weights.safetensors"; then
        fail "$name" "has other weights"
    else
        ok "$name"
    fi
done
rm -rf "$twins"

# ---- broken ones ------------------------------------------------------------------------------------

# shellcheck source=/dev/null
. "$here/broken.sh"

echo "import: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
