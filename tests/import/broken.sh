#!/bin/bash
# Broken and hostile files of Keras's formats, made here: each is refused with the message it deserves,
# exit code 1, nothing on stdout and nothing written. Sourced by run.sh, which has ok and fail; $netcc is
# the program. Needs libhdf5 and libzip to make the files.

folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=$folder/cache HOME=$folder
cd "$folder" || exit 2
read -r -a hdf5 <<<"$(pkg-config --cflags --libs hdf5 2>/dev/null)"
if ! "${CC:-cc}" -std=c11 -D_GNU_SOURCE "$here/make.c" "${hdf5[@]}" -lzip -o make 2>make.log; then
    echo "SKIP import/broken files: no libhdf5 or libzip to make them with"
    return 0
fi

# ---- models -----------------------------------------------------------------------------------------

sequential() { # LAYER,LAYER...
    printf '{"class_name":"Sequential","config":{"name":"net","layers":[%s]}}' "$1"
}
dense() { # NAME UNITS [MORE]: the first layer of a model says what it reads
    printf '{"class_name":"Dense","config":{"name":"%s","units":%s,"activation":"relu"%s}}' "$1" "$2" \
        "${3:+,$3}"
}
layer() { # CLASS NAME [MORE]
    printf '{"class_name":"%s","config":{"name":"%s"%s}}' "$1" "$2" "${3:+,$3}"
}
reads4='"batch_input_shape":[null,4]'
image='"batch_input_shape":[null,6,6,2]'
one=$(sequential "$(dense d1 3 "$reads4")")
# A model of one dense layer: h5 CONFIG, then weights
begin() { # CONFIG
    printf 'h5 m.h5\ntext / keras_version 2.4.0\ntext / backend tensorflow\ntext / model_config %s\n' "$1"
}
group() { # NAME WEIGHT...
    local name=$1
    shift
    echo "texts /model_weights/$name weight_names $*"
}
weights1() {
    echo "texts /model_weights layer_names d1"
    group d1 d1/kernel:0 d1/bias:0
    echo "array /model_weights/d1/d1/kernel:0 4 3"
    echo "array /model_weights/d1/d1/bias:0 3"
}

# ---- checks -----------------------------------------------------------------------------------------

# refused NAME PATTERN FILE [OPTION...]
refused() {
    local name=$1 pattern=$2 file=$3
    shift 3
    rm -rf net
    timeout 20 "$netcc" import "$file" "$@" -o net >out 2>err
    local code=$?
    if [ $code -ne 1 ]; then
        fail "$name" "exit code $code: $(head -1 err)"
    elif ! grep -qE -- "$pattern" err; then
        fail "$name" "$(head -1 err)"
    elif [ -s out ] || [ -n "$(ls net 2>/dev/null)" ]; then
        fail "$name" "it left something"
    else
        ok "$name"
    fi
}
# made NAME PATTERN: the script makes m.h5, which is refused
made() {
    rm -f m.h5
    ./make <script || { fail "$1" "not made"; return; }
    refused "$1" "$2" m.h5
}
# model NAME PATTERN CONFIG: a model with weights of another
model() {
    { begin "$3"; echo "array /a 2"; } >script
    made "$1" "$2"
}
# taken NAME FILE [OPTION...]: good files pass
taken() {
    local name=$1
    shift
    rm -rf net
    if "$netcc" import "$@" -o net >out 2>err && [ -s net/spec.yaml ] && [ -s net/weights.safetensors ]; then
        ok "$name"
    else
        fail "$name" "$(head -1 err)"
    fi
}

# ---- good ones --------------------------------------------------------------------------------------

