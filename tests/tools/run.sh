#!/bin/bash
# What stands around the compiler: completion, man page, starter specs, reference, schema,
# installation, fetching of data, the table of make bench. NETCC names the program to test, B the
# build folder.
set -u
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
root=$PWD
B=${B:-build}
netcc=$(realpath -- "${NETCC:-$B/netcc}") || exit 2
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=${NETCC_CACHE:-$folder/cache}
passed=0
failed=0

ok() {
    passed=$((passed + 1))
    echo "ok   tools/$1"
}
fail() { # NAME WHY
    failed=$((failed + 1))
    echo "FAIL tools/$1: $2"
}
check() { # NAME COMMAND... : ok where it succeeds
    local name=$1
    shift
    if "$@" >"$folder/log" 2>&1; then ok "$name"; else fail "$name" "$* ($?): $(head -3 "$folder/log")"; fi
}
same() { # NAME FOUND EXPECTED
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "'$2' is not '$3'"; fi
}
exits() { # NAME CODE PATTERN COMMAND... : the exit code, and what stderr says
    local name=$1 code=$2 pattern=$3
    shift 3
    "$@" >/dev/null 2>"$folder/log"
    local found=$?
    if [ $found -eq "$code" ] && grep -q -- "$pattern" "$folder/log"; then
        ok "$name"
    else
        fail "$name" "exit $found, wanted $code and '$pattern': $(head -3 "$folder/log")"
    fi
}
skip() {
    echo "SKIP tools/$1: $2"
}

commands=$("$netcc" --help | sed -n 's/^  \([a-z][a-z]*\).*/\1/p')

# ---- completion -----------------------------------------------------------------------------------

same "complete every command" "$("$netcc" complete --word= | cut -f 1 | xargs)" "$(echo $commands)"
for command in $commands; do
    helped=$("$netcc" "$command" --help | sed -nE 's/^  (-., )?(--[a-z-]+).*/\2/p' | sort | xargs)
    known=$("$netcc" complete --word="$command" --word=- | cut -f 1 | sort | xargs)
    same "complete $command" "$known" "$helped"
done

mkdir -p "$folder/files/sub" && touch "$folder/files/"{a.yaml,b.yml,c.npy}
# What bash offers for the words given, as it calls the function
offers() {
    PATH=$(dirname "$netcc"):$PATH bash -c '
        . <(netcc completion bash) && cd "$1" && shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _netcc netcc
        printf "%s\n" "${COMPREPLY[@]}" | sort | xargs' _ "$folder/files" netcc "$@"
}
same "bash commands" "$(offers tra)" "train"
same "bash options" "$(offers train --see)" "--seed"
same "bash choices" "$(offers train --backend "")" "auto cc tcc"
same "bash choices after =" "$(offers train --backend = t)" "tcc"
same "bash choices right after =" "$(offers train --backend =)" "auto cc tcc"
same "bash passes" "$(offers dump --after lay)" "layout"
same "bash names" "$(offers ops soft)" "softmax softplus softsign"
same "bash specs" "$(offers train "")" "a.yaml b.yml sub"
same "bash files" "$(offers eval a.yaml --weights "")" "a.yaml b.yml c.npy sub"
same "bash files after =" "$(offers predict a.yaml --input image = c)" "c.npy"
same "bash folders" "$(offers train a.yaml --out "")" "sub"
same "bash shells" "$(offers completion "")" "bash fish zsh"
same "bash tasks" "$(offers new x --task reg)" "regress-table"
exits "completion of another shell" 2 "bash, zsh or fish" "$netcc" completion tcsh
for shell in zsh fish; do
    "$netcc" completion $shell >"$folder/script"
    if command -v $shell >/dev/null; then
        check "$shell reads its script" $shell -n "$folder/script"
    else
        skip "$shell" "$shell is not here"
    fi
    check "$shell asks netcc" grep -q 'complete.*--word=' "$folder/script"
done

# ---- man page -------------------------------------------------------------------------------------

"$netcc" man >"$folder/netcc.1"
missing=
for command in $commands; do
    grep -q "^.SS netcc $command" "$folder/netcc.1" || missing="$missing $command"
done
same "man names every command" "$missing" ""
for name in DATA CACHE ISA TEMPLATES PLUGINS; do
    grep -q "NETCC_$name" "$folder/netcc.1" || missing="$missing $name"
done
same "man names the variables" "$missing" ""
if command -v man >/dev/null && command -v groff >/dev/null; then
    same "man is clean troff" "$(man -l --warnings=w "$folder/netcc.1" 2>&1 >/dev/null)" ""
else
    skip "man is clean troff" "man or groff is not here"
fi

# ---- new ------------------------------------------------------------------------------------------

