#!/bin/sh
# What the passes make of the specs here, as text: NAME.simplify and NAME.plan are `netcc dump --after`
# that pass, NAME.emit is the emitted C behind the vocabulary. `./run.sh --accept` writes them anew; read
# the difference before you commit it. NETCC names the program to test.
cd "$(dirname "$0")" || exit 2
netcc=${NETCC:-../../build/netcc}
accept=$1
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

behind_vocabulary() {
    sed '1,/^#endif .* NC_VOCAB_H/d'
}

check() { # spec pass filter
    name=$1.$2
    "$netcc" dump "$1.yaml" --after "$2" >"$folder/all" 2>"$folder/err"
    code=$?
    $3 <"$folder/all" >"$folder/out"
    [ "$accept" = --accept ] && [ $code -eq 0 ] && cp "$folder/out" "$name"
    if [ $code -eq 0 ] && [ ! -s "$folder/err" ] && cmp -s "$folder/out" "$name"; then
        echo "ok   golden/$name"
        passed=$((passed + 1))
    else
        echo "FAIL golden/$name (exit code $code)"
        head -5 "$folder/err"
        diff "$name" "$folder/out" | head -20
        failed=$((failed + 1))
    fi
}

for spec in *.yaml; do
    check "${spec%.yaml}" simplify cat
    check "${spec%.yaml}" plan cat
done
check mlp emit behind_vocabulary
check bands emit behind_vocabulary
echo "golden: $passed passed, $failed failed"
[ $failed -eq 0 ]
