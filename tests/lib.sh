# Sourced by suites that work in a folder of their own: where things are, and the counts of what was
# checked. NETCC names the program to test; $data is $NETCC_DATA, else ../shared/data beside the checkout.
# shellcheck shell=bash
set -u
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd) || exit 2
root=$(cd "$here/../.." && pwd) || exit 2
suite=${here##*/}
netcc=$(realpath -- "${NETCC:-$root/build/netcc}") || exit 2
[ -x "$netcc" ] || { echo "$suite: $netcc is not there; run make" >&2; exit 2; }
data=$(realpath -m -- "${NETCC_DATA:-$root/../shared/data}")
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
export NETCC_CACHE=$folder/cache HOME=$folder/home TMPDIR=$folder/tmp
export NETCC_PLUGINS=${NETCC_PLUGINS:-$(dirname "$netcc")}
unset XDG_CACHE_HOME NETCC_ISA NETCC_DATA
mkdir "$HOME" "$TMPDIR"
cd "$folder" || exit 2
passed=0
failed=0

ok() { # NAME
    echo "ok   $suite/$1"
    passed=$((passed + 1))
}
fail() { # NAME WHY: and what is in `err`
    echo "FAIL $suite/$1: $2"
    [ ! -s err ] || head -5 err | sed 's/^/     /'
    failed=$((failed + 1))
}
check() { # NAME CONDITION... : ok where the command CONDITION succeeds
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then ok "$name"; else fail "$name" "$*"; fi
}
code=0
exits() { # NAME CODE COMMAND... : stdout to `out`, stderr to `err`, the code to $code
    local name=$1 wanted=$2
    shift 2
    "$@" >out 2>err
    code=$?
    check "$name" test "$code" -eq "$wanted"
}
same() { # NAME HAVE WANT
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "'$2' is not '$3'"; fi
}
holds() { # NAME VALUE CONDITION-OF-v
    if awk -v v="${2:-nan}" "BEGIN { exit !($3) }"; then ok "$1 ($2)"; else fail "$1" "$2: not $3"; fi
}
field() { # FILE KEY: the last value of a key in JSON lines
    grep -o "\"$2\":[^,}]*" "$1" | tail -n 1 | cut -d: -f2
}
quick() { # ARGUMENTS... : netcc with a compiler that is quick
    CC=$root/tests/quick_cc "$netcc" "$@"
}
finish() { # the suite's last line and its exit status
    echo "$suite: $passed passed, $failed failed"
    exit $((failed > 0))
}
