#!/usr/bin/env bash
# Runs test suites side by side and adds them up: `tests/run.sh [unit] [errors] ...`, all of them by
# default. JOBS says how many at a time, by default one for each core. Each has its line when it ends;
# the last line reads `N passed, N failed, N skipped`. B names the build folder.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
export NETCC=$PWD/$B/netcc NETCC_PLUGINS=$PWD/$B B JOBS=${JOBS:-$(nproc)}
log=$(mktemp -d) || exit 2
trap 'stop_all; rm -rf "$log"' EXIT
trap 'exit 130' INT TERM
NETCC_CACHE=${NETCC_CACHE:-$log/cache}
export NETCC_CACHE
mkdir "$log/unit"
passed=0
failed=0
skipped=0
declare -A running=() started=() # the suite and its start, by process

all=(unit errors layers templates golden emitted embed reference onnx commands zoo standalone table
     images transfer pretrained import tools survive e2e)
# Those of more than ten seconds begin, lest one core works on alone in the end.
longest=(embed emitted templates survive commands standalone unit/tiers unit/size unit/train tools zoo e2e)

# sorted SUITE...: every unit program as a suite of its own, the longest suites first
sorted() {
    local suite program
    for suite; do
        [ "$suite" = unit ] || { echo "$suite"; continue; }
        for program in "$B"/unit/test_*; do
            [[ $program = *.d || ! -x $program ]] || echo "unit/${program##*/test_}"
        done
    done >"$log/asked"
    { printf '%s\n' "${longest[@]}" | grep -xF -f "$log/asked"; cat "$log/asked"; } | awk '!seen[$0]++'
}

start() { # SUITE
    local program=tests/$1/run.sh
    [[ $1 != unit/* ]] || program=$B/unit/test_${1#unit/}
    set -m # in a group of its own, for stop_all
    "$program" >"$log/$1" 2>&1 </dev/null &
    set +m
    running[$!]=$1
    started[$!]=$SECONDS
}

stop_all() {
    local process
    for process in "${!running[@]}"; do
        kill -- "-$process"
    done 2>/dev/null
}

# add SUITE STATUS PASSED FAILED SKIPPED SECONDS: a suite that dies without counting has failed once.
add() {
    local lost=$4
    [ "$2" -ne 0 ] && [ "$lost" -eq 0 ] && lost=1
    passed=$((passed + $3))
    failed=$((failed + lost))
    skipped=$((skipped + $5))
    grep '^SKIP' "$log/$1"
    printf '%-24s %4d passed %4d failed %4d skipped  %4ds\n' "$1" "$3" "$lost" "$5" "$6"
    [ "$lost" -eq 0 ] || tail -n 40 "$log/$1"
}

add_unit() { # SUITE STATUS SECONDS
    local out=$log/$1
    add "$1" "$2" "$(grep -c '^\[       OK' "$out")" "$(grep -c '^\[  FAILED  \] [a-z]' "$out")" \
        "$(grep -c '^\[  SKIPPED ' "$out")" "$3"
}

add_script() { # SUITE STATUS SECONDS
    local good=0 bad=1 last
    last=$(grep -E "^$1: [0-9]+ passed, [0-9]+ failed" "$log/$1" | tail -n 1)
    [ -z "$last" ] || read -r _ good _ bad _ <<<"$last"
    add "$1" "$2" "$good" "$bad" "$(grep -c '^SKIP' "$log/$1")" "$3"
}

finish_one() {
    local process status suite kind=script
    wait -n -p process
    status=$?
    suite=${running[$process]}
    [[ $suite != unit/* ]] || kind=unit
    unset "running[$process]"
    add_$kind "$suite" $status $((SECONDS - started[$process]))
}

[ $# -gt 0 ] || set -- "${all[@]}"
for suite in $(sorted "$@"); do
    [ ${#running[@]} -lt "$JOBS" ] || finish_one
    start "$suite"
done
while [ ${#running[@]} -gt 0 ]; do
    finish_one
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
