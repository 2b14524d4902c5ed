#!/bin/bash
# Transfer learning as a user meets it: freezing, learning rates by pattern.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

lacks() { # FILE PATTERN
    ! grep -qE -e "$2" "$1"
}
number() { # OBJECT KEY: in the object OBJECT of `out`
    grep -oE "\"$1\":\{[^}]*\}" out | grep -oE "\"$2\":[-0-9.e+]+" | cut -d: -f2
}

# ---- freezing -------------------------------------------------------------------------------------

freeze=$here/freeze.yaml
exits "dump" 0 "$netcc" dump "$freeze" --after plan
sed -n '/^train:/,/^eval:/p' out >frozen
check "frozen layers run forward" grep -q 'input.0 weights.stem/kernel' frozen
check "in the kernels of inference and no other" test "$(grep -cE '# (stem|body)' frozen)" -eq \
    "$(sed -n '/^prepare:/,/^train:/p' out | grep -cE '# (stem|body)')"
check "no backward kernel of a frozen layer" lacks frozen '_grad|(transpose|copy|reduce_columns) .*# (stem|body)'
check "no optimizer state of a frozen layer" lacks frozen 'state\.(stem|body)'
check "nothing frozen is written" lacks frozen '-> .*(weights|state)\.(stem|body)'
exits "dump without freezing" 0 "$netcc" dump "$freeze" --set train.freeze=null --after plan
sed -n '/^train:/,/^eval:/p' out >whole
check "which has them otherwise" grep -q 'conv2d_kernel_grad.*# stem' whole
exits "summary" 0 "$netcc" summary "$freeze" --json
for key in state_bytes arena_bytes ram_bytes multiply_adds; do
    check "less $key" test "$(number training $key)" -lt "$(number unfrozen $key)"
done
exits "summary without freezing" 0 "$netcc" summary "$freeze" --set train.freeze=null --json
check "nothing to compare with" lacks out unfrozen

# ---- unfreezing -----------------------------------------------------------------------------------

values() { # FILE: log.csv without the times
    cut -d, -f1-5 "$1"
}
unfreeze=$here/unfreeze.yaml
exits "unfreeze" 0 "$netcc" train "$unfreeze" --out run --json
check "epoch 3 trains the body" grep -q '"event":"unfreeze","epoch":3,"trainable":570,' out
check "epoch 5 trains all" grep -q '"event":"unfreeze","epoch":5,"trainable":19458,"parameters":19458' out
exits "stopped in the first stage" 0 "$netcc" train "$unfreeze" --out parts --steps 20 --quiet
exits "stopped at its end" 0 "$netcc" train "$unfreeze" --out parts --steps 38 --resume --quiet
exits "stopped in the second" 0 "$netcc" train "$unfreeze" --out parts --steps 70 --resume --quiet
exits "gone on to the end" 0 "$netcc" train "$unfreeze" --out parts --resume --backend tcc --threads 1
check "the same weights" cmp run/weights.safetensors parts/weights.safetensors
# What trained before goes on as if nothing had happened: with rates that change nothing, all is the same.
idle='{"stem*": 1e-30, body: 1e-30}'
exits "unfreeze without effect" 0 "$netcc" train "$unfreeze" --out idle --quiet \
    --set "train.learning_rate_multipliers=$idle" --set 'train.freeze=[stem, stem_bn, body]' \
    --set 'train.unfreeze={3: body, 5: stem}'
exits "never unfrozen" 0 "$netcc" train "$unfreeze" --out never --quiet --set train.unfreeze=null
values idle/log.csv >idle.csv
values never/log.csv >never.csv
check "the optimizer's state is kept" cmp idle.csv never.csv
exits "build refuses" 1 "$netcc" build "$unfreeze" -o exe
check "by name" grep -q 'unfreeze needs netcc train' err
exits "emit --train refuses" 1 "$netcc" emit "$unfreeze" --train -o product
exits "emit does not" 0 "$netcc" emit "$unfreeze" -o product

# ---- pretrained weights ---------------------------------------------------------------------------

cp "$here/pretrained.yaml" tuned.yaml
tuned=tuned.yaml
source=--set=pretrained.weights=run/weights.safetensors
exits "pretrained" 0 "$netcc" train "$tuned" "$source" --out tuned
check "a table" grep -q 'pretrained weights of .*: 8 taken, 2 newly initialised, 2 left over' err
check "by the map" grep -qE '^  base_bn/moving_mean +\[24\] +stem_bn/moving_mean \[24\]$' err
check "by its own name" grep -qE '^  body/kernel +\[24, 16\] +body/kernel \[24, 16\]$' err
check "what is new" grep -qE '^  head/bias +\[12\] +newly initialised: skipped$' err
check "what is left" grep -qE '^  skipped: head/kernel \[16, 10\]$' err
exits "pretrained --json" 0 "$netcc" train "$tuned" "$source" --out tuned_json --json
check "an event" grep -q '"event":"pretrained".*"base/kernel":"stem/kernel".*"initialised":\["head/kernel","head/bias"\],"left_over":\["head/kernel","head/bias"\]}' out
check "no table" test ! -s err
check "weights are those of the plain run" cmp tuned/weights.safetensors tuned_json/weights.safetensors
exits "frozen, one epoch" 0 "$netcc" export "$tuned" --weights tuned/weights.safetensors -o tuned.npz
exits "and where it is from" 0 "$netcc" export "$unfreeze" --weights run/weights.safetensors -o run.npz
for array in base/kernel=stem/kernel base_bn/moving_mean=stem_bn/moving_mean; do
    unzip -p tuned.npz "${array%=*}.npy" >a.npy
    unzip -p run.npz "${array#*=}.npy" >b.npy
    check "$array is frozen" cmp a.npy b.npy