cd "$folder" || exit 2
for task in classify-images classify-table regress-table forecast; do
    name=${task/-/_}
    check "new $task" "$netcc" new "$name" --task $task
    check "new $task trains" "$netcc" train "$name/$name.yaml" --out "$name/run" --quiet --backend tcc
    check "new $task has weights" test -s "$name/run/weights.safetensors"
done
last() { # of a run, the last number of a kind
    "$netcc" train "$1" --out again --json --backend tcc | grep -oE "\"$2\": *[0-9.]+" | tail -1 |
        grep -oE '[0-9.]+$'
}
for run in "classify_images val_accuracy >= 0.95" "classify_table val_accuracy >= 0.95" \
    "regress_table val_mae <= 0.15" "forecast val_mae <= 0.1"; do
    read -r name kind compare bound <<<"$run"
    found=$(last "$name/$name.yaml" "$kind")
    check "new $name learns ($kind ${found:-none})" awk "BEGIN { exit !(${found:-x} $compare $bound) }"
done
check "new without task" "$netcc" new plain
check "new without task has digits" grep -q 'builtin: digits' plain/plain.yaml
exits "new twice" 1 "plain/plain.yaml: File exists" "$netcc" new plain
exits "new with a bad name" 2 "not a C identifier" "$netcc" new 9-lives
exits "new with a bad task" 2 "classify-images|classify-table" "$netcc" new x --task juggle
cd "$root" || exit 2

# ---- reference and schema -------------------------------------------------------------------------

"$netcc" docs >"$folder/reference.md"
missing=
for name in $("$netcc" ops | awk '/^op:/ { exit } /^  / { print $1 }'); do
    grep -qx "### $name" "$folder/reference.md" || missing="$missing $name"
done
same "reference has every name" "$missing" ""
same "reference has no empty description" "$(grep '| |$' "$folder/reference.md" | grep -v '^| key')" ""
check "schema is there" "$netcc" schema
# The guide's example of a graph
{ echo 'name: guide' && sed -n '/^    inputs:/,/^$/s/^    //p' docs/guide.md; } >"$folder/guide.yaml"
check "guide's graph compiles" "$netcc" summary "$folder/guide.yaml"

# ---- installation ---------------------------------------------------------------------------------

array() { # FILE TYPE SHAPE BYTES : zeros as npy
    local head="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$head"
    head -c "$4" /dev/zero
}
to=$folder/root
if make -s B="$B" DESTDIR="$to" PREFIX=/usr/local install >"$folder/log" 2>&1; then
    ok "install"
else
    fail "install" "$(tail -3 "$folder/log")"
fi
own=$to/usr/local
for file in bin/netcc lib/netcc/npz.so lib/netcc/libnetcc.a include/netcc.h lib/pkgconfig/netcc.pc \
    share/man/man1/netcc.1 share/bash-completion/completions/netcc share/zsh/site-functions/_netcc \
    share/fish/vendor_completions.d/netcc.fish share/doc/netcc/guide.md share/doc/netcc/reference.md; do
    check "install $file" test -s "$own/$file"
done
array x.npy '<f4' '4, 28, 28, 1' 12544 >"$folder/x.npy"
array t.npy '<i4' '4,' 16 >"$folder/t.npy"
cd "$folder" || exit 2
digits=$root/examples/digits/digits.yaml
check "installed train" env -u NETCC_PLUGINS "$own/bin/netcc" train "$digits" --steps 20 --out run --quiet
check "installed grad writes npz" env -u NETCC_PLUGINS "$own/bin/netcc" grad "$digits" \
    --weights run/weights.safetensors --input x.npy --target t.npy --output g.npz
exits "installed eval reads npz" 1 "input: not in the model" env -u NETCC_PLUGINS "$own/bin/netcc" eval "$digits" --weights g.npz
check "installed build" env -u NETCC_PLUGINS "$own/bin/netcc" build "$digits" -o digits \
    --weights run/weights.safetensors
check "installed build runs" ./digits --help
cd "$root" || exit 2
if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH=$own/lib/pkgconfig
    same "pkg-config version" "$(pkg-config --modversion netcc)" "$("$netcc" --version | cut -d ' ' -f 2)"
    same "pkg-config cflags" "$(pkg-config --cflags netcc | xargs)" "-I/usr/local/include"
fi
make -s B="$B" DESTDIR="$to" PREFIX=/usr/local uninstall
same "uninstall leaves nothing" "$(find "$to" ! -type d)" ""

# ---- data -----------------------------------------------------------------------------------------

