#!/bin/sh
# Every template is C as it stands: with its defaults as macros it compiles without a warning, and its
# kernel does what the plain loops of NAME.c here do, under gcc (with sanitizers), clang, tcc over the
# native vocabulary, and tcc in scalar double. `variant` lines of NAME.c set other values. The block
# templates are for tcc alone. BUILD names the folder that make built in; a name as an argument runs
# that template alone.
cd "$(dirname "$0")" || exit 2
build=${BUILD:-../../build}
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
warn="-std=c99 -Wall -Wextra -Werror -ffp-contract=off"
include="-I$folder -I. -I../../runtime"
passed=0
failed=0

${CC:-cc} -I../../compiler defaults.c "$build"/compiler/template.o "$build"/compiler/embedded.o \
    "$build"/compiler/base/*.o "$build"/runtime/spelling.o -o "$folder/defaults" || exit 2
${CC:-cc} -I../../runtime host.c "$build"/runtime/isa.o "$build"/runtime/cpu.o "$build"/runtime/native_*.o \
    -ltcc -ldl -lm -o "$folder/host" || exit 2
"$folder/host" >"$folder/natives.h" || exit 2
"$folder/defaults" ../../templates/unit.c >"$folder/template_unit.c" || exit 2

# Compiles and runs the check $1 with the compiler $2.
check_with() {
    case $2 in
    gcc) gcc $warn -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all $include "$1.c" \
        -lm -o "$folder/check" && "$folder/check" ;;
    clang) clang $warn -Wno-dollar-in-identifier-extension -O1 $include "$1.c" -lm \
        -o "$folder/check" && "$folder/check" ;;
    tcc) "$folder/host" "$1.c" "$folder" . ../../runtime ;;
    scalar) tcc -Wall -Werror -DNC_SCALAR -DNC_DOUBLE $include -run -lm "$1.c" ;;
    esac >"$folder/log" 2>&1
}

report() { # name compiler variant
    if [ "$4" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL templates/$1 $2 $3"
        head -8 "$folder/log"
    fi
}

for template in ../../templates/${1:-*}.c; do
    name=$(basename "$template" .c)
    # the block form of a kernel without a chain does what the other does
    check=$name
    [ -f "$check.c" ] || check=${name%_block}
    if [ ! -f "$check.c" ]; then
        case $name in
        product_*) continue ;; # the frame of a product: tests/emitted
        esac
        report "$name" "has no check" "" 1 </dev/null
        continue
    fi
    case $name in
    *_block) compilers="tcc" ;;
    *) compilers="gcc clang tcc scalar" ;;
    esac
    if [ -f "../../templates/${name}_block.c" ] && [ ! -f "${name}_block.c" ]; then
        compilers="gcc clang scalar" # calls scalar primitives, which are no natives
    fi
    for compiler in $compilers; do
        before=$failed
        { echo; sed -n 's|^// variant: ||p' "$check.c"; } >"$folder/variants"
        while read -r variant; do
            # shellcheck disable=SC2086
            "$folder/defaults" "$template" $variant >"$folder/template.c" &&
                check_with "$check" "$compiler"
            report "$name" "$compiler" "$variant" $?
        done <"$folder/variants"
        [ "$failed" -eq "$before" ] && echo "ok templates/$name $compiler"
    done
done
echo "templates: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
