#!/bin/bash
# Executables of `netcc build` on files as users have them: csv and tsv by the table inside, what they
# refuse, and the libraries they are linked with. Everything they say is compared with what netcc says.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
unset NETCC_PLUGINS
export root

refuses() { # NAME TEXT COMMAND...
    local name=$1 text=$2
    shift 2
    exits "$name" 1 "$@"
    check "$name: says so" grep -qF -- "$text" err
    check "$name: stdout empty" test ! -s out
}
both() { # NAME ARGUMENTS... : netcc and the executable print the same
    local name=$1
    shift
    exits "$name, netcc" 0 "$netcc" predict shape.yaml --weights run/weights.safetensors "$@"
    mv out wanted
    exits "$name" 0 ./shape predict "$@"
    check "$name: the same" cmp wanted out
}

# ---- a table --------------------------------------------------------------------------------------

# Categories and class names with quotes and separators in them, missing values, a column to skip
awk 'BEGIN { print "colour,\"size, cm\",id,shape"; split("red blue green", c, " ")
    for (i = 0; i < 300; i++) { k = i % 3 + 1; z = (i * 7 % 50) / 5
        t = k == 2 ? "square" : z > 5 ? "round" : "\"odd \"\"x\"\", \\?\"";
        printf "%s,%s,%d,%s\n", i % 17 ? c[k] : "", i % 13 ? z : "NA", i, t } }' >data.csv
head -n 200 data.csv >learn.csv
{ head -n 1 data.csv; tail -n 100 data.csv; } >test.csv
cat >shape.yaml <<'END_OF_SPEC'
name: shape
layers:
  - dense: {units: 16, activation: relu}
  - dense: {units: 3, activation: softmax, name: shape}
train: {loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 5}
data:
  train: {csv: {file: learn.csv, target: shape, skip: id}}
  test: {csv: test.csv}
  standardise: true
END_OF_SPEC
exits "train" 0 "$netcc" train shape.yaml --out run --quiet
exits "build" 0 quick build shape.yaml --weights run/weights.safetensors -o shape
mkdir away && mv learn.csv away
both "csv as it was trained on" --input test.csv
both "as JSON" --input test.csv --json
check "names of classes" grep -qF '"classes":{"shape":["' out
cut -d, -f1-3 test.csv | tail -n +2 | tr , '\t' | cut -f1,2 >plain.tsv
both "tsv of the features alone, no header" --input plain.tsv
printf '\xef\xbb\xbf"size, cm";colour\r\n3;red\r\n;\r\n' >other.csv
both "columns by name, another separator" --input other.csv
for end in csv json npy; do
    exits "into $end, netcc" 0 "$netcc" predict shape.yaml --weights run/weights.safetensors \
        --input test.csv --output "a.$end"
    exits "into $end" 0 ./shape predict --input test.csv --output "b.$end"
    check "into $end: the same" cmp "a.$end" "b.$end"
done
mv away/learn.csv .
exits "eval, netcc" 0 "$netcc" eval shape.yaml --weights run/weights.safetensors --json
mv out wanted
exits "eval" 0 ./shape eval --x test.csv --json
check "eval: the same" cmp wanted out
exits "train by itself" 0 ./shape train --x learn.csv --out b --quiet
exits "what it trained, netcc" 0 "$netcc" eval shape.yaml --weights b/weights.safetensors --json
mv out wanted
exits "what it trained" 0 ./shape eval --x test.csv --json --weights b/weights.safetensors
check "what it trained: the same" cmp wanted out
check "it trained" sh -c '! cmp -s run/weights.safetensors b/weights.safetensors'

# Weights of a table with other categories in the same places, and of one of another form
sed 's/red/rot/; s/blue/blau/; s/green/gelb/; s/square/eckig/' learn.csv >andere.csv
exits "train on other names" 0 "$netcc" train shape.yaml --out andere --quiet \
    --set data.train.csv.file=andere.csv --set data.test.csv=andere.csv
exits "other names, netcc" 0 "$netcc" predict shape.yaml --weights andere/weights.safetensors \
    --input andere.csv --set data.test.csv=andere.csv
mv out wanted
exits "other names" 0 ./shape predict --input andere.csv --weights andere/weights.safetensors
check "other names: the same" cmp wanted out
grep -v green learn.csv >two.csv
exits "train on two colours" 0 "$netcc" train shape.yaml --out two --quiet \
    --set data.train.csv.file=two.csv --set data.test.csv=two.csv
