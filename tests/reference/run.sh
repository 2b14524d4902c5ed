#!/bin/bash
# Reference vectors: predict, grad and train of every case against what make.py had PyTorch compute,
# to 1e-5. `./run.sh FOLDER/CASE...` runs some only; `-v` before them prints every tensor's worst
# difference. NETCC names the program to test, BACKENDS the backends of all cases (default: tcc for
# all, cc as well for those in also_cc).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
root=$(cd ../.. && pwd) || exit 2
netcc=$(realpath -- "${NETCC:-$root/build/netcc}") || exit 2
tolerance=1e-5
also_cc=' activations/gelu conv_same/conv2d dag/merge ragged_many/dense rnn_sequences/two
          training_batch_norm/moving training_stateful/sgd '

verbose=
if [ "${1:-}" = -v ]; then
    verbose=1
    shift
fi
if [ ! -x "$netcc" ]; then
    echo "reference: $netcc is not there; run make" >&2
    exit 2
fi
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=$folder/cache
export NETCC_PLUGINS=${NETCC_PLUGINS:-$(dirname "$netcc")}
unset NETCC_DATA

runtime=$root/runtime
"${CC:-cc}" -std=c11 -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$runtime" compare.c \
    "$runtime/safetensors.c" "$runtime"/data/{array,file}.c -ljansson -lzip -lm \
    -o "$folder/compare" || exit 2

# Lines `--OPTION FILE` or `--OPTION NAME=FILE` for LETTER.npy or LETTER-NAME.npy of a folder
files() { # OPTION LETTER DIRECTORY
    local file name
    if [ -f "$3/$2.npy" ]; then
        printf '%s\n' "$1" "$3/$2.npy"
        return
    fi
    for file in "$3/$2"-*.npy; do
        name=${file##*/"$2"-}
        printf '%s\n' "$1" "${name%.npy}=$file"
    done
}

# Runs what the case has expectations for; what compare is to look at goes to $results.
commands() { # CASE BACKEND
    local directory=${1%/*} spec=$1.yaml inputs targets
    local shared=(--weights "$directory/weights.safetensors" --backend "$2")
    mapfile -t inputs < <(files --input x "$directory")
    mapfile -t targets < <(files --target y "$directory")
    results=("predict=$out/predict.npz" "grad=$out/grad.npz")
    "$netcc" predict "$spec" "${shared[@]}" "${inputs[@]}" --output "$out/predict.npz" &&
        "$netcc" grad "$spec" "${shared[@]}" "${inputs[@]}" "${targets[@]}" \
            --output "$out/grad.npz" || return 1
    grep -q '^data:' "$spec" || return 0
    results+=("train=$out/run/weights.safetensors")
    "$netcc" train "$spec" "${shared[@]}" --steps 10 --out "$out/run"
}

passed=0
failed=0
check() { # CASE BACKEND
    local name="reference/$1" results=() worst
    [ "$2" = tcc ] || name="$name, $2"
    out=$folder/out
    rm -rf "$out"
    mkdir "$out"
    if ! commands "$1" "$2" >"$out/said" 2>&1; then
        echo "FAIL $name (netcc failed)"
        sed 's/^/     /' "$out/said" | head -20
        failed=$((failed + 1))
        return
    fi
    if "$folder/compare" $tolerance "$1.safetensors" "${results[@]}" >"$out/compared" 2>&1; then
        worst=$(sed -n 's/^worst //p' "$out/compared")
        echo "ok   $name (worst $worst)"
        [ -z "$verbose" ] || sed 's/^/     /' "$out/compared"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        sed 's/^/     /' "$out/compared"
        failed=$((failed + 1))
    fi
}

cases=("$@")
if [ ${#cases[@]} -eq 0 ]; then
    cases=(*/*.yaml)
fi
for spec in "${cases[@]}"; do
    case=${spec%.yaml}
    if [ -n "${BACKENDS:-}" ]; then
        for backend in $BACKENDS; do
            check "$case" "$backend"
        done
        continue
    fi
    check "$case" tcc
    case " ${also_cc//$'\n'/ } " in
    *" $case "*) check "$case" cc ;;
    esac
done
echo "reference: $passed passed, $failed failed"
[ $failed -eq 0 ]
