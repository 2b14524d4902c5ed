#!/bin/bash
# bench, build, export and summary as a user runs them, on the digits and on a small convolution, and
# most commands on a stateful network: exit codes, the fields of their JSON, what an executable needs and
# that it computes what netcc does, and that summary says what the header of `netcc emit` says.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
digits=$root/examples/digits/digits.yaml
conv=$here/conv.yaml
mixed=$here/mixed.yaml

says() { # NAME PATTERN: on stderr, and stdout is empty
    check "$1" grep -qE "$2" err
    check "$1, stdout empty" test ! -s out
}
# Numbers, texts and objects by key: "key": in the one line of `out`
has_fields() { # NAME KEY...
    local name=$1 key
    shift
    check "$name is one line" test "$(wc -l <out)" -eq 1
    for key; do
        check "$name has $key" grep -q "\"$key\":" out
    done
}
number() { # FILE KEY: the first number under that key
    grep -oE "\"$2\":[-0-9.e+]+" "$1" | head -1 | cut -d: -f2
}
above() { # A B
    awk -v a="${1:-0}" -v b="$2" 'BEGIN { exit !(a > b) }'
}

# npy FILE DESCR SHAPE WORD-BYTES COUNT MODULUS SEED: pseudo-random whole numbers below MODULUS,
# little-endian
npy() {
    awk -v descr="$2" -v shape="$3" -v width="$4" -v count="$5" -v modulus="$6" -v x="$7" 'BEGIN {
        h = sprintf("{\x27descr\x27: \x27%s\x27, \x27fortran_order\x27: False, \x27shape\x27: (%s), }",
                    descr, shape)
        while ((length(h) + 11) % 64) h = h " "
        printf "\\x93NUMPY\\x01\\x00\\x%02x\\x%02x", (length(h) + 1) % 256, int((length(h) + 1) / 256)
        for (i = 1; i <= length(h); i++) printf "%s", substr(h, i, 1)
        printf "\\n"
        for (i = 0; i < count; i++) {
            x = (x * 1103 + 12345) % 65536
            printf "\\x%02x", int(x / 7) % modulus
            for (k = 1; k < width; k++) printf "\\x00"
        }
    }' >text || exit 2
    printf '%b' "$(cat text)" >"$1"
}
npy digits.npy '|u1' '70, 28, 28, 1' 1 $((70 * 784)) 256 1
npy conv.npy '|u1' '21, 8, 8, 1' 1 $((21 * 64)) 256 2
npy labels.npy '<i4' '21,' 4 21 2 3
npy mixed.npy '|u1' '21, 6, 4, 1' 1 $((21 * 24)) 4 6
npy wrong.npy '|u1' '5, 8, 7, 1' 1 280 256 4
npy bad.npy '<i4' '21,' 4 21 5 5

# ---- weights --------------------------------------------------------------------------------------

exits "digits train" 0 "$netcc" train "$digits" --set train.epochs=1 --out digits --backend tcc --json
exits "conv, no weights yet" 0 quick build "$conv" -o first --json
has_fields "build's event" event executable
exits "the executable trains" 0 ./first train --x conv.npy --y labels.npy --out conv --json
check "it says so" grep -q '"event":"done","weights":"conv/weights.safetensors"' out
check "epochs are the spec's" test "$(grep -c '"event":"epoch"' out)" -eq 2

# ---- summary --------------------------------------------------------------------------------------

