#!/bin/bash
# Tables: the examples on real csv files, and what a user does with them: encodings, headers, predict
# into csv and json, splits. What needs data is skipped where they are missing.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
export NETCC_DATA=$data

# ---- real data ------------------------------------------------------------------------------------

example() { # NAME KEY CONDITION
    local name=$1
    shift
    if "$netcc" train "$root/examples/table/$name.yaml" --out "$name" --json >out 2>err; then
        holds "$name $1" "$(field out "$1")" "$2"
    else
        fail "$name" "train fails"
    fi
}

if [ -d "$NETCC_DATA/tabular" ]; then
    example iris val_accuracy 'v >= 0.86'
    example banknote val_accuracy 'v >= 0.985'
    example california val_mae 'v <= 0.40'
    grep -q "207 missing values of column 'total_bedrooms'" err && ok "missing values noted" ||
        fail "missing values noted" "no note"
    head -n 4 "$NETCC_DATA/tabular/california-housing.csv" >some.csv
    "$netcc" predict "$root/examples/table/california.yaml" --weights california/weights.safetensors \
        --input some.csv >out 2>err
    holds "california in dollars" "$(sed -n 1p out)" 'v > 3e5 && v < 6e5'
    sed -n '1p;60p;140p' "$NETCC_DATA/tabular/iris.csv" | cut -d, -f1-4 >some.csv
    "$netcc" predict "$root/examples/table/iris.yaml" --weights iris/weights.safetensors \
        --input some.csv --output out.csv >out 2>err
    same "iris classes" "$(cut -d, -f4 out.csv | tr '\n' ' ')" \
        "species_class Iris-setosa Iris-versicolor Iris-virginica "
else
    echo "SKIP table/real data: no $NETCC_DATA/tabular"
fi

# ---- encodings ------------------------------------------------------------------------------------

# y = 10 * (colour is blue) + size: a linear model finds it only if the encoding is right
awk 'BEGIN { print "colour,id,size,y"; split("red blue green", c, " ");
     for (i = 0; i < 300; i++) { k = i % 3 + 1; s = (i * 7) % 11 / 5;
       printf "%s,%d,%g,%g\n", c[k], i, s, 10 * (k == 2) + s } }' >train.csv
cat >encode.yaml <<'END'
layers:
  - dense: {units: 1, name: y}
train: {loss: mse, optimizer: {adam: {learning_rate: 0.1}}, epochs: 60}
data:
  train: {csv: {file: train.csv, target: y, skip: id}}
  standardise: true
END
"$netcc" train encode.yaml --out encode --json >out 2>err || fail encode "train fails"
holds "one-hot and standardised loss" "$(field out loss)" 'v < 1e-3'
printf 'size;id;colour\r\n1;0;blue\r\n1;0;"red"\r\n1;0;\r\n' >new.csv
"$netcc" predict encode.yaml --weights encode/weights.safetensors --input new.csv >out 2>err
holds "columns by name" "$(sed -n 1p out)" 'v > 10.8 && v < 11.2'
holds "another category" "$(sed -n 2p out)" 'v > 0.8 && v < 1.2'
printf 'purple,7,1\n' >new.csv
"$netcc" predict encode.yaml --weights encode/weights.safetensors --input new.csv >out 2>err
same "unseen category" "$(head -n 1 err)" \
    "netcc: error: new.csv:1: 3 columns, but the training data have 4, 2 of them features"
printf 'purple,1\n' >new.csv
"$netcc" predict encode.yaml --weights encode/weights.safetensors --input new.csv >out 2>err
same "unseen category of a file" "$(head -n 1 err)" \
    "netcc: error: new.csv:1: column 'colour': the training data have no 'purple'"
"$netcc" check encode.yaml >out 2>err && ok "derivatives" || fail derivatives "check fails"
"$netcc" emit encode.yaml --weights encode/weights.safetensors -o product >out 2>err &&
    ok "emit" || fail emit "emit fails"

