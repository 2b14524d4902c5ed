# SqueezeNet 1.1 in half precision on 67 photographs of ImageNet: 38 right at first, 54 among the first
# five (an independent run counted 38 and 55).

photographs() {
    local model=$data/weights/onnx/squeezenet1.1_imagenet_fp16.onnx
    local photos=$data/images/imagenet-sample
    local net=$folder/squeezenet
    if [ ! -f "$model" ] || [ ! -d "$photos" ]; then
        echo "SKIP onnx: $model or $photos is not there"
        return
    fi
    "$netcc" import "$model" -o "$net" >/dev/null || { bad "squeezenet: import"; return; }
    cat >>"$net/spec.yaml" <<'END'
data:
  resize: 256
  antialias: true
  channel_order: bgr
  mean: [123, 117, 104]
END
    "$netcc" predict "$net/spec.yaml" --weights "$net/weights.safetensors" --backend tcc \
        --input "$photos" --output "$net/y.npy" 2>"$net/err" ||
        { bad "squeezenet: $(head -n 1 "$net/err")"; return; }
    local hits
    hits=$(od -An -v -w4000 -f -j 128 "$net/y.npy" | paste -d ' ' <(tail -n +2 "$photos/labels.csv" |
        cut -d, -f2) - | awk '{ above = 0; right = $($1 + 2)
            for (i = 2; i <= NF; i++) above += $i > right
            first += above == 0; five += above < 5 } END { print first, five }')
    if [ "$(cut -d' ' -f1 <<<"$hits")" -ge 38 ] && [ "$(cut -d' ' -f2 <<<"$hits")" -ge 54 ]; then
        good
    else
        bad "squeezenet: $hits of 67 right at first and among five"
    fi
}

photographs
