#!/usr/bin/env bash
# Runs test suites and adds them up: `tests/run.sh [unit] [errors] ...`, all of them by default.
# The last line reads `N passed, N failed`. B names the build folder.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
export NETCC=$PWD/$B/netcc NETCC_PLUGINS=$PWD/$B B
log=$(mktemp -d) || exit 2
trap 'rm -rf "$log"' EXIT
NETCC_CACHE=${NETCC_CACHE:-$log/cache}
export NETCC_CACHE
passed=0
failed=0
skipped=0

# add NAME STATUS PASSED FAILED SKIPPED SECONDS: a suite that dies without counting has failed once.
add() {
    local lost=$4
    [ "$2" -ne 0 ] && [ "$lost" -eq 0 ] && lost=1
    passed=$((passed + $3))
    failed=$((failed + lost))
    skipped=$((skipped + $5))
    printf '%-24s %4d passed %4d failed %4d skipped  %4ds\n' "$1" "$3" "$lost" "$5" "$6"
    [ "$lost" -eq 0 ] || tail -n 40 "$log/out"
}

run_unit() {
    for program in "$B"/unit/test_*; do
        [ -x "$program" ] || continue
        case $program in *.d) continue ;; esac
        start=$SECONDS
        "$program" >"$log/out" 2>&1
        status=$?
        grep '^SKIP' "$log/out"
        add "unit/${program##*/test_}" $status "$(grep -c '^\[       OK' "$log/out")" \
            "$(grep -c '^\[  FAILED  \] [a-z]' "$log/out")" "$(grep -c '^\[  SKIPPED ' "$log/out")" \
            $((SECONDS - start))
    done
}

run_script() {
    start=$SECONDS
    "tests/$1/run.sh" >"$log/out" 2>&1
    status=$?
    grep '^SKIP' "$log/out"
    last=$(grep -E "^$1: [0-9]+ passed, [0-9]+ failed" "$log/out" | tail -n 1)
    count=${last#"$1": }
    good=${count%% *}
    bad=${count#*passed, }
    bad=${bad%% *}
    [ -n "$last" ] || { good=0; bad=1; }
    add "$1" $status "$good" "$bad" "$(grep -c '^SKIP' "$log/out")" $((SECONDS - start))
}

[ $# -gt 0 ] || set -- unit errors layers templates golden emitted embed reference onnx commands zoo standalone table images transfer pretrained import tools survive e2e
for suite; do
    if [ "$suite" = unit ]; then
        run_unit
    else
        run_script "$suite"
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