# y = 5 in month 2, else 1: a linear model finds it only if months are no quantities
awk 'BEGIN { print "month,size,y"; for (i = 0; i < 240; i++) { m = 12 - i % 12;
     printf "%d,%g,%g\n", m, i % 5, (m == 2 ? 5 : 1) + i % 5 } }' >months.csv
cat >months.yaml <<'END'
layers:
  - dense: {units: 1, name: y}
train: {loss: mse, optimizer: {adam: {learning_rate: 0.1}}, epochs: 80}
data:
  train: {csv: {file: months.csv, target: y, categories: month}}
  standardise: true
END
"$netcc" train months.yaml --out months --json >out 2>err || fail months "train fails"
holds "numbers as categories" "$(field out loss)" 'v < 1e-3'
printf 'size,month\n0,2.0\n0,10\n3,3\n' >new.csv
"$netcc" predict months.yaml --weights months/weights.safetensors --input new.csv >out 2>err
same "numbers as categories, predicted" "$(awk '{ printf "%.1f ", $1 }' out)" "5.0 1.0 4.0 "
quick build months.yaml --weights months/weights.safetensors -o months.exe >out 2>err &&
    ./months.exe predict --input new.csv >out 2>err
same "numbers as categories, built" "$(awk '{ printf "%.1f ", $1 }' out)" "5.0 1.0 4.0 "
printf 'size,month\n0,13\n' >new.csv
"$netcc" predict months.yaml --weights months/weights.safetensors --input new.csv >out 2>err
same "a number that is no category" "$(cat err)" \
    "netcc: error: new.csv:2: column 'month': the training data have no '13'
note: they have 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"

# ---- missing values -------------------------------------------------------------------------------

# y = a + 10 * (colour is red)
awk 'BEGIN { print "a,colour*/,y"; for (i = 0; i < 300; i++) { a = i % 9; split("red blue", c, " "); k = i % 2 + 1;
     printf "%s,%s,%g\n", i % 30 == 4 ? "NA" : a, c[k], a + 10 * (k == 1) } }' >gaps.csv
cat >gaps.yaml <<'END'
name: gaps
layers:
  - dense: {units: 1, name: y}
train: {loss: mse, optimizer: {adam: {learning_rate: 0.1}}, epochs: 80}
data:
  train: {csv: {file: gaps.csv, target: y}}
END
mean=$(awk -F, 'NR > 1 && $1 != "NA" { s += $1; n++ } END { printf "%.7f", s / n }' gaps.csv)
printf 'a,colour*/\n,red\n?,blue\n7,\n' >new.csv
for standardise in false true; do
    "$netcc" train gaps.yaml --set data.standardise=$standardise --out gaps --quiet >out 2>err ||
        fail gaps "train fails"
    grep -q "10 missing values of column 'a' are filled in with the column's mean" err &&
        ok "filling in is noted" || fail "filling in is noted" "no note"
    for backend in tcc cc; do
        "$netcc" predict gaps.yaml --set data.standardise=$standardise --backend $backend \
            --weights gaps/weights.safetensors --input new.csv >filled 2>err
        printf 'a,colour*/\n%s,red\n%s,blue\n7,\n' "$mean" "$mean" >mean.csv
        "$netcc" predict gaps.yaml --set data.standardise=$standardise --backend $backend \
            --weights gaps/weights.safetensors --input mean.csv >out 2>err
        same "a missing value is the mean, $backend, standardise: $standardise" \
            "$(awk '{ printf "%.3f ", $1 }' filled)" "$(awk '{ printf "%.3f ", $1 }' out)"
    done
    "$netcc" emit gaps.yaml --set data.standardise=$standardise --weights gaps/weights.safetensors \
        -o product >out 2>err || fail "missing values, emitted" "emit fails"
    cat >product/main.c <<'END'
