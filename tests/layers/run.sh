#!/bin/bash
# Every spec of this folder: `netcc check` compares the derivatives of its layers with differences.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
netcc=$(realpath -- "${NETCC:-../../build/netcc}") || exit 2
[ -x "$netcc" ] || { echo "layers: $netcc is not there; run make" >&2; exit 2; }
passed=0
failed=0
for spec in *.yaml; do
    if said=$("$netcc" check "$spec" 2>&1); then
        passed=$((passed + 1))
        echo "ok   layers/${spec%.yaml}"
    else
        failed=$((failed + 1))
        echo "FAIL layers/${spec%.yaml}"
        printf '%s\n' "$said" | tail -20
    fi
done
echo "layers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