refuses "a table of another form" "column 'colour' has 2 categories; this was built for 3" \
    ./shape predict --input two.csv --weights two/weights.safetensors

# ---- a model that knows no table ------------------------------------------------------------------

cat >sum.yaml <<'END_OF_SPEC'
name: sum
inputs: {a: [3], b: [2]}
layers:
  - concatenate: {from: [a, b]}
  - dense: {units: 1, name: y}
train: {loss: mse, epochs: 3, batch_size: 4}
END_OF_SPEC
printf '1,2,3\n4,5,6\n7,8,9\n' >a.csv
printf '1\t2\n3\t4\n5\t6\n' >b.tsv
printf '1\n2\n3\n' >y.csv
exits "build without weights" 0 quick build sum.yaml -o sum
exits "train on plain tables" 0 ./sum train --x a=a.csv --x b=b.tsv --y y.csv --out sum.run --json
check "three epochs" test "$(grep -c '"event":"epoch"' out)" -eq 3
exits "several inputs, netcc" 0 "$netcc" predict sum.yaml --weights sum.run/weights.safetensors \
    --input a=a.csv --input b=b.tsv
mv out wanted
exits "several inputs" 0 ./sum predict --weights sum.run/weights.safetensors --input a=a.csv \
    --input b=b.tsv
check "several inputs: the same" cmp wanted out
refuses "which input" "say which of 2 it is" ./sum predict --weights sum.run/weights.safetensors \
    --input a.csv
printf '1,2\n3,4\n' >short.csv
refuses "rows that differ" "short.csv: 2 samples, not 3" ./sum predict \
    --weights sum.run/weights.safetensors --input a=a.csv --input b=short.csv

printf '1,2\n3,4\n5,6\n' >narrow.csv
refuses "columns for a plain input" "narrow.csv:1: 2 columns, but 3 are wanted" ./sum predict \
    --weights sum.run/weights.safetensors --input a=narrow.csv --input b=b.tsv

# ---- what is prepared from the weights --------------------------------------------------------------

cat >stencil.yaml <<'END_OF_SPEC'
name: stencil
input: [28, 28, 1]
layers:
  - conv2d: {filters: 16, kernel_size: 3, strides: 2, activation: relu}
  - conv2d: {filters: 16, kernel_size: 3, padding: same, use_bias: false}
  - batch_normalization
  - conv2d: {filters: 24, kernel_size: 3, activation: relu}
  - global_average_pooling2d
  - dense: {units: 10, activation: softmax}
train: {loss: sparse_categorical_crossentropy, batch_size: 5}
data: {train: {builtin: digits}}
END_OF_SPEC
{ printf '\0\0\10\3\0\0\0\7\0\0\0\34\0\0\0\34'; head -c $((7 * 784)) "$netcc"; } >x.idx
exits "train a stencil" 0 "$netcc" train stencil.yaml --out stencil.run --steps 3 --quiet
weights=stencil.run/weights.safetensors
exits "its predictions" 0 "$netcc" predict stencil.yaml --weights $weights --input x.idx \
    --backend tcc --threads 1
mv out wanted
exits "on two threads, by cc" 0 "$netcc" predict stencil.yaml --weights $weights --input x.idx \
    --backend cc --threads 2
check "on two threads, by cc: the same" cmp wanted out
for batch in 1 5; do
    exits "build for batches of $batch" 0 "$netcc" build stencil.yaml --weights $weights \
        --set train.batch_size=$batch -o stencil
    for threads in 1 2; do
        exits "batches of $batch, $threads threads" 0 ./stencil predict --input x.idx --threads $threads
        check "batches of $batch, $threads threads: the same" cmp wanted out
    done
done
exits "other weights" 0 "$netcc" train stencil.yaml --out stencil.run --steps 6 --quiet
exits "other weights, netcc" 0 "$netcc" predict stencil.yaml --weights $weights --input x.idx
mv out other
check "they predict otherwise" sh -c '! cmp -s wanted other'
exits "other weights than those inside" 0 ./stencil predict --input x.idx --weights $weights
check "other weights than those inside: the same" cmp other out
exits "its speed" 0 ./stencil bench --predict --json
check "what preparing takes" grep -qE '"prepare_ms":[0-9.]*[1-9]' out

# ---- what is refused ------------------------------------------------------------------------------

