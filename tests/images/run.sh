#!/bin/bash
# Folders of pictures as a user trains on them: classes by sub-folder and by table, folds, predict on
# pictures, faults. build/unit/test_image writes the pictures; those of $data are used where they are
# there.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
writer=$(dirname "$netcc")/unit/test_image
[ -x "$writer" ] || { echo "SKIP images: netcc is built without libpng or libjpeg"; finish; }

runs() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >out 2>err; then return 0; fi
    fail "$name" "exit code $?"
    return 1
}
refused() { # NAME PATTERN COMMAND...
    local name=$1 pattern=$2
    shift 2
    "$@" >out 2>err
    local code=$?
    if [ $code -eq 1 ] && grep -qE "$pattern" err; then ok "$name"; else fail "$name" "exit code $code"; fi
}

cp "$here/colours.yaml" .
"$writer" --write train 12 1
"$writer" --write test 6 2

# ---- classes by folder ---------------------------------------------------------------------------

runs train "$netcc" train colours.yaml --out one --threads 1 --json &&
    holds "train accuracy" "$(field out val_accuracy)" 'v == 1'
runs "train on three threads" "$netcc" train colours.yaml --out three --threads 3 --quiet
cmp -s one/weights.safetensors three/weights.safetensors && ok "threads change nothing" ||
    fail "threads change nothing" "other weights"
runs eval "$netcc" eval colours.yaml --weights one/weights.safetensors --json &&
    same "eval accuracy" "$(field out accuracy)" 1
mv train gone
runs "predict a folder" "$netcc" predict colours.yaml --weights one/weights.safetensors --input test &&
    same "classes by name, sorted" "$(awk '{ print $5 }' out | uniq -c | tr -s ' \n' ' ')" \
        " 6 blue 6 green 6 red "
runs "predict a jpeg" "$netcc" predict colours.yaml --weights one/weights.safetensors \
    --input test/red/01.JPG && same "a red one" "$(awk '{ print $4 }' out)" red
pictures=(--input test/red/01.JPG --input test/blue)
runs "several pictures and a folder" "$netcc" predict colours.yaml --weights one/weights.safetensors \
    "${pictures[@]}" --output own.csv && same "their files in a csv" "$(cut -d, -f1,5 own.csv | head -n 3 | tr '\n' ' ')" \
    "file,dense_class test/red/01.JPG,red test/blue/00.png,blue "
runs "as JSON" "$netcc" predict colours.yaml --weights one/weights.safetensors "${pictures[@]}" --json &&
    same "their files in JSON" "$(grep -o '"files":\["[^"]*","[^"]*"' out)" \
        '"files":["test/red/01.JPG","test/blue/00.png"'
refused "a picture that is not there, of several" '^netcc: error: none.png: cannot be opened' "$netcc" predict \
    colours.yaml --weights one/weights.safetensors "${pictures[@]}" --input none.png
refused "a table beside pictures" "input 'input' is given twice; only pictures can be several" "$netcc" \
    predict colours.yaml --weights one/weights.safetensors "${pictures[@]}" --input x.csv
if [ -n "${SANITIZED:-}" ]; then # libnetcc.a wants what a plain cc does not link
    echo "SKIP images: no executable under sanitizers"
else
    runs "an executable of pictures" quick build colours.yaml -o colours --weights one/weights.safetensors
    same "it needs no more libraries" "$(ldd colours | grep -E 'png|jpeg|jansson')" ""
    env -u NETCC_PLUGINS ./colours predict "${pictures[@]}" --output its.csv >out 2>err
    cmp -s own.csv its.csv && ok "it answers as netcc does" || fail "it answers as netcc does" "otherwise"
    refused "it has no such picture" '^colours: none.png: cannot be opened' ./colours predict --input none.png
fi
refused "train without its folder" "cannot find 'train'" "$netcc" train colours.yaml --out x
mv gone train
runs "one unit" "$netcc" train colours.yaml --out one --steps 1 --set data.channel_order=bgr \
    --set 'data.resize=[9, 10]' --set data.antialias=true --quiet && ok "framed otherwise"
