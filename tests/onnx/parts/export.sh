# Specs of tests/reference with their weights: exported, imported again, and (where node finds
# onnxruntime-node in NODE_PATH or build/node_modules, where `make test-deps` puts it) run by ONNX
# Runtime. All must give what netcc gives, to 1e-5.

netcc=${NETCC:-$build/netcc}

# Two lists of numbers, whatever their line breaks
same_numbers() { # FILE FILE
    paste <(tr -s ' \n' '\n\n' <"$1") <(tr -s ' \n' '\n\n' <"$2") | awk '
        NF == 0 { next }
        NF != 2 { exit 1 }
        { d = $1 - $2; d = d < 0 ? -d : d; s = $2 < 0 ? -$2 : $2
          if (!(d <= 1e-5 * (s > 1 ? s : 1))) exit 1; n++ }
        END { if (!n) exit 1 }'
}

runtime=
if command -v node >/dev/null; then
    export NODE_PATH=${NODE_PATH:+$NODE_PATH:}$PWD/build/node_modules
    node -e "require('onnxruntime-node')" 2>/dev/null && runtime=1
fi
[ -n "$runtime" ] || echo "SKIP onnx: no onnxruntime-node (make test-deps installs it)"

# The scan of a recurrent layer has no ONNX form.
exports() { # SPEC
    local spec=$1 home=${1%/*} out=$folder/export name=${1#tests/reference/}
    name=${name%.yaml}
    local inputs=() data=() file word
    rm -rf "$out"
    mkdir "$out"
    for file in "$home"/x.npy "$home"/x-*.npy; do
        [ -f "$file" ] || continue
        word=${file##*/x}
        word=${word#-}
        word=${word%.npy}
        data+=("${word:-input}=$file")
        inputs+=(--input "${word:-input}=$file")
    done
    "$netcc" predict "$spec" --weights "$home/weights.safetensors" --backend tcc "${inputs[@]}" \
        >"$out/ours" 2>"$out/err" || { bad "export $name: predict"; cat "$out/err"; return; }
    if ! "$netcc" export "$spec" --weights "$home/weights.safetensors" -o "$out/x.onnx" \
        2>"$out/err"; then
        if grep -q simple_rnn "$spec" && grep -q 'has no ONNX form' "$out/err"; then
            [ ! -e "$out/x.onnx" ] && good || bad "export $name: refused, but wrote a file"
        else
            bad "export $name: $(head -n 1 "$out/err")"
        fi
        return
    fi
    if "$netcc" import "$out/x.onnx" -o "$out/again" >/dev/null 2>"$out/err" &&
        "$netcc" predict "$out/again/spec.yaml" --weights "$out/again/weights.safetensors" \
            --backend tcc "${inputs[@]}" >"$out/again/numbers" 2>"$out/err" &&
        same_numbers "$out/again/numbers" "$out/ours"; then
        good
    else
        bad "export $name: imported again it differs: $(head -n 1 "$out/err")"
    fi
    [ -n "$runtime" ] || return
    if node tests/onnx/run.js "$out/x.onnx" "${data[@]}" >"$out/theirs" 2>"$out/err" &&
        same_numbers "$out/theirs" "$out/ours"; then
        good
    else
        bad "export $name: ONNX Runtime differs: $(head -n 1 "$out/err")"
    fi
}

for spec in tests/reference/*/*.yaml; do
    exports "$spec"
done