# A curl that does what $FAKE says, in place of the network: `-o FILE URL` are its last arguments
mkdir "$folder/bin"
cat >"$folder/bin/curl" <<'CURL'
#!/bin/bash
file=${*: -2:1} url=${*: -1}
case $FAKE in
none) exit 6 ;;
junk) echo "<html>sign in</html>" >"$file" ;;
*) cp "$FAKE/$(case $url in *fashion*) echo fashion-mnist ;; *) echo mnist ;; esac)/${url##*/}" "$file" ;;
esac
CURL
chmod +x "$folder/bin/curl"
exits "data offline" 1 "by hand" env FAKE=none PATH="$folder/bin:$PATH" tools/fetch-data.sh \
    "$folder/data"
same "data offline names all files" "$(grep -c -- '-> .*gz$' "$folder/log")" 8
exits "data that is not it" 1 "SHA-256" env FAKE=junk PATH="$folder/bin:$PATH" tools/fetch-data.sh \
    "$folder/data"
same "data that is not it is not kept" "$(find "$folder/data" -type f)" ""
exits "data without DIR" 2 "usage" make -s data
real=${NETCC_DATA:-../shared/data}
if [ -s "$real/mnist/train-images-idx3-ubyte.gz" ]; then
    check "data that is it" env FAKE="$(realpath "$real")" PATH="$folder/bin:$PATH" tools/fetch-data.sh \
        "$folder/data"
    same "data that is it is kept" "$(find "$folder/data" -type f | wc -l | xargs)" 8
    check "data that is there" env FAKE=none PATH="$folder/bin:$PATH" tools/fetch-data.sh "$folder/data"
else
    skip "data that is it" "MNIST is not in $real"
fi

# ---- bench ----------------------------------------------------------------------------------------

export PYTHONDONTWRITEBYTECODE=1
if command -v python3 >/dev/null; then
    python3 bench/report.py tests/tools/measured.json >"$folder/RESULTS.md"
    says() { # NAME ROW
        if grep -qF -- "| $2 |" "$folder/RESULTS.md"; then ok "$1"; else fail "$1" "no '$2'"; fi
    }
    says "bench misses" "kcnn, batch 100 | 80 | 1,000 | 50 % | 500 | 667 | foreach | 1.50 x | 2 x / 2.6 x | **missed by 25 %** | 50 % | **missed by 23 %**"
    says "bench beside kann" "mlp128, batch 128 | 0.312 | 256,000 | 50 % | - | 64,000 | plain | 4.00 x | 3 x / 4 x | aim met | - | not measured | 213,333 | -O2 | 1.20 x | **missed by 33 %**"
    says "bench two threads beside kann" "train mlp128, batch 128 | 512,000 | 2.00 x | 1.6 x | met | - | 256,000, kann | 2.00 x"
    says "bench meets" "vgg, batch 1 | 1.6 | 20.0 us | 50 % | - | - | 24.0 us | 1.20 x | 1.1 x / 1.25 x | met"
    says "bench without netcc" "mbv1, batch 1 | - | - | - | 9 ms | frozen | 8 ms | - | 1.15 x / 1.3 x | not measured"
    says "bench two threads" "train kcnn, batch 100 | 2,000 | 2.00 x | 1.8 x | met | - | 1,333, PyTorch | 1.50 x"
    says "bench slowest first" "train kcnn, batch 100 | slow | 80 % | 40.0 | 25 % | 50 % of L2"
    says "bench start" "process start to the end of the first step | 30.0 ms | 15 ms | **missed by 100 %**"
    says "bench memory" "peak memory of training beyond the mapped data | 10.0 MB | 20 MB | met | -"
    check "bench failures" grep -qF 'predict vgg, batch 1, 1 thread: PyTorch: `it broke`' "$folder/RESULTS.md"
    exits "bench unknown row" 1 "no row 'vg'; there are" python3 bench/run.py --rows vg
    exits "bench without rounds" 2 "greater than 0" python3 bench/run.py --rounds 0
else
    skip "bench" "no python3"
fi
python=/usr/bin/python3 # Debian's, which python3-torch belongs to
if $python -c 'import torch' 2>/dev/null; then
    PYTHONPATH=bench $python -c 'import networks
for name in sorted(networks.SHAPES):
    print(name, sum(p.numel() for p in networks.build(name).parameters()))' >"$folder/torch" 2>&1
    for spec in bench/specs/*.yaml; do
        "$netcc" summary "$spec" --json |
            sed -n 's/.*"name":"\([^"]*\)","layers".*"trainable":\([0-9]*\).*/\1 \2/p'
    done | sort >"$folder/netcc"
    check "bench networks are the peers'" diff "$folder/netcc" "$folder/torch"
else
    skip "bench networks are the peers'" "no python3-torch"
fi

echo "tools: $passed passed, $failed failed"
[ $failed -eq 0 ]