#include <math.h>
#include <stdio.h>
#include "gaps.h"
int main(void)
{
    static _Alignas(GAPS_ALIGN) unsigned char arena[GAPS_ARENA_BYTES];
    const float rows[3][2] = {{NAN, 1}, {NAN, 0}, {7, NAN}};
    for (int i = 0; i < 3; i++) {
        float y;
        if (gaps_predict(&gaps_weights, rows[i], &y, 1, arena, NULL) != 0)
            return 1;
        printf("%.9g\n", (double)y);
    }
    return 0;
}
END
    cc -O2 -Wall -Wextra -Wpedantic -Werror -Iproduct product/*.c -lm -o product/main >out 2>err &&
        product/main >out
    same "missing values, emitted, standardise: $standardise" "$(cat out)" "$(cat filled)"
done
same "the columns in the header" "$(grep -A1 ' 0 a$' product/gaps.h | cut -c6- | tr '\n' ';')" \
    "0 a;1 colour?/: 0 blue, 1 red;"
quick build gaps.yaml --set data.standardise=true --weights gaps/weights.safetensors -o gaps.exe \
    >out 2>err && ./gaps.exe predict --input new.csv >out 2>err
same "missing values, built" "$(cat out)" "$(cat filled)"
quick build gaps.yaml --set data.standardise=true -o gaps.exe >out 2>err &&
    ./gaps.exe train --x gaps.csv --out again --quiet >out 2>err
./gaps.exe predict --weights again/weights.safetensors --input new.csv >out 2>err
same "missing values, trained by the executable" "$(awk '{ printf "%.3f ", $1 }' out)" \
    "$(awk '{ printf "%.3f ", $1 }' filled)"
"$netcc" check gaps.yaml >out 2>err && ok "derivatives with missing values" ||
    fail "derivatives with missing values" "check fails"
cat >numbers.yaml <<'END'
input: [2]
layers: [dense: 1]
train: {loss: mse, epochs: 1}
data: {train: {npy: [x.npy, y.npy]}}
END
quick build numbers.yaml -o numbers.exe >out 2>err
printf '1,2\n3,NA\n' >new.csv
./numbers.exe predict --weights gaps/weights.safetensors --input new.csv >out 2>err
same "nothing to fill in" "$(cut -d: -f2- err)" \
    " new.csv:2: a value is missing, for which nothing stands: the network was not trained on a csv"

# The training file is needed for nothing but training
cat >apart.yaml <<'END'
layers:
  - dense: {units: 1, name: y}
train: {loss: mse, optimizer: {adam: {learning_rate: 0.1}}, metrics: [mae], epochs: 3}
data:
  train: {csv: {file: apart.csv, target: y, skip: id}}
  test: {csv: train.csv}
  validation: {csv: late.csv}
END
cp train.csv apart.csv
cp train.csv late.csv
"$netcc" train apart.yaml --out apart --json >out 2>err || fail apart "train fails"
trained=$(field out mae)
rm apart.csv late.csv
"$netcc" eval apart.yaml --weights apart/weights.safetensors --json >out 2>err
same "eval without the training file" "$(field out mae)" "$trained"
head -3 train.csv >new.csv
"$netcc" predict apart.yaml --weights apart/weights.safetensors --input new.csv >out 2>err
same "predict without the training file" "$(wc -l <out)" 2
"$netcc" export apart.yaml --weights apart/weights.safetensors -o apart.npz >out 2>err &&
    ok "export without the training file" || fail "export without the training file" "fails"
"$netcc" eval apart.yaml --weights apart.npz >out 2>err && fail "no table anywhere" "eval passes"
same "no table anywhere" "$(sed -n '1s/.*error: //p; $p' err)" "cannot find 'apart.csv'
note: apart.npz does not tell what its columns are either; the weights.safetensors that netcc train wrote does"
"$netcc" summary apart.yaml >out 2>err && fail "no weights either" "summary passes"
same "no weights either" "$(tail -n 1 err)" \
    "note: its columns size the network; commands that take --weights find them in the weights.safetensors that netcc train wrote"

# ---- numbers that name classes, other separators, splits -----------------------------------------

awk 'BEGIN { for (i = 0; i < 400; i++) { x = (i * 37) % 100 / 100; k = int(x * 3);
     printf "%g\t%g\t%d\n", x, (i * 13) % 7, 3 + 2 * k } }' >train.tsv
cat >classes.yaml <<'END'
layers:
  - dense: {units: 16, activation: relu}
  - dense: {units: 3, activation: softmax, name: grade}
train: {loss: categorical_crossentropy, optimizer: {adam: {learning_rate: 0.03}},
        metrics: [accuracy], epochs: 60}
data:
  train: {csv: {file: train.tsv, target: 2}}
  standardise: true
  validation_split: 0.25
END
for split in false true; do
    "$netcc" train classes.yaml --set data.stratified=$split --out classes --json >out 2>err ||
        fail classes "train fails"
    holds "classes from numbers, stratified: $split" "$(field out val_accuracy)" 'v > 0.9'
done
printf '0.1 3\n0.5 3\n0.9 3\n' | tr ' ' '\t' >new.tsv
"$netcc" predict classes.yaml --weights classes/weights.safetensors --input new.tsv --json >out 2>err
same "names of numbers" "$(grep -o '"classes".*' out)" '"classes":{"grade":["3","5","7"]}}'

# ---- spiral ---------------------------------------------------------------------------------------

cat >spiral.yaml <<'END'
input: [2]
layers:
  - dense: {units: 32, activation: tanh}
  - dense: {units: 32, activation: tanh}
  - dense: {units: 3, activation: softmax, name: arm}
train: {loss: sparse_categorical_crossentropy, optimizer: {adam: {learning_rate: 0.01}},
        metrics: [accuracy], epochs: 60}
data:
  train: {builtin: {spiral: {classes: 3, noise: 0.02}}}
  test: {builtin: {spiral: {classes: 3, noise: 0.02, samples: 500}}}
  classes: [a, b, c]
END
"$netcc" train spiral.yaml --out spiral --json >out 2>err || fail spiral "train fails"
holds "spiral" "$(field out val_accuracy)" 'v > 0.95'
printf '0.5,0.1\n' >new.csv
"$netcc" predict spiral.yaml --weights spiral/weights.safetensors --input new.csv >out 2>err
same "names from the spec" "$(grep -c ' [abc]$' out)" 1

# ---- more than memory -----------------------------------------------------------------------------

# A file of 9.6 MB whose parsed values need 4.8 MB, under a limit that leaves too little for either
awk 'BEGIN { print "a,b,c,d,e,f,g,h,i,j,k,y"; for (n = 0; n < 100000; n++) { x = (n * 7919) % 10007 / 10007;
     printf "%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f\n",
     x, x * x, 1 - x, x / 2, x / 3, x / 4, x / 5, x / 6, x / 7, x / 8, x / 9, 2 * x } }' >big.csv
cat >big.yaml <<'END'
layers: [dense: {units: 1, name: y}]
train: {loss: mse, optimizer: {adam: {learning_rate: 0.1}}, epochs: 1, batch_size: 256}
data: {train: {csv: {file: big.csv, target: y}}, standardise: true, validation_split: 0.1}
END
big() { # OUT: trains with 12 MB of data memory
    (ulimit -d 12000 && "$netcc" train big.yaml --threads 1 --backend tcc --out "$1" --json) >out 2>err
}
NETCC_SPOOL_BYTES=1000000 big mapped || fail "larger than memory" "train fails"
holds "larger than memory" "$(field out val_loss)" 'v < 0.01'
NETCC_SPOOL_BYTES=100000000 big held && fail "the limit limits" "train does not fail"
case $(head -n 1 err) in
    *"out of memory"*) ok "the limit limits" ;;
    *) fail "the limit limits" "another message" ;;
esac
"$netcc" train big.yaml --out held --quiet >out 2>err
cmp -s mapped/weights.safetensors held/weights.safetensors && ok "mapped or held, the same weights" ||
    fail "mapped or held, the same weights" "they differ"

finish