macro() { # HEADER NAME
    sed -nE "s/^#define $2 +([0-9]+).*/\1/p" "$1"
}
object() { # KEY: the object under that key of `out`
    grep -oE "\"$1\":\{[^}]*\}" out
}
for spec in "$digits" "$conv"; do
    name=$(sed -n 's/^name: //p' "$spec")
    upper=$(echo "$name" | tr a-z A-Z)
    exits "$name emit" 0 "$netcc" emit "$spec" -o infer
    exits "$name emit --train" 0 "$netcc" emit "$spec" --train -o learn
    exits "$name summary" 0 "$netcc" summary "$spec" --json
    has_fields "$name summary" event name layers parameters trainable multiply_adds inference training
    object inference >inference
    object training >training
    for pair in "flash_bytes PARAM_BYTES" "ram_bytes ARENA_BYTES"; do
        set -- $pair
        check "$name inference $1" test "$(number inference "$1")" = \
            "$(macro "infer/$name.h" "${upper}_$2")"
    done
    for pair in "param_bytes PARAM_BYTES" "state_bytes STATE_BYTES" \
        "arena_bytes TRAIN_ARENA_BYTES" "batch BATCH"; do
        set -- $pair
        check "$name training $1" test "$(number training "$1")" = \
            "$(macro "learn/$name.h" "${upper}_$2")"
    done
done
adds=$((8 * 8 * 9 * 4 + 3 * 3 * 9 * 4 * 3 + 27 * 2))
check "multiply-adds are the products'" grep -q "\"multiply_adds\":$adds,\"inference\"" out
exits "summary as a table" 0 "$netcc" summary "$conv"
check "a row of it" grep -qE '^conv2d .*\[n, 8, 8, 4\] +40 +2304$' out
exits "summary of layers in bands of lines" 0 "$netcc" summary "$root/tests/golden/bands.yaml"
check "the first of them" grep -qE '^conv2d .* 19267584$' out
check "and the last" grep -qE '^conv2d_1 .* 7225344$' out

# ---- what is prepared from the weights --------------------------------------------------------------

cat >stencil.yaml <<'END_OF_SPEC'
name: stencil
input: [12, 12, 16]
layers: [conv2d: {filters: 16, kernel_size: 3}]
END_OF_SPEC
exits "dump --after prepare" 0 "$netcc" dump stencil.yaml --after prepare
check "prepare computes the kernel" grep -qE '^prepare: 1 kernels' out
check "predict reads it" test "$(grep -c ' prepared\[0\]#[0-9]*' out)" -eq 2
exits "summary of it" 0 "$netcc" summary stencil.yaml --json
prepared=$(number out prepared_bytes)
check "what is prepared" test "$prepared" -ge $((16 * 16 * 16 * 4))
exits "summary of it as a table" 0 "$netcc" summary stencil.yaml
check "what is prepared, as a line" grep -qE '^prepared +[0-9.]+ KB of RAM .* made once' out
exits "bench of it" 0 "$netcc" bench stencil.yaml --predict --backend tcc --seconds 1 --json
check "bench: its size" test "$(number out prepared_bytes)" = "$prepared"
check "bench: its time" above "$(number out prepare_ms)" 0
check "bench: not in the call" sh -c '! grep -q winograd_kernel out'
exits "bench of it as a table" 0 "$netcc" bench stencil.yaml --predict --backend tcc --seconds 1
check "bench: a line" grep -qE '^prepared once: [0-9.e-]+ ms, [0-9.]+ MB$' out
for numerics in auto strict fast; do
    exits "emit $numerics" 0 "$netcc" emit stencil.yaml --set numerics=$numerics -o $numerics
done
check "auto emits what strict does" cmp auto/stencil.c strict/stencil.c
check "products keep nothing" sh -c '! grep -q "[^a-z]prepared" fast/stencil.c'
check "fast is Winograd's" grep -q 'conv2d_winograd' fast/stencil.c
check "the others are not" sh -c '! grep -q conv2d_winograd auto/stencil.c'

# ---- bench ----------------------------------------------------------------------------------------