refused "too small to cut" '01?[0-9].* smaller than the 8 x 8 wanted|smaller than the 20 x 20' \
    "$netcc" train colours.yaml --out x --set 'input=[20, 20, 3]' --set data.resize=0

# ---- folds ----------------------------------------------------------------------------------------

total=0
for k in 1 2 3 4; do
    runs "fold $k" "$netcc" train colours.yaml --out "fold$k" --steps 1 --json --set "data.fold=[$k, 4]" \
        --set data.stratified=true && [ -n "$(field out val_loss)" ] && total=$((total + 1))
done
same "four folds validate" "$total" 4
refused "too many folds" 'fold leaves no rows for validation' "$netcc" train colours.yaml --out x \
    --set "data.fold=[300, 300]"

# ---- classes by table -----------------------------------------------------------------------------

{
    echo file,class
    for c in red green blue; do
        for f in train/$c/*; do echo "$f,$c"; done
    done
} >labels.csv
runs "a table" "$netcc" train colours.yaml --out table --json \
    --set 'data.train={images: {folder: ., labels: labels.csv}}' &&
    holds "a table's accuracy" "$(field out val_accuracy)" 'v == 1'
sed 's/,blue/,0/; s/,green/,1/; s/,red/,2/' labels.csv >numbers.csv
runs "a table of numbers" "$netcc" train colours.yaml --out numbers --quiet \
    --set 'data.train={images: {folder: ., labels: numbers.csv}}'
sed -i 's/,2$/,7/' numbers.csv
refused "a class beyond the output" "label 7; 'dense' takes whole numbers from 0 to 2" "$netcc" train \
    colours.yaml --out x --set 'data.train={images: {folder: ., labels: numbers.csv}}'
echo 'train/red/none.png,red' >>labels.csv
refused "a picture that is not there" 'none.png: cannot be opened' "$netcc" train colours.yaml --out x \
    --set 'data.train={images: {folder: ., labels: labels.csv}}'
same "and nothing is left behind" "$(ls x 2>/dev/null)" ""

# ---- faults ---------------------------------------------------------------------------------------

mkdir test/purple
refused "a folder of no class" "unknown class folder 'purple'" "$netcc" train colours.yaml --out x
rmdir test/purple
cp test/red/00.png test/red/zz.gif
refused "another format" 'zz.gif: only PNG and JPEG' "$netcc" train colours.yaml --out x
rm test/red/zz.gif
head -c 300 test/red/01.JPG >test/red/zz.jpg
refused "half a picture" 'test/red/zz.jpg: no readable JPEG' "$netcc" eval colours.yaml \
    --weights one/weights.safetensors
refused "half a picture in training" 'test/red/zz.jpg: no readable JPEG' "$netcc" train colours.yaml \
    --out x
rm test/red/zz.jpg
printf 'input: [4]\nlayers:\n  - dense: 1\n' >vector.yaml
refused "a picture for a vector" 'pictures are .height, width, 1 or 3.' "$netcc" predict vector.yaml \
    --weights one/weights.safetensors --input test/red/00.png

# ---- photographs ----------------------------------------------------------------------------------

if [ -d "$data/cifar10/image-folder" ]; then
    sed "s|: train}|: $data/cifar10/image-folder/train}|; s|: test}|: $data/cifar10/image-folder/test}|; \
         s/units: 3/units: 10/; s/\[8, 8, 3\]/[32, 32, 3]/; s/0.02/0.005/; s/kernel_size: 3/&, strides: 2/; \
         s/epochs: 8/epochs: 15/" colours.yaml >cifar.yaml
    runs cifar "$netcc" train cifar.yaml --out cifar --json &&
        holds "cifar's pictures are learnt" "$(field out val_accuracy)" 'v >= 0.2'
    runs "cifar eval" "$netcc" eval cifar.yaml --weights cifar/weights.safetensors
    head -c 400 cifar/weights.safetensors | grep -aq 'airplane.*truck' &&
        ok "names in the weights" || fail "names in the weights" "not there"
else
    echo "SKIP cifar: no cifar10/image-folder in $data"
fi

finish
