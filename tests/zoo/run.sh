#!/bin/bash
# The networks of examples/zoo: as many parameters as Keras publishes for them, its layers' names, and
# a training step on two small pictures.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
zoo=$root/examples/zoo
export NETCC_DATA=$folder

field() { # FILE KEY: the first value of a key outside of `layers`
    sed 's/"layers":\[[^]]*\]//' "$1" | grep -o "\"$2\":[^,}]*" | head -n 1 | cut -d: -f2
}

# ---- sizes ----------------------------------------------------------------------------------------

# Summaries must not need the memory that the network would.
sizes() { # NETWORK PARAMETERS TRAINABLE
    (ulimit -v 400000 && "$netcc" summary "$zoo/$1.yaml" --json) >"$1.json" 2>err
    same "$1 parameters" "$(sed 's/\[n[^"]*"/"/g' "$1.json" >out; field out parameters)" "$2"
    same "$1 trainable" "$(field out trainable)" "$3"
}

sizes vgg16 138357544 138357544
sizes vgg19 143667240 143667240
sizes resnet50 25636712 25583592
sizes resnet101 44707176 44601832
sizes resnet152 60419944 60268520
sizes mobilenet 4253864 4231976
sizes mobilenet_v2 3538984 3504872
sizes squeezenet 1235496 1235496
sizes densenet121 8062504 7978856
sizes efficientnet_b0 5330570 5288548 # Keras: 5330571, with the counter of its normalization
sizes xception 22910480 22855952
sizes inception_v3 23851784 23817352
same "every network has its sizes" "$(ls ./*.json | wc -l)" "$(ls "$zoo"/*.yaml | wc -l)"

# ---- on a pretrained backbone ---------------------------------------------------------------------

# What trains are the head's 2048 * 1024 + 1024, 1024 * 512 + 512 and 512 * 2 + 2 numbers.
transferred() { # NAME PARAMETERS TRAINABLE
    (ulimit -v 400000 && "$netcc" summary "$root/examples/$1/$1.yaml" --json) >full 2>err
    sed 's/\[n[^"]*"/"/g' full >out
    same "$1 parameters" "$(field out parameters)" "$2"
    same "$1 trainable" "$(field out trainable)" "$3"
}
transferred resnet50-finetune 23591810 23538690
transferred resnet50-head 26211714 2624002
same "resnet50-head alone" "$(sed -n 's/.*"head":{[^}]*"multiply_adds":\([0-9]*\).*/\1/p' full)" 5770240
blocks() { # SPEC: from its blocks to its last stage
    sed -n '/^blocks:/,/conv5_block1/p' "$1"
}
for name in resnet50-head resnet50-finetune; do
    same "$name is the zoo's resnet50" "$(blocks "$root/examples/$name/$name.yaml")" \
        "$(blocks "$zoo/resnet50.yaml")"
done

# ---- networks to measure --------------------------------------------------------------------------

measures() { # NETWORK TRAINABLE MULTIPLY-ADDS, as counted in PyTorch
    "$netcc" summary "$root/bench/specs/$1.yaml" --json 2>err | sed 's/\[n[^"]*"/"/g' >out
    same "bench $1 trainable" "$(field out trainable)" "$2"
    same "bench $1 multiply-adds" "$(field out multiply_adds)" "$3"
}

measures mlp128 101770 101632
measures mlp128_64 109386 109184
measures mlp512 669706 668672
measures head 2628106 2626560
measures kcnn 1199882 11992448
measures vgg 2168362 26579968
measures resnet20 269722 40551040
measures resnet50 25557032 4089184256
measures mbv1 4231976 568740352
measures mbv2 3504872 300774272

# ---- names ----------------------------------------------------------------------------------------

names() { # NETWORK LAYER...: layers of Keras's network that have parameters
    local network=$1 name
    shift
    for name; do
        if grep -q "\"name\":\"$name\",\"shape\":\"[^\"]*\",\"parameters\":[1-9]" "$network.json"; then
            ok "$network has $name"
        else
            fail "$network has $name" "no such layer"
        fi
    done
}

names vgg16 block1_conv2 block5_conv3 fc2 predictions
names vgg19 block5_conv4
names resnet50 conv1_conv conv2_block1_0_bn conv3_block4_2_conv conv5_block3_3_bn predictions
names resnet101 conv4_block23_3_conv
names resnet152 conv3_block8_1_bn conv4_block36_3_conv
names mobilenet conv1_bn conv_dw_1 conv_dw_13_bn conv_pw_13_bn conv_preds
names mobilenet_v2 bn_Conv1 expanded_conv_project_BN block_1_expand block_16_depthwise_BN Conv_1
names squeezenet conv1 fire2_squeeze1x1 fire9_expand3x3 conv10
names densenet121 conv1_bn conv2_block1_0_bn conv5_block16_2_conv pool4_conv bn predictions
names efficientnet_b0 normalization block1a_se_reduce block2b_expand_conv block6d_project_bn top_conv
names xception block1_conv1 block2_sepconv1 block5_sepconv1_bn block12_sepconv3 block14_sepconv2_bn

# ---- a step ---------------------------------------------------------------------------------------

array() { # FILE SHAPE: a header of NumPy's for bytes
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' \
        "{'descr': '|u1', 'fortran_order': False, 'shape': ($2), }" >"$1"
}
array x.npy '2, 75, 75, 3'
yes 'a picture of a norwegian blue that is resting' | head -c $((2 * 75 * 75 * 3)) >>x.npy
array y.npy '2,'
printf '\x07\x63' >>y.npy

# A fresh network knows nothing: its loss is about log(1000), more with few cells to normalise over.
learns() { # NETWORK OPTION...
    local network=$1
    shift
    "$netcc" train "$zoo/$network.yaml" --backend tcc --json --steps 1 --out run \
        --set 'input=[75, 75, 3]' --set 'data={train: {npy: [x.npy, y.npy]}, scale: 1/255}' \
        --set 'train={loss: sparse_categorical_crossentropy, optimizer: sgd, batch_size: 2}' \
        "$@" >out 2>err
    local loss
    loss=$(field out loss)
    if awk -v loss="${loss:-0}" 'BEGIN { exit !(loss > 6 && loss < 14) }'; then
        ok "$network trains"
    else
        fail "$network trains" "loss '$loss'"
    fi
}

learns vgg16 --set layers.6.dense.units=64
learns resnet50
learns mobilenet
learns mobilenet_v2
learns squeezenet
learns densenet121
learns efficientnet_b0
learns xception
learns inception_v3

finish
