#!/bin/sh
# Spec errors: every NAME.yaml must be refused with the text of NAME.expected on stderr, nothing on
# stdout and exit code 1. `./run.sh --accept` writes the .expected files anew; read them before you
# commit them. NETCC names the program to test.
cd "$(dirname "$0")" || exit 2
netcc=${NETCC:-../../build/netcc}
unset NETCC_DATA
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0
for spec in *.yaml; do
    name=${spec%.yaml}
    command=$(sed -n "1s/^# netcc \([a-z]*\)$/\1/p" "$spec")
    "$netcc" "${command:-summary}" "$spec" >"$folder/out" 2>"$folder/err"
    code=$?
    if [ "$1" = --accept ]; then
        cp "$folder/err" "$name.expected"
    fi
    if [ $code -eq 1 ] && [ ! -s "$folder/out" ] && cmp -s "$folder/err" "$name.expected"; then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name (exit code $code)"
        diff "$name.expected" "$folder/err" | head -20
        failed=$((failed + 1))
    fi
done
echo "errors: $passed passed, $failed failed"
[ $failed -eq 0 ]
