#!/bin/bash
# Real pretrained files reach the figures they are known for, by the specs of examples/pretrained. What
# needs data is skipped where they are missing.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
export NETCC_DATA=$data

figure() { # SPEC CONDITION-ON-ACCURACY [ARGUMENT...]
    local spec=$1 condition=$2
    shift 2
    if "$netcc" eval "$root/examples/pretrained/$spec.yaml" --json "$@" >out 2>err; then
        holds "$spec" "$(field out accuracy)" "$condition"
    else
        fail "$spec" "eval fails"
    fi
}
has() { # PATH...: is it all there?
    local path
    for path; do
        [ -e "$data/$path" ] || { echo "SKIP pretrained: no $path in $data"; return 1; }
    done
}
npy() { # TYPE SHAPE: a header of 128 bytes
    printf '\x93NUMPY\1\0\x76\0%-117s\n' "{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
}

# ---- MNIST ----------------------------------------------------------------------------------------

if has mnist weights/npz weights/safetensors weights/pytorch; then
    figure mnist_mlp_nnayz 'v == 0.9716'
    figure mnist_mlp_tinygrad 'v == 0.9088'
    figure mnist_cnn_mlx 'v >= 0.985'
    figure mnist_conv_burn 'v >= 0.990'
    figure mnist_conv_burn 'v >= 0.987' --set pretrained.convention=pytorch \
        --set pretrained.weights=weights/safetensors/mnist_conv_burn.safetensors
fi

# ---- CIFAR-10 -------------------------------------------------------------------------------------

# The first 500 pictures of the binary file, [n, 3, 32, 32] behind a label each, as [n, 32, 32, 3]
make_cifar() {
    gzip -dc "$data/cifar10/cifar10-train-first4000.bin.gz" 2>/dev/null | head -c $((500 * 3073)) |
        split -b 3073 -a 3 - record
    { npy '|u1' '500, 3, 32, 32'; for f in record*; do tail -c 3072 "$f"; done; } >planes.npy
    { npy '|u1' '500,'; for f in record*; do head -c 1 "$f"; done; } >cifar-y.npy
    printf 'input: [3, 32, 32]\nlayers:\n  - permute: [2, 3, 1]\n' >planes.yaml
    printf '\2\0\0\0\0\0\0\0{}' >none.safetensors
    "$netcc" predict planes.yaml --weights none.safetensors --input planes.npy --output cifar-x.npy
}

if has cifar10/cifar10-train-first4000.bin.gz weights/pytorch/cifar_resnet20-12fca82f.th; then
    make_cifar >out 2>err || fail "cifar's pictures" "predict fails"
    figure cifar_resnet20 'v == 1' --set "data.test={npy: [$folder/cifar-x.npy, $folder/cifar-y.npy]}"
fi

# ---- ImageNet -------------------------------------------------------------------------------------

# How many of the rows have their class, from 0, among the first five. Classes are in labels.csv.
top_five() {
    sed 1d "$data/images/imagenet-sample/labels.csv" | tr -d '\r' | cut -d, -f2 | paste -d' ' - out |
        awk '{ better = 0
               for (i = 2; i <= 1001; i++) better += $i + 0 > $($1 + 2) + 0
               right += better < 5 }
             END { print right }'
}

if has images/imagenet-sample weights/pytorch/mobilenetV1X0.25_imagenet.tar; then
    if [ -e "$NETCC_PLUGINS/jpeg.so" ]; then
        figure mobilenet_imagenet 'v * 67 > 34.5 && v * 67 < 35.5'
        "$netcc" predict "$root/examples/pretrained/mobilenet_imagenet.yaml" \
            --input "$data/images/imagenet-sample" 2>err | sed 's/^.*: //' >out
        holds "mobilenet_imagenet top five" "$(top_five)" 'v >= 50'
        "$netcc" predict "$root/examples/pretrained/mobilenet_imagenet.yaml" \
            --input "$data/images/natural/panda.jpg" >out 2>err
        holds "a panda" "$(tr ' ' '\n' <out | awk '$1 > most { most = $1; at = NR - 1 } END { print at }')" \
            'v == 388'
    else
        echo "SKIP pretrained/mobilenet_imagenet: netcc is built without libjpeg"
    fi
fi

# ---- a new head ----------------------------------------------------------------------------------

if has images/cats-dogs weights/pytorch/mobilenetV1X0.25_imagenet.tar; then
    if [ -e "$NETCC_PLUGINS/jpeg.so" ]; then
        "$netcc" train "$root/examples/cats-dogs/cats-dogs.yaml" --out cats --json \
            --set train.epochs=5 >out 2>err
        holds "cats and dogs" "$(field out val_accuracy)" 'v >= 0.85'
    else
        echo "SKIP pretrained/cats-dogs: netcc is built without libjpeg"
    fi
fi

# ---- without weights ------------------------------------------------------------------------------

"$netcc" eval "$root/examples/digits/digits.yaml" >out 2>err
if [ $? -eq 2 ] && grep -q -- '--weights is needed' err; then
    ok "eval without weights"
else
    fail "eval without weights" "exit code or message"
fi

finish