benched() { # NAME MODE BATCH
    has_fields "$1" event mode batch threads samples_per_second latency_ms gflops peak_share \
        peak_gflops bytes gbs bandwidth_gbs kernels
    check "$1 mode" grep -q "\"event\":\"bench\".*\"mode\":\"$2\",\"batch\":$3,\"threads\":1," out
    check "$1 speed" above "$(number out samples_per_second)" 100
    check "$1 peak" above "$(number out peak_gflops)" 1
    check "$1 share of the peak" above 1.2 "$(number out peak_share)"
}
exits "bench --train" 0 "$netcc" bench "$digits" --train --threads 1 --backend cc --seconds 1 --json
benched "bench --train" train 64
check "its kernels" grep -q '"name":"dense matmul","template":"tile","calls":1,"ms":' out
share=$(grep -oE '"share":[0-9.e-]+' out | cut -d: -f2 | awk '{ sum += $1 } END { print sum }')
check "their shares add up ($share)" test "$(awk -v s="$share" 'BEGIN { print (s > 0.999 && s < 1.001) }')" = 1
bytes_of() { # KERNEL: in the JSON of bench
    tr '{' '\n' <out | sed -n "s/^\"name\":\"$1\",.*\"bytes\":\([0-9.e+]*\).*/\1/p"
}
same_bytes() { # NAME HAVE WANT
    check "$1 ($2)" test "$2" = "$(($3))"
}
# Every operand is read once, every result written once; weights, m and v are both.
same_bytes "bytes of a product" "$(bytes_of 'dense matmul')" '4 * (64 * 784 + 784 * 128 + 128 + 3 * 64 * 128)'
same_bytes "bytes of a gradient with its update" "$(bytes_of 'dense panels_product')" \
    '4 * (64 * 25 * 32 + 64 * 128 + 3 * 2 * 784 * 128 + 1)'
check "bytes add up" test "$(bytes_of '[^"]*' | awk '{ sum += $1 } END { printf "%d", sum }')" = "$(number out bytes)"
exits "bench --predict --batch 3" 0 "$netcc" bench "$conv" --predict --batch 3 --threads 1 \
    --backend tcc --seconds 1 --json
benched "bench --predict" predict 3
exits "bench as a table" 0 "$netcc" bench "$conv" --threads 2 --backend tcc --seconds 1
check "the machine's limits and the bytes in all" grep -qE '^it moves [0-9.]+ MB a call, [0-9.]+ GB/s; this machine reads [0-9.]+ GB/s from L1, .* from DRAM$' out
check "a row a kernel" grep -qE '^conv2d_1 +conv2d|^conv2d_1 conv2d ' out
exits "bench of both" 1 "$netcc" bench "$conv" --train --predict
says "bench of both" 'not both'
exits "bench --batch 0" 2 "$netcc" bench "$conv" --batch 0

# ---- export ---------------------------------------------------------------------------------------

w=conv/weights.safetensors
exits "export npz" 0 "$netcc" export "$conv" --weights $w -o conv.npz --json
has_fields "export's event" event weights
exits "export safetensors" 0 "$netcc" export "$conv" --weights conv.npz -o again.safetensors
exits "predict from npz" 0 "$netcc" predict "$conv" --weights conv.npz --input conv.npy -o a.npy
exits "predict" 0 "$netcc" predict "$conv" --weights $w --input conv.npy -o b.npy
exits "predict from safetensors" 0 "$netcc" predict "$conv" --weights again.safetensors \
    --input conv.npy -o c.npy
check "export keeps the bits" cmp a.npy b.npy
check "both ways" cmp b.npy c.npy
for end in keras txt; do
    exits "export .$end" 1 "$netcc" export "$conv" --weights $w -o "x.$end"
    says "export .$end" \
        "x.$end: weights go into .h5, .safetensors or .npz, the whole network into .onnx"
done
exits "export .weights.h5" 1 "$netcc" export "$conv" --weights $w -o x.weights.h5
says "export .weights.h5" 'x.weights.h5: Keras takes what ends in .weights.h5 for another layout'
mkdir alone
cp "$netcc" alone/netcc
exits "export .h5 without its plugin" 1 env NETCC_PLUGINS=/nowhere alone/netcc export "$conv" \
    --weights $w -o x.h5
