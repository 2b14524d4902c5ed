#!/bin/sh
# Fetches MNIST and Fashion-MNIST into DIR/mnist and DIR/fashion-mnist, for NETCC_DATA=DIR:
# `tools/fetch-data.sh DIR`. Files that are there already are checked and kept.
set -u
folder=${1:-}
if [ -z "$folder" ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
# Where each is at home; MNIST's first home often turns visitors away, the second is a copy
mnist='http://yann.lecun.com/exdb/mnist https://ossci-datasets.s3.amazonaws.com/mnist'
fashion='http://fashion-mnist.s3-website.eu-central-1.amazonaws.com'

checksum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# get URL FILE: FILE is complete or not there
get() {
    if command -v curl >/dev/null; then
        curl -fsSL --connect-timeout 15 -o "$2" "$1" 2>/dev/null
    elif command -v wget >/dev/null; then
        wget -q --tries 1 --timeout 15 -O "$2" "$1"
    else
        false
    fi
}

# try HOME NAME SHA256: is $part now that file?
try() {
    case " $dead " in *" $1 "*) return 1 ;; esac
    if ! get "$1/$2" "$part"; then
        dead="$dead $1"
    elif [ "$(checksum "$part")" = "$3" ]; then
        return 0
    else
        echo "$1/$2 is not what it should be (SHA-256)" >&2
    fi
    rm -f "$part"
    return 1
}

# fetch SET HOMES NAME SHA256
fetch() {
    file=$folder/$1/$3
    part=$file.part
    if [ -f "$file" ] && [ "$(checksum "$file")" = "$4" ]; then
        echo "$file is there"
        return
    fi
    mkdir -p "$folder/$1" || exit 1
    for home in $2; do
        if try "$home" "$3" "$4"; then
            mv "$part" "$file" && echo "$file"
            return
        fi
    done
    by_hand="$by_hand
    ${2##* }/$3
        -> $file"
}

dead=
by_hand=
fetch mnist "$mnist" train-images-idx3-ubyte.gz \
    440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
fetch mnist "$mnist" train-labels-idx1-ubyte.gz \
    3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
fetch mnist "$mnist" t10k-images-idx3-ubyte.gz \
    8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
fetch mnist "$mnist" t10k-labels-idx1-ubyte.gz \
    f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
fetch fashion-mnist "$fashion" train-images-idx3-ubyte.gz \
    3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84
fetch fashion-mnist "$fashion" train-labels-idx1-ubyte.gz \
    a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845
fetch fashion-mnist "$fashion" t10k-images-idx3-ubyte.gz \
    346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073
fetch fashion-mnist "$fashion" t10k-labels-idx1-ubyte.gz \
    67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5
if [ -n "$by_hand" ]; then
    echo "these could not be fetched; please do it by hand, then run this again to check them:$by_hand" >&2
    exit 1
fi
echo "all there; use them with NETCC_DATA=$folder"