printf 'colour,"size, cm"\ngren,1\n' >bad.csv
refuses "an unseen category" "bad.csv:2: column 'colour': the training data have no 'gren'; did you mean 'green'?" \
    ./shape predict --input bad.csv
check "the categories there are" grep -qx 'note: they have blue, green, red' err
printf 'colour,weight\nred,1\n' >bad.csv
refuses "a column that is not there" "bad.csv:1: there is no column 'size, cm'" \
    ./shape predict --input bad.csv
refuses "no targets" "there is no column 'shape'" ./shape eval --x other.csv
printf 'red,1\nred\n' >bad.csv
refuses "a ragged row" "bad.csv:2: 1 field, but the first row has 2" ./shape predict --input bad.csv
: >bad.csv
refuses "an empty file" "bad.csv: the file is empty" ./shape predict --input bad.csv
echo picture | tee x.jpg >x.npz
refuses "a picture for a table" "x.jpg: pictures are [height, width, 1 or 3], which 'input' is not" ./shape predict --input x.jpg
refuses "npz" "npz files are not read here" ./shape predict --input x.npz
echo text >x
refuses "no format" "x: is no npy file, and its name does not end in" ./shape predict --input x
refuses "an output of another format" "only npy, npz, csv and json files are written" \
    ./shape predict --input test.csv --output o.txt
exits "a misspelt option" 2 ./shape predict --inptu test.csv
check "did you mean" grep -q "did you mean '--input'" err

# ---- libraries ------------------------------------------------------------------------------------

# A compiler whose system lacks the files that LACKS names
cat >lacking <<'END_OF_SCRIPT'
#!/bin/bash
for word; do
    file=${word#-print-file-name=}
    if [ "$file" != "$word" ] && [[ " $LACKS " = *" $file "* ]]; then
        echo "$file"
        exit
    fi
done
exec "$root/tests/quick_cc" "$@"
END_OF_SCRIPT
chmod +x lacking
lacks() { # FILES COMMAND...
    local files=$1
    shift
    LACKS=$files CC=$folder/lacking "$@"
}
exits "no archive of jansson" 0 lacks libjansson.a "$netcc" build sum.yaml -o dynamic
check "no archive: a note" grep -q 'libjansson.a is not there (package libjansson-dev has it)' err
check "no archive: linked dynamically" sh -c 'ldd dynamic | grep -q libjansson'
exits "no archive: it runs" 0 ./dynamic info
refuses "no jansson" "netcc build needs libjansson, which the C compiler does not find; install the package libjansson-dev" \
    lacks "libjansson.a libjansson.so" "$netcc" build sum.yaml -o none
refuses "no zlib" "install the package zlib1g-dev" lacks "libz.a libz.so" "$netcc" build sum.yaml -o none
check "nothing is left of it" test ! -e none
printf 'name: spots\ninput: [4, 4, 1]\nlayers: [flatten, dense: 2]\n' >spots.yaml
exits "no libpng" 0 lacks "libpng.a libpng.so" "$netcc" build spots.yaml -o spots
check "no libpng: a note" grep -q 'without libpng (package libpng-dev) the executable reads no png pictures' err
exits "no pictures, no word of them" 0 lacks "libpng.a libpng.so" "$netcc" build sum.yaml -o sum
check "no word" test ! -s err

# ---- weights stay in the file ---------------------------------------------------------------------

# 20 MB of them, and room for 15 MB of memory that is the process's own
cat >large.yaml <<'END_OF_SPEC'
name: large
layers: [dense: 2000, dense: 2500, dense: {units: 1, name: sum}]
train: {loss: mse, optimizer: sgd, batch_size: 4, epochs: 1}
data: {train: {csv: {file: large.csv, target: sum}}}
END_OF_SPEC
printf 'a,b,sum\n1,2,3\n4,5,9\n2,2,4\n1,0,1\n' >large.csv
exits "train a large one" 0 "$netcc" train large.yaml --out large_run --quiet
exits "build a large one" 0 quick build large.yaml --weights large_run/weights.safetensors -o large
exits "large, netcc" 0 "$netcc" predict large.yaml --weights large_run/weights.safetensors --input large.csv
mv out wanted
small() {
    (ulimit -d 15000 && exec "$@")
}
exits "predict in little memory" 0 small ./large predict --threads 1 --input large.csv
check "predict in little memory: the same" cmp wanted out
exits "training needs more" 1 small ./large train --threads 1 --x large.csv --out large_run
check "training needs more: says so" grep -q 'out of memory' err

finish