says "export .h5 without its plugin" 'x.h5: HDF5 files need libhdf5 and the plugin h5.so: not found'
if [ -e "$NETCC_PLUGINS/h5.so" ]; then
    exits "train a mixed network" 0 env NETCC_DATA=. "$netcc" train "$mixed" --out mixed --backend tcc
    for spec in "$conv" "$mixed"; do
        name=$(sed -n 's/^name: //p' "$spec")
        from=$name/weights.safetensors
        [ "$spec" = "$mixed" ] || from=$w
        rm -f back.npz direct.npz
        exits "export $name.h5" 0 "$netcc" export "$spec" --weights "$from" -o "$name.h5" --json
        has_fields "$name.h5's event" event weights
        exits "export from $name.h5" 0 "$netcc" export "$spec" --weights "$name.h5" -o back.npz
        exits "export not by $name.h5" 0 "$netcc" export "$spec" --weights "$from" -o direct.npz
        check "$name.h5 keeps the bits" cmp back.npz direct.npz
    done
    while [ "$(date +%s)" -le "$(stat -c %Y mixed.h5)" ]; do sleep 0.05; done # a later second
    exits "export again" 0 "$netcc" export "$mixed" --weights mixed.h5 -o again.h5
    check "the same weights make the same .h5" cmp again.h5 mixed.h5
    exits "export to nowhere" 1 "$netcc" export "$conv" --weights $w -o nowhere/x.h5
    says "export to nowhere" 'nowhere/x.h5: cannot be written'
else
    echo "SKIP export .h5: netcc was built without libhdf5"
fi
exits "export of other weights" 1 "$netcc" export "$digits" --weights $w -o x.npz
exits "export without weights" 2 "$netcc" export "$conv" -o x.npz
check "refusals leave no file" test ! -e x.keras -a ! -e x.h5 -a ! -e x.txt -a ! -e x.npz

# ---- build ----------------------------------------------------------------------------------------

exits "build the digits without weights" 0 "$netcc" build "$digits" -o mnist
exits "build the convolution" 0 "$netcc" build "$conv" --weights $w -o tiny
ldd tiny mnist >needs 2>err
check "needs libc" grep -q 'libc\.' needs
check "needs no more than libc, libm, libpthread, zlib" test -z \
    "$(grep '=>' needs | grep -vE 'lib(c|m|z|pthread|dl)\.so|linux-vdso')"
for pair in "mnist $digits digits/weights.safetensors digits.npy --weights digits/weights.safetensors" \
    "tiny $conv $w conv.npy"; do
    # shellcheck disable=SC2086
    set -- $pair
    own=("./$1" predict --input "$4" ${5:+"$5" "$6"})
    exits "$1 netcc's answer" 0 "$netcc" predict "$2" --weights "$3" --input "$4" -o netcc.npy
    exits "$1 predict" 0 "${own[@]}" --output own.npy
    check "$1 has the same bits" cmp netcc.npy own.npy
    exits "$1 on one thread" 0 "${own[@]}" --output own.npy --threads 1
    check "$1 has the same bits on one thread" cmp netcc.npy own.npy
    exits "$1 netcc's rows" 0 "$netcc" predict "$2" --weights "$3" --input "$4"
    mv out rows
    exits "$1 rows" 0 "${own[@]}"
    check "$1 prints the same rows" cmp rows out
    exits "$1 info" 0 "./$1" info --json
    has_fields "$1 info" event name isa batch parameters weights inputs outputs
done
if grep -qw avx2 /proc/cpuinfo; then
    NETCC_ISA=avx2 exits "with AVX2" 0 ./tiny predict --input conv.npy --output own.npy
    check "AVX2 has the same bits" cmp b.npy own.npy
