#!/bin/bash
# Imports each network of files.txt and measures it: a line `FILE<TAB>WANTED<TAB>GOT` each, where GOT is
# an accuracy in percent, how many are right at first and among five, `outputs` (it ran, and all that came out is finite), `missing` (no such file
# here), or the first line of a message. NETCC names the program, NETCC_DATA the data.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
root=$(cd "$here/../.." && pwd) || exit 2
netcc=$(realpath -- "${NETCC:-$root/build/netcc}") || exit 2
data=$(realpath -m -- "${NETCC_DATA:-$root/../shared/data}")
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=$folder/cache HOME=$folder
export NETCC_PLUGINS=${NETCC_PLUGINS:-$(dirname "$netcc")}
cd "$folder" || exit 2
"${CC:-cc}" -std=c11 -O1 "$here/samples.c" -lz -o samples || exit 2

# make_set NAME COUNT: NAME-x.npy and NAME-y.npy
make_set() {
    local from=$data/mnist form=idx
    [ ! -e "$1-x.npy" ] || return 0
    case $1 in
    mnist | mnist-flat | fashion)
        [ "$1" != fashion ] || from=$data/fashion-mnist
        [ "$1" != mnist-flat ] || form=flat
        ./samples $form "$from/t10k-images-idx3-ubyte.gz" "$2" "$1-x.npy" &&
            ./samples idx "$from/t10k-labels-idx1-ubyte.gz" "$2" "$1-y.npy"
        ;;
    cifar) ./samples cifar "$data/cifar10/cifar10-train-first4000.bin.gz" "$2" cifar-x.npy cifar-y.npy ;;
    cats-dogs) make_pictures "$2" ;;
    esac
}

# The first pictures of each class, by name
make_pictures() { # COUNT
    local class
    for class in cat dog; do
        mkdir -p "pictures/$class"
        find "$data/images/cats-dogs/$class" -name '*.jpg' | sort | head -n "$1" |
            xargs -I{} ln -sf {} "pictures/$class/"
    done
}

# data_section NAME SCALE: what follows the layers of an imported spec
data_section() {
    if [ "$1" = cats-dogs ]; then
        cat <<END
train:
  loss: binary_crossentropy
  metrics: [categorical_accuracy]
data:
  test: {images: $folder/pictures}
  one_hot: true
  antialias: true
END
        return
    fi
    cat <<END
train:
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  batch_size: 100
data:
  test: {npy: [$folder/$1-x.npy, $folder/$1-y.npy]}
  scale: $2
END
}

# run_on_photographs: how many have the right class first, and among the first five. Pictures as the
# Caffe networks got them; `mean` is of the channels as they then lie.
run_on_photographs() {
    local photos=$data/images/imagenet-sample
    sed '/^train:/,$d' net/spec.yaml >net/predict.yaml
    cat >>net/predict.yaml <<END
data:
  resize: 256
  antialias: true
  channel_order: bgr
  mean: [104, 117, 123]
END
    "$netcc" predict net/predict.yaml --weights net/weights.safetensors --backend tcc \
        --input "$photos" --output y.npy >out 2>err || { head -1 err; return; }
    od -An -v -w4000 -f -j 128 y.npy | paste -d ' ' <(tail -n +2 "$photos/labels.csv" |
        cut -d, -f2) - | awk '{ above = 0; right = $($1 + 2)
            for (i = 2; i <= NF; i++) above += $i > right
            first += above == 0; five += above < 5 } END { print first, "and", five, "of", NR }'
}

# run_on_noise COUNT: `outputs` where all results are finite
run_on_noise() {
    ./samples noise "$(sed -n 's/^input: \[\(.*\)\]$/\1/p' net/spec.yaml)" "$1" noise.npy || return
    "$netcc" predict net/spec.yaml --weights net/weights.safetensors --backend tcc \
        --input noise.npy >out 2>err || { head -1 err; return; }
    grep -q '[0-9]' out || { echo "no results"; return; }
    if grep -qi 'nan\|inf' out; then echo "not finite"; else echo outputs; fi
}

# measure FILE OPTIONS SET SCALE: GOT
measure() {
    local file=$data/weights/$1 options set count
    read -r -a options <<<"${2//+/$data/weights/}"
    read -r set count <<<"$3"
    [ -e "$file" ] || { echo missing; return; }
    rm -rf net
    if ! "$netcc" import "$file" "${options[@]}" -o net >out 2>err; then
        head -1 err | sed "s#^netcc: error: $data/weights/[^:]*: ##"
        return
    fi
    case $set in
    noise) run_on_noise "$count"; return ;;
    photographs) run_on_photographs; return ;;
    esac
    make_set "$set" "$count" || { echo "no samples"; return; }
    sed '/^train:/,$d' net/spec.yaml >net/eval.yaml
    data_section "$set" "$4" >>net/eval.yaml
    "$netcc" eval net/eval.yaml --weights net/weights.safetensors --backend tcc --json >out 2>err ||
        { head -1 err; return; }
    grep -oE '"(categorical_)?accuracy":[0-9.e-]*' out | cut -d: -f2 | awk '{ printf "%.1f\n", 100 * $1 }'
}

trimmed() {
    sed 's/^ *//; s/ *$//' <<<"$1"
}

while IFS='|' read -r file options set scale wanted; do
    file=$(trimmed "$file")
    case $file in '' | '#'*) continue ;; esac
    got=$(measure "$file" "$(trimmed "$options")" "$(trimmed "$set")" "$(trimmed "$scale")")
    printf '%s\t%s\t%s\n' "$file" "$(trimmed "$wanted")" "$got"
done <"${1:-$here/files.txt}"