{ begin "$one"; weights1; } | ./make
taken "a small model" m.h5
cp m.h5 good.h5
sed 's/^array/chunk/' <(begin "$one"; weights1) | ./make
taken "packed weights" m.h5
sed 's/^array/half/' <(begin "$one"; weights1) | ./make
taken "half precision" m.h5
{
    begin "$(sequential "$(layer Normalization n "$reads4,\"axis\":[-1],\"mean\":null,\"variance\":null,\"invert\":false"),$(dense d1 3)")"
    weights1 | sed 's/layer_names d1/layer_names n d1/'
    group n n/mean:0 n/variance:0 n/count:0
    printf 'array /model_weights/n/n/%s\n' 'mean:0 4' 'variance:0 4' 'count:0'
} | ./make
taken "a normalization" m.h5
{
    begin "$(sequential "$(layer SpatialDropout2D s "$image,\"rate\":0.25,\"data_format\":\"channels_last\""),$(layer Flatten f),$(dense d1 3)")"
    weights1 | sed 's/kernel:0 4 3/kernel:0 72 3/'
} | ./make
taken "spatial dropout" m.h5
# It is dropout with one lot for each channel.
graphs() { # SPEC: without the lines that they come from
    "$netcc" dump "$1" --after build | sed -E 's/ [a-z]+\.yaml:[0-9]+$//'
}
printf 'train: {loss: mse}\n' >>net/spec.yaml
sed 's/spatial_dropout2d: {\(.*\)}/dropout: {\1, noise_shape: [1, 1, 2]}/' net/spec.yaml >net/twin.yaml
if grep -q noise_shape net/twin.yaml && graphs net/spec.yaml | grep -q uniform &&
    [ "$(graphs net/spec.yaml)" = "$(graphs net/twin.yaml)" ]; then
    ok "spatial dropout as dropout"
else
    fail "spatial dropout as dropout" "it is something else"
fi
printf '%s' "$one" >one.json
taken "architecture and weights" one.json --weights good.h5
printf 'h5 w.h5\narray /layers/dense/vars/0 4 3\narray /layers/dense/vars/1 3\nh5 x.h5\n' | ./make
printf '{"keras_version":"3.3.3"}' >metadata.json
printf 'zip m.keras\nmember metadata.json metadata.json\nmember config.json one.json\nmember model.weights.h5 w.h5\n' | ./make
taken "an archive" m.keras
taken "weights by number" one.json --weights w.h5

# A spec's own --weights: by layer and by number
printf 'name: a\ninput: [4]\nlayers:\n  - dense: {units: 3, name: d1}\n' >a.yaml
for file in good.h5 w.h5 m.keras; do
    if "$netcc" export a.yaml --weights $file -o $file.npz >out 2>err; then
        ok "--weights $file"
    else
        fail "--weights $file" "$(head -1 err)"
    fi
done
if cmp -s good.h5.npz w.h5.npz; then ok "the same weights"; else fail "the same weights" "they differ"; fi
printf 'name: a\ninput: [4]\nlayers:\n  - dense: 3\n  - dense: 3\n' >b.yaml
"$netcc" export b.yaml --weights w.h5 -o b.npz >out 2>err
if [ $? -eq 1 ] && [ ! -e b.npz ] && grep -q '2 missing, 0 unknown' err; then
    ok "--weights with a layer too few"
else
    fail "--weights with a layer too few" "$(head -1 err)"
fi

# ---- the container ----------------------------------------------------------------------------------

: >empty.h5
refused "an empty file" "empty" empty.h5
refused "no file" "cannot be opened" none.h5
refused "a folder" "not a regular file" .
printf 'hello' >text.h5
refused "some text" "no format" text.h5
printf '\211HDF\r\n\032\n' >magic.h5
refused "a magic number alone" "HDF5|damaged|truncated" magic.h5
size=$(stat -c %s good.h5)
for part in 20 100 $((size / 4)) $((size / 2)) $((size - 1)); do
    head -c "$part" good.h5 >cut.h5
    refused "the first $part bytes" "truncated|damaged|cannot|not an HDF5" cut.h5
done
{ begin "$one"; echo "deep 200"; } >script
made "groups 200 deep" "too deeply"
{ begin "$one"; echo "array /g/a 2"; echo "loop /g again"; } >script
made "a group in itself" "too deeply"
{ begin "$one"; weights1 | grep -v kernel:0\ 4; echo "hollow /model_weights/d1/d1/kernel:0 4 3"; } >script
made "an array of which nothing is stored" "more values than are stored"
{ begin "$one"; echo "hollow /a 100000 100000 1000"; } >script
made "an array of 40 TB" "more values than are stored"
{ begin "$one"; echo "outside /a /etc/passwd"; } >script
made "numbers in another file" "another file"
{ begin "$one"; weights1 | grep -v kernel:0\ 4; echo "link /model_weights/d1/d1/kernel:0 good.h5 /model_weights/d1/d1/kernel:0"; } >script
made "a link to another file" "missing"
{ begin "$one"; echo "array /a 1 1 1 1 1 1 1 1 1 1"; } >script
made "ten axes" "10 axes"

