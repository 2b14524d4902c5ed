#!/usr/bin/env bash
# Seeds that are binary, made by what netcc has: `tests/fuzz/seeds.sh NAME FOLDER` fills the folder with
# those of one target and leaves it empty for a target whose seeds are in tests/fuzz/seeds alone. B
# names the build folder.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$PWD/${B:-build/fuzz}
mkdir -p "$2" || exit 2
into=$(cd "$2" && pwd) || exit 2
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_PLUGINS=$build

# compile SOURCE... -lLIBRARY...: into the folder of what is made on the way
compile() {
    cc -std=c11 -D_GNU_SOURCE -Itests/unit "$@" -o "$folder/make" || exit 1
}

image() {
    compile tests/fuzz/make_pictures.c tests/unit/pictures.c -lpng -ljpeg
    "$folder/make" "$into"
}

# The networks of tests/reference, those that are small and have an ONNX form.
onnx() {
    local spec name
    for spec in tests/reference/*/*.yaml; do
        name=${spec#tests/reference/}
        name=${name%.yaml}
        "$build/netcc" export "$spec" --weights "${spec%/*}/weights.safetensors" \
            -o "$into/${name/\//_}.onnx" 2>/dev/null
    done
    find "$into" -size +4k -delete
}

# A network as HDF5, in parts and in an archive.
keras() {
    local libraries
    read -r -a libraries <<<"$(pkg-config --cflags --libs hdf5)"
    compile tests/import/make.c "${libraries[@]}" -lzip
    cp tests/fuzz/seeds/keras/sequential.json "$folder/config.json"
    (
        cd "$folder" || exit 2
        echo '{"keras_version":"3.3.3"}' >metadata.json
        {
            printf 'h5 whole.h5\ntext / keras_version 2.4.0\ntext / backend tensorflow\n'
            printf 'text / model_config %s\n' "$(tr -d '\n' <config.json)"
            printf 'texts /model_weights layer_names dense\n'
            printf 'texts /model_weights/dense weight_names dense/kernel:0 dense/bias:0\n'
            printf 'array /model_weights/dense/dense/kernel:0 4 3\n'
            printf 'chunk /model_weights/dense/dense/bias:0 3\n'
            printf 'h5 vars.h5\nhalf /layers/dense/vars/0 4 3\narray /layers/dense/vars/1 3\n'
            printf 'zip model.keras\nmember metadata.json metadata.json\n'
            printf 'member config.json config.json\nmember model.weights.h5 vars.h5\n'
        } | ./make
        mv whole.h5 vars.h5 model.keras "$into"
    ) || exit 1
}

case $1 in
image | onnx | keras) "$1" ;;
esac