fi
NETCC_ISA=sse2 exits "without FMA" 0 ./tiny info
check "NETCC_ISA picks the code" grep -q 'sse2' out
exits "moved elsewhere" 0 env -i "$folder/tiny" predict --input conv.npy
exits "eval" 0 ./tiny eval --x conv.npy --y labels.npy --json
has_fields "eval" event loss accuracy
exits "eval on its own digits" 0 ./mnist eval --weights digits/weights.safetensors --json
exits "train on its own digits" 0 ./mnist train --steps 3 --out digits2 --quiet
check "weights are there" test -s digits2/weights.safetensors
exits "bench" 0 ./mnist bench --threads 1 --json
has_fields "bench" event mode batch samples_per_second latency_ms gflops peak_share
exits "train from nothing" 0 ./mnist train --epochs 1 --out digits3 --quiet
check "as netcc trains" cmp digits/weights.safetensors digits3/weights.safetensors
exits "no weights inside" 1 ./mnist predict --input digits.npy
says "no weights inside" 'no weights are built in'
exits "another shape" 1 ./tiny predict --input wrong.npy
says "another shape" 'wrong.npy: a sample has shape \[8, 7, 1\].*\[8, 8, 1\]'
exits "labels out of range" 1 ./tiny eval --x conv.npy --y bad.npy
says "labels out of range" 'bad.npy: sample [0-9]+ has label'
exits "a file that is not there" 1 ./tiny predict --input none.npy
exits "an unknown command" 2 ./tiny fly
exits "an unknown option" 2 ./tiny predict --colour
exits "its help" 0 ./tiny --help
exits "build without a compiler" 1 env CC=/none "$netcc" build "$conv" -o none
says "build without a compiler" "'/none' cannot be run"
exits "build without -o" 2 "$netcc" build "$conv"
exits "build into no folder" 1 "$netcc" build "$conv" -o no/where
says "build into no folder" 'no/where: cannot be written: No such file or directory'
check "failed builds leave nothing" test ! -e none -a -z "$(ls "$TMPDIR")"

# ---- a stateful network ---------------------------------------------------------------------------

# 21 rows in batches of 8: an epoch is three steps, the last of 5 rows
reader=$here/stateful.yaml
npy reader.npy '|u1' '21, 4, 3' 1 $((21 * 12)) 3 5
export NETCC_DATA=$folder
exits "stateful train" 0 "$netcc" train "$reader" --out whole --backend tcc --quiet
exits "stateful train, five steps" 0 "$netcc" train "$reader" --out parts --steps 5 --backend cc --quiet
exits "stateful train goes on" 0 "$netcc" train "$reader" --out parts --resume --quiet
w=whole/weights.safetensors
check "within an epoch, bit for bit" cmp $w parts/weights.safetensors
check "the checkpoint remembers" grep -aq '"memory":' parts/checkpoint.safetensors
check "weights do not" test -z "$(grep -aoE '"(memory|simple_rnn/h)"' $w)"
exits "stateful train, stateless" 0 "$netcc" train "$reader" --set layers.0.simple_rnn.stateful=false \
    --out other --quiet
check "which is another training" test "$(cmp $w other/weights.safetensors | wc -l)" -eq 1
exits "stateful build" 0 "$netcc" build "$reader" --weights $w -o reader
exits "stateful executable trains" 0 ./reader train --x reader.npy --y labels.npy --out own --quiet \
    --weights $w
exits "as netcc does" 0 "$netcc" train "$reader" --weights $w --out again --quiet
exits "stateful netcc's answer" 0 "$netcc" predict "$reader" --weights again/weights.safetensors \
    --input reader.npy
mv out rows
exits "stateful executable's answer" 0 ./reader predict --weights own/weights.safetensors \
    --input reader.npy
check "stateful has the same bits" cmp rows out
sed '/^train:/,$d' "$reader" >alone.yaml
exits "stateful without training" 0 "$netcc" predict alone.yaml --weights $w --input reader.npy
mv out rows
exits "stateful in batches of 1" 0 "$netcc" predict "$reader" --set train.batch_size=1 --weights $w \
    --input reader.npy