done
# What the file does not bring begins as it would without one.
idle='{sgd: {learning_rate: 1e-30}}'
exits "pretrained without effect" 0 "$netcc" train "$tuned" "$source" --out same --steps 1 --quiet \
    --set "train.optimizer=$idle"
exits "from nothing" 0 "$netcc" train "$tuned" --set pretrained=null --out fresh --steps 1 --quiet \
    --set "train.optimizer=$idle"
for run in same fresh; do
    exits "$run as npz" 0 "$netcc" export "$tuned" --weights "$run/weights.safetensors" -o "$run.npz"
    unzip -p "$run.npz" head/kernel.npy >"$run.head"
    unzip -p "$run.npz" body/kernel.npy >"$run.body"
done
check "the head is what it would be" cmp same.head fresh.head
check "the body, which the file brings, is not" test -n "$(cmp same.body fresh.body)"
# Precedence: a checkpoint, else --weights, else pretrained.
exits "--weights" 0 "$netcc" train "$tuned" --set pretrained.weights=missing.npz --out more \
    --weights tuned/weights.safetensors --steps 1
check "leaves pretrained alone" lacks err pretrained
exits "two epochs" 0 "$netcc" train "$tuned" "$source" --out long --set train.epochs=2 --quiet
exits "one more epoch" 0 "$netcc" train "$tuned" --set pretrained.weights=missing.npz --out tuned --resume \
    --set train.epochs=2
check "--resume leaves it alone too" lacks err pretrained
check "and is the longer run" cmp tuned/weights.safetensors long/weights.safetensors
if [ -n "${SANITIZED:-}" ]; then # libnetcc.a wants what a plain cc does not link
    echo "SKIP transfer: no executable under sanitizers"
else
    exits "the executable has them" 0 quick build "$tuned" "$source" -o tuned_exe
fi
exits "emit --train has them" 0 "$netcc" emit "$tuned" "$source" --train -o product
check "emit tells" grep -q 'pretrained weights of' err
refuses() { # NAME PATTERN SET...
    local name=$1 pattern=$2
    shift 2
    exits "$name" 1 "$netcc" train "$tuned" "$source" "$@" --out refused
    check "$name: why" grep -qE "$pattern" err
    check "$name: nothing is left" test ! -e refused
}
refuses "another shape" "'head/kernel' is \\[16, 12\\], but 'head/kernel' of .* is \\[16, 10\\]" \
    --set pretrained.skip=null
refuses "their name misspelt" "unknown tensor 'stm'; did you mean 'stem'" --set 'pretrained.map={stm: base}'
refuses "our name misspelt" "unknown layer or parameter 'bse'; did you mean 'base'" \
    --set 'pretrained.map={stem: bse}'
refuses "a pattern to nowhere" "none is a parameter as 'bse\\*'" --set 'pretrained.map={"stem*": "bse*"}'
refuses "two for one" "are both for 'base/kernel'" --set 'pretrained.map={stem: base, body: base}' 
refuses "nothing skipped" "unknown layer, parameter or tensor 'hed'; did you mean 'head'" \
    --set pretrained.skip=hed
refuses "no such file" "cannot find 'missing'" --set pretrained.weights=missing
refuses "no weights" "netcc knows|not a safetensors file" --set "pretrained.weights=$tuned"

# ---- features of a frozen trunk -------------------------------------------------------------------

cached=$here/cached.yaml
same_run() { # NAME FOLDER FOLDER: the weights to the bit, and what was reported
    values "$2/log.csv" >a.csv
    values "$3/log.csv" >b.csv
    check "$1: the same weights" cmp "$2/weights.safetensors" "$3/weights.safetensors"
    check "$1: the same best weights" cmp "$2/best.safetensors" "$3/best.safetensors"
    check "$1: the same losses" cmp a.csv b.csv
}
exits "no features" 0 "$netcc" train "$cached" --out off --set train.feature_cache=off --json
check "nothing is said of them" lacks out features
exits "features" 0 "$netcc" train "$cached" --out memory --json --backend tcc --threads 2
check "computed once for every sample" test "$(grep -c '"event":"features"' out)" -eq 1
check "train and test" grep -q '"layers":6,"samples":815,"bytes":1408320,"kept":"memory","found":false' out
same_run "in memory" off memory
exits "in a file" 0 "$netcc" train "$cached" --out file --set train.feature_cache=file --steps 30
check "the header says so" grep -q '^features of 6 frozen layers for 815 samples kept in file, 1.4 MB' out
check "two files" test "$(ls file | grep -c '^features-.*\.f32$')" -eq 2
exits "gone on" 0 "$netcc" train "$cached" --out file --set train.feature_cache=file --resume --json
check "the features are found" grep -q '"kept":"file","found":true' out
same_run "in a file, resumed" off file
exits "longer" 0 "$netcc" train "$cached" --out memory --set train.epochs=5 --resume --quiet
exits "longer without" 0 "$netcc" train "$cached" --out off --set train.epochs=5 --resume --quiet \
    --set train.feature_cache=off