# ---- weights ----------------------------------------------------------------------------------------

{ begin "$one"; weights1; } | grep -v model_config >script
made "no architecture" "weights only"
{ begin "$one"; weights1 | grep -v "bias:0 3"; } >script
made "a weight that is listed and missing" "d1/bias:0 .* missing"
{ begin "$one"; weights1 | sed 's/kernel:0 4 3/kernel:0 5 3/'; } >script
made "another shape" "takes \[4, 3\], the file has \[5, 3\]"
{ begin "$one"; weights1 | sed 's/ d1.bias:0$//'; } >script
made "a tensor too few" "takes 2 tensors, the file has 1"
{ begin "$one"; weights1 | sed 's/layer_names d1/layer_names d2/; s#weights/d1#weights/d2#'; } >script
made "another layer's name" "takes 2 tensors, the file has 0"
{ begin "$(sequential "$(dense d1 3 "$reads4"),$(dense d2 2)")"; weights1; } >script
made "a layer without weights" "layer d2: dense takes 2"
{ begin "$one"; weights1 | sed 's/layer_names d1/layer_names d1 d2/'; group d2 d2/kernel:0; echo "array /model_weights/d2/d2/kernel:0 3"; } >script
made "weights without a layer" "d2/kernel:0 belongs to no layer"
{ begin "$one"; weights1 | sed 's/^texts .model_weights layer_names.*/number \/model_weights layer_names/'; } >script
made "layer_names that is a number" "takes 2 tensors"
refused "an architecture alone" "--weights says where" one.json
refused "weights that are no weights" "" one.json --weights one.json
refused "weights for a whole model" "has weights itself" good.h5 --weights good.h5

# ---- the architecture -------------------------------------------------------------------------------

{ begin '{"class_name": "Sequential", '; weights1; } >script
made "JSON that ends early" "model_config: bad JSON"
model "JSON with a key twice" "bad JSON: duplicate" '{"class_name":"Sequential","class_name":"Model"}'
model "JSON that is a list" "no class_name" '[]'
model "JSON nested 5000 deep" "bad JSON|no class_name" "$(printf '[%.0s' $(seq 5000))"
model "no class" "no class_name" '{"config":{}}'
model "a class of one's own" "class MyModel" '{"class_name":"MyModel","config":{}}'
model "no layers" "no layers" "$(sequential '')"
model "a layer without a class" "no class_name and config" "$(sequential "{\"config\":{\"name\":\"a\",$reads4}}")"
model "a layer without a name" "no name" "$(sequential "{\"class_name\":\"Dense\",\"config\":{$reads4}}")"
model "no shape of the input" "no shape" "$(sequential "$(dense d1 3)")"
model "an open size" "leaves a size open" "$(sequential "$(layer Flatten f '"batch_input_shape":[null,null,4]')")"
model "a negative size" "leaves a size open" "$(sequential "$(layer Flatten f '"batch_input_shape":[null,-4]')")"
model "a class that netcc lacks" "layer x: netcc has no layer of the class ConvLSTM2D" "$(sequential "$(layer ConvLSTM2D x "$image")")"
model "a Lambda" "layer x: is a Lambda" "$(sequential "$(layer Lambda x "$image")")"
model "an attribute's value that netcc lacks" "layer c: padding: \"causal\"" "$(sequential "$(layer Conv2D c "$image,\"filters\":2,\"kernel_size\":[1,1],\"padding\":\"causal\"")")"
model "an attribute that netcc lacks" "layer d: virtual: netcc's dense has no virtual" "$(sequential "$(dense d 3 "$reads4,\"virtual\":5")")"
model "an unknown activation" "layer a: activation: netcc has no activation snake" "$(sequential "$(layer Activation a "$reads4,\"activation\":\"snake\"")")"
model "Keras 2's hard_sigmoid" "hard_sigmoid of Keras 2" "$(sequential "$(layer Activation a "$reads4,\"activation\":\"hard_sigmoid\"")")"
model "a text for a number" "layer d: units: \"many\"" "$(sequential "$(dense d '"many"' "$reads4")")"
model "half precision for computing" "layer d: dtype" "$(sequential "$(dense d 3 "$reads4,\"dtype\":\"float16\"")")"
model "channels first and last" "some layers have channels first" \
    "$(sequential "$(layer MaxPooling2D a "$image,\"data_format\":\"channels_first\""),$(layer MaxPooling2D b '"data_format":"channels_last"')")"