check "one row goes on from the other in both" cmp rows out
exits "stateful in batches of 8" 0 "$netcc" predict "$reader" --weights $w --input reader.npy
check "not in batches of 8" test "$(cmp rows out | wc -l)" -eq 1
exits "stateful executable's bench" 0 ./reader bench --train --threads 1 --json
exits "stateful grad" 0 "$netcc" grad "$reader" --weights $w --input reader.npy --target labels.npy \
    --output g.npz
exits "stateful check" 0 "$netcc" check "$reader"
exits "stateful eval" 1 "$netcc" eval "$reader" --weights $w
says "stateful eval" 'the spec has no data.test'
exits "stateful emit" 0 "$netcc" emit "$reader" -o infer
exits "stateful emit --train" 0 "$netcc" emit "$reader" --train -o learn
exits "stateful summary" 0 "$netcc" summary "$reader" --json
object inference >inference
object training >training
check "inference memory" test "$(number inference memory_bytes)" = \
    "$(macro infer/reader.h READER_MEMORY_BYTES)"
check "RAM has it" test "$(number inference ram_bytes)" -eq \
    $(($(macro infer/reader.h READER_MEMORY_BYTES) + $(macro infer/reader.h READER_ARENA_BYTES)))
check "training memory" test "$(number training memory_bytes)" = \
    "$(macro learn/reader.h READER_MEMORY_BYTES)"
unset NETCC_DATA

# ---- what users get wrong ---------------------------------------------------------------------------

exits "a misspelt option" 2 "$netcc" train "$digits" --step 3
says "a misspelt option" "unknown option '--step'; did you mean '--steps'\\?"
exits "a misspelt command" 2 "$netcc" trian "$digits"
says "a misspelt command" "unknown command 'trian'; did you mean 'train'\\?"
head -c 4000 /dev/urandom >garbage
exits "a spec that is garbage" 1 "$netcc" summary garbage
says "a spec that is garbage" '^garbage:[0-9]+:[0-9]+: error: '
exits "a spec that is a folder" 1 "$netcc" summary .
says "a spec that is a folder" "cannot read '.': it is a directory"
exits "a spec that is not there" 1 "$netcc" summary none.yaml
says "a spec that is not there" "cannot read 'none.yaml': No such file"
for file in garbage conv.npy; do
    exits "weights that are none: $file" 1 "$netcc" predict "$conv" --weights $file --input conv.npy
    says "weights that are none: $file" "^netcc: error: $file: "
done
exits "train into a file" 1 "$netcc" train "$digits" --steps 1 --out garbage
says "train into a file" 'garbage: is not a folder'

# ---- the cache ------------------------------------------------------------------------------------

mkdir -p "$NETCC_CACHE/build-killed" "$NETCC_CACHE/build-recent" "$NETCC_CACHE/builder"
touch "$NETCC_CACHE/build-killed/unit.c"
touch -d '3 hours ago' "$NETCC_CACHE/build-killed" "$NETCC_CACHE/builder"
exits "a build beside old ones" 0 env NETCC_DATA="$folder" "$netcc" train "$conv" --set 'data={train: {npy: [conv.npy, labels.npy]}}' \
    --set layers.0.conv2d.filters=5 --out fresh --backend cc --steps 1 --quiet
check "what was killed is swept" test ! -e "$NETCC_CACHE/build-killed"
check "what may run is not" test -d "$NETCC_CACHE/build-recent" -a -d "$NETCC_CACHE/builder"

# ---- a folder that holds a run --------------------------------------------------------------------

exits "train into a folder that holds a run" 0 "$netcc" train "$digits" --steps 1 --out twice --json
check "nothing to say the first time" test ! -s err
exits "and once more" 0 "$netcc" train "$digits" --steps 1 --out twice --json
check "the second time it says so" grep -q \
    'twice/checkpoint.safetensors: of another run, which this one replaces; --resume would go on with it' err
check "not on stdout" sh -c '! grep -q replaces out'

finish
