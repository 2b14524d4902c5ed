#!/usr/bin/env bash
# Runs fuzz targets, SECONDS_EACH seconds each: `tests/fuzz/run.sh NAME...`. Called by `make fuzz`,
# which builds them. They begin with tests/fuzz/seeds and with what seeds.sh makes. What a target finds
# is left in $B/fuzz.
set -u
cd "$(dirname "$0")/../.." || exit 2
folder=${B:-build/fuzz}/fuzz
export NETCC_PLUGINS=$PWD/${B:-build/fuzz}
failed=0
for name; do
    mkdir -p "$folder/corpus_$name"
    rm -rf "$folder/made_$name"
    tests/fuzz/seeds.sh "$name" "$folder/made_$name" || { failed=$((failed + 1)); continue; }
    seeds=("$folder/made_$name")
    [ ! -d "tests/fuzz/seeds/$name" ] || seeds+=("tests/fuzz/seeds/$name")
    printf '%s\n' "fuzzing $name for ${SECONDS_EACH:-60} s"
    "$folder/$name" -max_total_time="${SECONDS_EACH:-60}" -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="$folder/$name-" "$folder/corpus_$name" "${seeds[@]}" >"$folder/$name.log" 2>&1 ||
        { failed=$((failed + 1)); tail -n 30 "$folder/$name.log"; }
    grep -E '^#[0-9]+.*DONE' "$folder/$name.log"
done
echo "fuzz: $(($# - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