model "sizes that do not fit" "does not fit" "$(sequential "$(layer MaxPooling2D a "$image,\"pool_size\":[7,7]")")"
deep=$(dense d 3 "$reads4")
for _ in $(seq 20); do deep="{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[$deep]}}"; done
model "models nested 20 deep" "no shape|nested more than 16" "$(sequential "$deep")"

functional() { # LAYERS OUTPUT
    printf '{"class_name":"Functional","config":{"name":"net","layers":[%s,%s],"input_layers":[["i",0,0]],"output_layers":[["%s",0,0]]}}' \
        "{\"class_name\":\"InputLayer\",\"name\":\"i\",\"config\":{$reads4,\"name\":\"i\"},\"inbound_nodes\":[]}" "$1" "$2"
}
call() { # NAME FROM...: a dense layer
    local name=$1 nodes='' from
    shift
    for from; do nodes="$nodes${nodes:+,}[[\"$from\",0,0,{}]]"; done
    printf '{"class_name":"Dense","name":"%s","config":{"name":"%s","units":4},"inbound_nodes":[%s]}' "$name" "$name" "$nodes"
}
model "a reference to no layer" "refers to a layer z" "$(functional "$(call a z)" a)"
model "a cycle" "reads itself" "$(functional "$(call a b),$(call b a)" a)"
model "an output that is no layer" "refers to a layer z" "$(functional "$(call a i)" z)"
model "a call that is not there" "no call number" "$(functional "$(call a)" a)"
model "a reference that is none" "is none" "$(functional "$(call a i | sed 's/\[\[\["i",0,0,{}\]\]\]/[[["i",0]]]/')" a)"
{ begin "$(functional "$(call d1 i i)" d1)"; weights1 | sed 's/kernel:0 4 3/kernel:0 4 4/; s/bias:0 3/bias:0 4/'; } >script
made "a layer called twice" "layer d1: it is called more than once|nothing reads|is not read"

# ---- archives ---------------------------------------------------------------------------------------

archive() { # NAME PATTERN: the script makes a.keras
    rm -f a.keras
    ./make <script || { fail "$1" "not made"; return; }
    refused "$1" "$2" a.keras
}
members='member config.json one.json
member model.weights.h5 w.h5'
printf 'zip a.keras\nmember metadata.json metadata.json\nmember model.weights.h5 w.h5\n' >script
archive "an archive without config.json" "no member named config.json"
printf 'zip a.keras\nmember metadata.json metadata.json\nmember config.json one.json\n' >script
archive "an archive without weights" "no member named model.weights.h5"
printf 'zip a.keras\nmember metadata.json text.h5\n%s\n' "$members" >script
archive "metadata that are no JSON" "metadata.json: bad JSON"
printf 'zip a.keras\nmember metadata.json metadata.json\nmember config.json one.json\nmember model.weights.h5 text.h5\n' >script
archive "weights that are no HDF5" "HDF5"
printf 'zip a.keras\nmember metadata.json metadata.json\nzeros config.json 300000000\nmember model.weights.h5 w.h5\n' >script
archive "an architecture of 300 MB of zeros" "config.json"
head -c $(($(stat -c %s m.keras) / 2)) m.keras >a.keras
refused "half an archive" "zip" a.keras
sed 's/d1/D1/' m.keras >a.keras
printf 'zip s.keras\nmember metadata.json metadata.json\n%s\n' "$members" | ./make
at=$(grep -abo HDF s.keras | head -1 | cut -d: -f1)
if [ -n "$at" ]; then
    { head -c $((at + 9)) s.keras; printf '\377'; tail -c +$((at + 11)) s.keras; } >a.keras
    refused "a wrong CRC" "CRC" a.keras
fi

# ---- any byte ---------------------------------------------------------------------------------------

# Whatever one byte does, it ends in a network or a message.
bad=0
cp good.h5 byte.h5
for i in $(seq 0 37 $((size - 1))); do
    { head -c "$i" good.h5; printf '\377'; tail -c +$((i + 2)) good.h5; } >byte.h5
    timeout 20 "$netcc" import byte.h5 -o net >out 2>err
    code=$?
    [ $code -le 1 ] || { bad=$((bad + 1)); echo "byte $i: exit code $code"; }
done
[ $bad -eq 0 ] && ok "every 37th byte as 255" || fail "every 37th byte as 255" "$bad crash"