same_run "longer" off memory
# A convolution by Winograd's transforms, which batches of 2 would not pay for
for cache in off memory; do
    exits "quicker convolutions, $cache" 0 "$netcc" train "$cached" --out "quick_$cache" --set layers.0.conv2d.filters=32 \
        --set layers.4.conv2d.filters=24 --set train.batch_size=2 --set train.epochs=1 --quiet \
        --set train.feature_cache=$cache
done
same_run "quicker convolutions" quick_off quick_memory
# Other weights, other features; the old files go.
exits "other data" 0 "$netcc" train "$cached" --out file --set train.feature_cache=file --json \
    --set data.test.builtin.digits.seed=3
check "the features of other samples are new" grep -q '"found":false' out
exits "other weights" 0 "$netcc" train "$cached" --out file --set train.feature_cache=file --json --seed 5
check "and of other weights" grep -q '"found":false' out
exits "other numerics" 0 "$netcc" train "$cached" --out file --set train.feature_cache=file --json --seed 5 \
    --set numerics=strict
check "and by other numerics" grep -q '"found":false' out
check "two files still" test "$(ls file | grep -c '^features-')" -eq 2
exits "unfreeze without features" 0 "$netcc" train "$unfreeze" --out slow --set train.feature_cache=off
same_run "unfreezing" slow run
exits "unfreeze with files" 0 "$netcc" train "$unfreeze" --out files --set train.feature_cache=file
same_run "unfreezing with files" slow files
check "a whole network needs none" lacks <(ls files) '^features-'
# What validates has features as well; the best epoch by its accuracy is what remains.
stopping='train.early_stopping={monitor: val_accuracy, patience: 2, restore_best_weights: true}'
watching='train.checkpoint={monitor: val_accuracy}'
for cache in off file; do
    exits "early stopping, $cache" 0 "$netcc" train "$cached" --out "stop_$cache" --json --set "$stopping" \
        --set "$watching" --set train.epochs=40 --set "train.feature_cache=$cache"
done
same_run "early stopping" stop_off stop_file
best() { # the highest val_accuracy of a log, and how many epochs there are
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_accuracy") c = i; next }
        NR > 1 && $c + 0 > best + 0 { best = $c; at = NR - 1 } END { print best, at, NR - 1 }' "$1/log.csv"
}
read -r most at epochs < <(best stop_file)
check "patience ended it ($at of $epochs epochs)" test "$epochs" -eq $((at + 2)) -a "$epochs" -lt 40
check "the best epoch's weights are kept" cmp stop_file/weights.safetensors stop_file/best.safetensors
exits "eval of the best" 0 "$netcc" eval "$cached" --weights stop_file/best.safetensors --json
check "has the best val_accuracy, $most" grep -q "\"accuracy\":$most}" out
exits "--show" 0 "$netcc" train "$cached" --out shown --show 3
check "shows by the whole network" grep -q 'taken for' out
exits "summary" 0 "$netcc" summary "$cached" --json
check "the head alone is cheaper" test "$(number head multiply_adds)" -lt "$(number training multiply_adds)"

# ---- the example ----------------------------------------------------------------------------------

if [ -f "$data/mnist/train-images-idx3-ubyte.gz" ] && [ -f "$data/fashion-mnist/train-images-idx3-ubyte.gz" ]; then
    export NETCC_DATA=$data
    mkdir example
    cp "$root"/examples/transfer-mnist/*.yaml example
    cd example || exit 2
    exits "digits" 0 "$netcc" train mnist.yaml --out mnist --set train.epochs=1 --quiet
    exits "clothes" 0 "$netcc" train fashion-tuned.yaml --out tuned --set train.epochs=3 --json
    check "take the hidden layer" grep -q '"taken":{"hidden/kernel":"hidden/kernel","hidden/bias":"hidden/bias"}' out
    check "an epoch of the head alone" grep -q '"event":"features","layers":2,"samples":70000,' out
    accuracy=$(grep '"event":"eval"' out | grep -oE '"accuracy":[0-9.]+' | cut -d: -f2)
    check "learn ($accuracy)" awk -v a="$accuracy" 'BEGIN { exit !(a > 0.83) }'
    cd ..
else
    echo "SKIP transfer/example: MNIST and Fashion-MNIST are not in $data"
fi

finish
