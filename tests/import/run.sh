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

# ---- broken ones ------------------------------------------------------------------------------------

# shellcheck source=/dev/null
. "$here/broken.sh"

echo "import: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
